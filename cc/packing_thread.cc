#include "cc/packing_thread.h"

#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace tfa {

PackingThread::PackingThread(std::mutex* mutex,
                             std::function<std::shared_ptr<StepStore>()> store,
                             std::function<void()> when_done)
    : mutex_(mutex), store_(std::move(store)), when_done_(std::move(when_done)) {}

Status PackingThread::Start() {
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return ResourceExhaustedError(
        std::string("cannot start the thread that compresses steps: ") + error.what());
  }
  return OkStatus();
}

// Nothing here throws: a thread's exception would end the process.
void PackingThread::Run() {
  PackingBuffer buffer;
  Lock lock(*mutex_);
  while (!stopped_) {
    if (!PackOne(&lock, &buffer)) wake_.wait(lock);
  }
}

// False when there is nothing to do. Calls `when_done` then, too: segments that nothing
// refers to any more have left the queue without being packed.
bool PackingThread::PackOne(Lock* lock, PackingBuffer* buffer) {
  const std::shared_ptr<StepStore> store = store_();
  const int32_t segment = store->StartPacking();
  if (segment >= 0) {
    lock->unlock();
    PackedSegment packed = store->PackRows(segment, buffer);
    lock->lock();
    store->FinishPacking(segment, std::move(packed));
  }
  when_done_();
  return segment >= 0;
}

void PackingThread::Stop() {
  {
    const Lock lock(*mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  std::call_once(joined_, [this] {
    if (thread_.joinable()) thread_.join();
  });
}

}  // namespace tfa
