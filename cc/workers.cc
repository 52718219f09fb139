#include "cc/workers.h"

#include <algorithm>
#include <new>
#include <system_error>

namespace tfa {

Workers::Workers(int64_t max_threads)
    : num_helpers_(std::clamp<int64_t>(
          static_cast<int64_t>(std::thread::hardware_concurrency()) - 1, 0,
          max_threads)) {}

Workers::~Workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::Work::Take(int64_t thread) {
  for (int64_t i = next++; i < n; i = next++) part(i, thread);
}

// Whether there is a thread beside the caller's.
bool Workers::Start() {
  try {
    threads_.reserve(static_cast<size_t>(num_helpers_));
    while (static_cast<int64_t>(threads_.size()) < num_helpers_) {
      const auto thread = static_cast<int64_t>(threads_.size()) + 1;
      threads_.emplace_back([this, thread] { Help(thread); });
    }
  } catch (const std::system_error&) {
    // The system has no more: those that there are must do.
  } catch (const std::bad_alloc&) {
    // The same.
  }
  return !threads_.empty();
}

void Workers::Run(int64_t n, const std::function<void(int64_t, int64_t)>& part) {
  Work work = {part, n};
  const std::unique_lock<std::mutex> only(only_, std::try_to_lock);
  if (n < 2 || !only.owns_lock() || !Start()) return work.Take(0);
  std::unique_lock<std::mutex> lock(mutex_);
  work_ = &work;
  ++num_works_;
  lock.unlock();
  wake_.notify_all();
  work.Take(0);
  // Everything has been begun: who wakes only now finds nothing.
  lock.lock();
  work_ = nullptr;
  done_.wait(lock, [this] { return num_helping_ == 0; });
}

void Workers::Help(int64_t thread) {
  int64_t num_seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || num_works_ > num_seen; });
    if (stop_) return;
    num_seen = num_works_;
    if (work_ == nullptr) continue;
    Work* const work = work_;
    ++num_helping_;
    lock.unlock();
    work->Take(thread);
    lock.lock();
    if (--num_helping_ == 0) done_.notify_one();
  }
}

}  // namespace tfa
