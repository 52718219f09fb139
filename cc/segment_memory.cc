#include "cc/segment_memory.h"

#include <algorithm>
#include <new>
#include <string>

#include "cc/memory.h"
#include "cc/slot_array.h"

namespace tfa {
namespace {

constexpr int64_t kMaxSlabBytes = int64_t{16} << 20;
// The system bounds the number of mappings of a process, and a file may be large.
constexpr int64_t kMaxMappedBytes = int64_t{256} << 20;

}  // namespace

SegmentMemory::~SegmentMemory() {
  for (const Slab& slab : slabs_) Free(slab);
  while (releasable_ && num_idle() > 0) Release();
}

void SegmentMemory::Free(const Slab& slab) const {
  if (file_ != nullptr) {
    MappedFile::Unmap(slab.memory, slab.bytes);
  } else {
    FreeAligned(slab.memory, slab.bytes);
  }
}

// Whether there is memory to list so many more pieces, also those that are taken now,
// when they come back.
bool SegmentMemory::ReserveLists(int64_t count) try {
  ReserveMore(&idle_, static_cast<size_t>(num_taken() + count));
  ReserveMore(&slabs_, 1);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

Status SegmentMemory::Grow(int64_t most) {
  const int64_t max_slab = file_ == nullptr ? kMaxSlabBytes : kMaxMappedBytes;
  const int64_t fitting =
      releasable_ ? 1 : std::max<int64_t>(1, max_slab / piece_bytes_);
  const int64_t count = std::min(std::clamp<int64_t>(num_pieces_, 1, fitting), most);
  const int64_t bytes = count * piece_bytes_;
  void* slab = nullptr;
  if (!ReserveLists(count)) {
    // Says so below.
  } else if (file_ == nullptr) {
    slab = AllocateAligned(bytes);
  } else {
    StatusOr<void*> grown = file_->Grow(bytes);
    if (!grown.ok()) return grown.status();
    slab = *grown;
  }
  if (slab == nullptr) {
    return ResourceExhaustedError("no memory for more steps (" +
                                  std::to_string(bytes_allocated()) +
                                  " bytes are allocated); lower the tables' max_size");
  }
  if (!releasable_) slabs_.push_back({slab, bytes});
  // Those at the start of the slab are used first.
  for (int64_t i = count - 1; i >= 0; --i) {
    idle_.push_back(static_cast<uint8_t*>(slab) + i * piece_bytes_);
  }
  num_pieces_ += count;
  return OkStatus();
}

uint8_t* SegmentMemory::Take() {
  uint8_t* const piece = idle_.back();
  idle_.pop_back();
  return piece;
}

void SegmentMemory::Release() {
  Free({Take(), piece_bytes_});
  --num_pieces_;
}

}  // namespace tfa
