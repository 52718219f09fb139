#include "cc/buffer_pool.h"

#include <algorithm>
#include <utility>

#include "cc/memory.h"

namespace tfa {
namespace {

constexpr size_t kAlignment = 64;

// Rounds up to one of four sizes per power of two, so at most a fifth is wasted.
size_t SizeClass(size_t bytes) {
  size_t power = 256;
  while (power < bytes) power *= 2;
  const size_t step = std::max(power / 8, kAlignment);
  return std::max((bytes + step - 1) / step * step, kAlignment);
}

}  // namespace

std::shared_ptr<BufferPool> BufferPool::Create() {
  return std::shared_ptr<BufferPool>(new BufferPool());
}

BufferPool::~BufferPool() {
  for (auto& [capacity, buffers] : idle_) {
    for (void* data : buffers) FreeAligned(data, static_cast<int64_t>(capacity));
  }
}

std::unique_ptr<Buffer> BufferPool::Acquire(int64_t bytes) {
  const size_t capacity = SizeClass(static_cast<size_t>(bytes));
  void* data = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<void*>& idle = idle_[capacity];
    if (!idle.empty()) {
      data = idle.back();
      idle.pop_back();
      bytes_idle_ -= static_cast<int64_t>(capacity);
    } else {
      bytes_allocated_ += static_cast<int64_t>(capacity);
    }
  }
  if (data == nullptr) data = AllocateAligned(static_cast<int64_t>(capacity));
  if (data == nullptr) {
    const std::lock_guard<std::mutex> lock(mutex_);
    bytes_allocated_ -= static_cast<int64_t>(capacity);
    return nullptr;
  }
  return std::unique_ptr<Buffer>(new Buffer(shared_from_this(), data, capacity));
}

void BufferPool::Return(void* data, size_t capacity) {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_[capacity].push_back(data);
  bytes_idle_ += static_cast<int64_t>(capacity);
}

int64_t BufferPool::bytes_allocated() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_allocated_;
}

int64_t BufferPool::bytes_idle() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_idle_;
}

}  // namespace tfa
