// Output buffers: aligned, reused, and never while anyone still holds them.
#ifndef TFAGENTS_CORE_CC_BUFFER_POOL_H_
#define TFAGENTS_CORE_CC_BUFFER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace tfa {

class Buffer;

// Hands out 64-byte-aligned buffers and takes them back for reuse: fresh pages cost
// several times the copy that fills them. A buffer comes back only when its
// `Buffer` is destroyed.
//
// Of each size, as many wait to be used again as were in use at once not long ago: in
// the last `kWindow` to 2 `kWindow` acquisitions of any size. So what one large sample
// took is given back to the system, and what every batch takes is not.
//
// Acquire and return: O(1), but every `kWindow`th Acquire frees what is too much.
// Thread-safe. Owned together by its user and by every buffer that is out, so arrays
// may outlive the replay that made them. In a forked process it is left alone: buffers
// are freed, but do not come back.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static constexpr int64_t kWindow = 256;

  static std::shared_ptr<BufferPool> Create();
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A buffer of at least `bytes` bytes; null when there is no memory.
  std::unique_ptr<Buffer> Acquire(int64_t bytes);

  // Frees all that wait to be used again.
  void Trim();

  // Bytes of all buffers, in use or waiting.
  int64_t bytes_allocated() const;

 private:
  friend class Buffer;
  // Buffers of one size.
  struct SizeClass {
    std::vector<void*> idle;
    int64_t num_in_use = 0;
    int64_t most_in_use = 0;  // in this window
  };
  BufferPool();
  void Return(void* data, size_t capacity);
  void BeginWindow();
  void Keep(int64_t most, size_t capacity, SizeClass* of_size);

  const int64_t num_forks_;
  mutable std::mutex mutex_;                       // guards all below
  std::unordered_map<size_t, SizeClass> classes_;  // by capacity
  int64_t bytes_allocated_ = 0;
  int64_t num_acquired_ = 0;
};

// One buffer on loan; goes back to its pool when destroyed. Not thread-safe.
class Buffer {
 public:
  ~Buffer() { pool_->Return(data_, capacity_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return data_; }
  int64_t capacity() const { return static_cast<int64_t>(capacity_); }

 private:
  friend class BufferPool;
  Buffer(std::shared_ptr<BufferPool> pool, void* data, size_t capacity)
      : pool_(std::move(pool)), data_(data), capacity_(capacity) {}

  const std::shared_ptr<BufferPool> pool_;
  void* const data_;
  const size_t capacity_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BUFFER_POOL_H_
