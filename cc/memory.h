// Aligned memory, in huge pages where there is much of it.
#ifndef TFAGENTS_CORE_CC_MEMORY_H_
#define TFAGENTS_CORE_CC_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <new>

namespace tfa {

inline constexpr int64_t kHugePageBytes = int64_t{2} << 20;

// Uninitialised memory, aligned to 64 bytes; null when there is none. From 2 MiB on
// it is aligned to 2 MiB and the system is asked for huge pages: rows are read at
// random, and with pages of 4 KiB every read would miss the address cache too.
void* AllocateAligned(int64_t bytes);

// Frees what `AllocateAligned` gave for so many bytes, or null.
void FreeAligned(void* memory, int64_t bytes);

// The same, all bytes zero. From 2 MiB on a page takes memory only once it is written
// to, so this may be far more than the machine has; null when there is no address space
// for it, or where the system hands out no more than it has.
void* AllocateZeroed(int64_t bytes);

// Makes all bytes of what `AllocateZeroed` gave zero again. From 2 MiB on their memory
// goes back to the system, in a time that goes by pages and not by bytes.
void ZeroAgain(void* memory, int64_t bytes);

// `AllocateAligned` for standard containers.
template <class T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: rebinding

  T* allocate(size_t n) {
    void* const memory = AllocateAligned(static_cast<int64_t>(n * sizeof(T)));
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t n) {
    FreeAligned(memory, static_cast<int64_t>(n * sizeof(T)));
  }

  friend bool operator==(AlignedAllocator, AlignedAllocator) { return true; }
  friend bool operator!=(AlignedAllocator, AlignedAllocator) { return false; }
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_MEMORY_H_
