#include "cc/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace tfa {
namespace {

constexpr int64_t kLine = 64;

#ifdef MAP_NORESERVE
constexpr int kUncounted = MAP_NORESERVE;
#else
constexpr int kUncounted = 0;
#endif

int64_t RoundUp(int64_t bytes, int64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Whole huge pages straight from the system: through malloc, what is given back would
// stay with the process between other blocks, and its memory would creep up.
void* MapHugePages(int64_t bytes, int flags = 0) {
  const int64_t size = RoundUp(bytes, kHugePageBytes);
  const auto span = static_cast<size_t>(size + kHugePageBytes);
  void* const mapped = mmap(nullptr, span, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<char*>(mapped);
  const auto address = static_cast<int64_t>(reinterpret_cast<intptr_t>(mapped));
  const int64_t before = RoundUp(address, kHugePageBytes) - address;
  char* const aligned = begin + before;
  if (before > 0) munmap(begin, static_cast<size_t>(before));
  munmap(aligned + size, static_cast<size_t>(kHugePageBytes - before));
#ifdef MADV_HUGEPAGE
  // Advice only: where it is refused, the pages are small.
  madvise(aligned, static_cast<size_t>(size), MADV_HUGEPAGE);
#endif
  return aligned;
}

}  // namespace

void* AllocateAligned(int64_t bytes) {
  if (bytes >= kHugePageBytes) return MapHugePages(bytes);
  const auto size = static_cast<size_t>(bytes > 0 ? RoundUp(bytes, kLine) : kLine);
  void* memory = nullptr;
  return posix_memalign(&memory, kLine, size) == 0 ? memory : nullptr;
}

void* AllocateZeroed(int64_t bytes) {
  if (bytes >= kHugePageBytes) return MapHugePages(bytes, kUncounted);
  void* const memory = AllocateAligned(bytes);
  if (memory != nullptr) std::memset(memory, 0, static_cast<size_t>(bytes));
  return memory;
}

void ZeroAgain(void* memory, int64_t bytes) {
#ifdef __linux__
  // Elsewhere this advice does not promise zeros.
  if (bytes >= kHugePageBytes) {
    const auto size = static_cast<size_t>(RoundUp(bytes, kHugePageBytes));
    if (madvise(memory, size, MADV_DONTNEED) == 0) return;
  }
#endif
  std::memset(memory, 0, static_cast<size_t>(bytes));
}

void FreeAligned(void* memory, int64_t bytes) {
  if (memory == nullptr) return;
  if (bytes < kHugePageBytes) {
    std::free(memory);
  } else {
    munmap(memory, static_cast<size_t>(RoundUp(bytes, kHugePageBytes)));
  }
}

}  // namespace tfa
