#include "cc/memory.h"

#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tfa {

void* AllocateAligned(int64_t bytes) {
  constexpr int64_t kLine = 64;
  const int64_t alignment = bytes >= kHugePageBytes ? kHugePageBytes : kLine;
  const int64_t rounded = (bytes + kLine - 1) / kLine * kLine;
  const auto size = static_cast<size_t>(rounded > 0 ? rounded : kLine);
  void* memory = nullptr;
  if (posix_memalign(&memory, static_cast<size_t>(alignment), size) != 0)
    return nullptr;
#ifdef MADV_HUGEPAGE
  // Advice only: where it is refused, the pages are small.
  if (bytes >= kHugePageBytes) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return memory;
}

void FreeAligned(void* memory) { std::free(memory); }

}  // namespace tfa
