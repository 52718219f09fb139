#include "cc/buffer_pool.h"

#include <algorithm>
#include <new>
#include <utility>

#include "cc/fork.h"
#include "cc/memory.h"

namespace tfa {
namespace {

constexpr size_t kAlignment = 64;

// Rounds up to one of four sizes per power of two, so at most a fifth is wasted.
size_t RoundUpToClass(size_t bytes) {
  size_t power = 256;
  while (power < bytes) power *= 2;
  const size_t step = std::max(power / 8, kAlignment);
  return std::max((bytes + step - 1) / step * step, kAlignment);
}

}  // namespace

std::shared_ptr<BufferPool> BufferPool::Create() {
  return std::shared_ptr<BufferPool>(new BufferPool());
}

BufferPool::BufferPool() : num_forks_(NumForks()) {}

BufferPool::~BufferPool() {
  if (num_forks_ == NumForks()) Trim();
}

std::unique_ptr<Buffer> BufferPool::Acquire(int64_t bytes) {
  const size_t capacity = RoundUpToClass(static_cast<size_t>(bytes));
  void* data = nullptr;
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (++num_acquired_ % kWindow == 0) BeginWindow();
    SizeClass& of_size = classes_[capacity];
    // Room for all of them to come back, which must not fail.
    const size_t num_all = static_cast<size_t>(of_size.num_in_use) + 1;
    if (of_size.idle.capacity() < num_all) of_size.idle.reserve(2 * num_all);
    if (of_size.idle.empty()) {
      data = AllocateAligned(static_cast<int64_t>(capacity));
      if (data == nullptr) return nullptr;
      bytes_allocated_ += static_cast<int64_t>(capacity);
    } else {
      data = of_size.idle.back();
      of_size.idle.pop_back();
    }
    ++of_size.num_in_use;
    of_size.most_in_use = std::max(of_size.most_in_use, of_size.num_in_use);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  Buffer* const buffer = new (std::nothrow) Buffer(shared_from_this(), data, capacity);
  if (buffer == nullptr) Return(data, capacity);
  return std::unique_ptr<Buffer>(buffer);
}

void BufferPool::Return(void* data, size_t capacity) {
  if (num_forks_ != NumForks()) {
    FreeAligned(data, static_cast<int64_t>(capacity));
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  SizeClass& of_size = classes_[capacity];
  of_size.idle.push_back(data);
  --of_size.num_in_use;
}

// What was in use at once in the window that ends stays.
void BufferPool::BeginWindow() {
  for (auto& [capacity, of_size] : classes_) {
    Keep(of_size.most_in_use, capacity, &of_size);
    of_size.most_in_use = of_size.num_in_use;
  }
}

// Of one size, at most so many buffers, in use or idle.
void BufferPool::Keep(int64_t most, size_t capacity, SizeClass* of_size) {
  std::vector<void*>& idle = of_size->idle;
  while (!idle.empty() &&
         of_size->num_in_use + static_cast<int64_t>(idle.size()) > most) {
    FreeAligned(idle.back(), static_cast<int64_t>(capacity));
    idle.pop_back();
    bytes_allocated_ -= static_cast<int64_t>(capacity);
  }
}

void BufferPool::Trim() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto& [capacity, of_size] : classes_) Keep(0, capacity, &of_size);
}

int64_t BufferPool::bytes_allocated() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_allocated_;
}

}  // namespace tfa
