// Allocations that fail on demand. Replaces the program's operator new, and stands in
// for posix_memalign and mmap where it is linked with --wrap: include it in one source
// file of a program only.
#ifndef TFAGENTS_CORE_CC_TESTS_FAILING_ALLOCATIONS_H_
#define TFAGENTS_CORE_CC_TESTS_FAILING_ALLOCATIONS_H_

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace tfa {

// While it lives, allocations of its thread fail: the one that comes after `num_good`
// others, and with `forever` all that come after that too.
class FailingAllocations {
 public:
  FailingAllocations(int64_t num_good, bool forever) {
    num_good_ = num_good;
    forever_ = forever;
    num_failed_ = 0;
  }
  ~FailingAllocations() { num_good_ = kNever; }

  // How many failed since the last one was made.
  static int64_t num_failed() { return num_failed_; }

  // Has this thread's allocations of so many bytes fail; none if max_bytes is 0.
  static void FailOfSize(size_t min_bytes, size_t max_bytes) {
    min_bytes_ = min_bytes;
    max_bytes_ = max_bytes;
  }

  // Whether all allocations of threads but this one fail.
  static void FailElsewhere(bool fail) {
    is_spared_ = true;
    fails_elsewhere_ = fail;
  }

  static bool Fails(size_t bytes) {
    if (min_bytes_ <= bytes && bytes <= max_bytes_) return true;
    if (fails_elsewhere_ && !is_spared_) return true;
    if (num_good_ == kNever) return false;
    if (num_good_ > 0) {
      --num_good_;
      return false;
    }
    ++num_failed_;
    if (!forever_) num_good_ = kNever;
    return true;
  }

 private:
  static constexpr int64_t kNever = -1;
  static inline thread_local int64_t num_good_ = kNever;
  static inline thread_local int64_t num_failed_ = 0;
  static inline thread_local bool forever_ = false;
  static inline thread_local size_t min_bytes_ = 1;
  static inline thread_local size_t max_bytes_ = 0;
  static inline thread_local bool is_spared_ = false;
  static inline std::atomic<bool> fails_elsewhere_ = false;
};

// Null when there is no memory.
inline void* AllocateOrFail(size_t size, size_t alignment) noexcept {
  if (FailingAllocations::Fails(size)) return nullptr;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

inline void* AllocateOrThrow(size_t size, size_t alignment) {
  void* const memory = AllocateOrFail(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

inline constexpr size_t kNewAlignment = alignof(std::max_align_t);

}  // namespace tfa

#ifdef TFA_WRAPS_ALLOCATIONS
extern "C" {

int __real_posix_memalign(void** memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void** memory, size_t alignment, size_t size) {
  if (tfa::FailingAllocations::Fails(size)) return ENOMEM;
  return __real_posix_memalign(memory, alignment, size);
}

void* __real_mmap(void* at, size_t size, int access, int flags, int file, off_t begin);
void* __wrap_mmap(void* at, size_t size, int access, int flags, int file,
                         off_t begin) {
  if (tfa::FailingAllocations::Fails(size)) return MAP_FAILED;
  return __real_mmap(at, size, access, flags, file, begin);
}

}  // extern "C"
#endif

void* operator new(size_t size) {
  return tfa::AllocateOrThrow(size, tfa::kNewAlignment);
}
void* operator new[](size_t size) {
  return tfa::AllocateOrThrow(size, tfa::kNewAlignment);
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return tfa::AllocateOrFail(size, tfa::kNewAlignment);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return tfa::AllocateOrFail(size, tfa::kNewAlignment);
}
void* operator new(size_t size, std::align_val_t alignment) {
  return tfa::AllocateOrThrow(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return tfa::AllocateOrThrow(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, std::align_val_t alignment,
                   const std::nothrow_t&) noexcept {
  return tfa::AllocateOrFail(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment,
                     const std::nothrow_t&) noexcept {
  return tfa::AllocateOrFail(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

#endif  // TFAGENTS_CORE_CC_TESTS_FAILING_ALLOCATIONS_H_
