// The memory of raw segments: in RAM, or in a file.
#ifndef TFAGENTS_CORE_CC_SEGMENT_MEMORY_H_
#define TFAGENTS_CORE_CC_SEGMENT_MEMORY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "cc/mapped_file.h"
#include "cc/status.h"

namespace tfa {

// Pieces of one size, 64-byte-aligned, taken from slabs of many. A piece that is given
// back waits to be taken again, so the memory is that of the fullest moment; but with
// `releasable` every piece is a slab and can be freed. Only Grow allocates.
//
// Take, Give: O(1). Not thread-safe.
class SegmentMemory {
 public:
  // In RAM unless there is a file.
  SegmentMemory(int64_t piece_bytes, bool releasable, std::unique_ptr<MappedFile> file)
      : piece_bytes_(piece_bytes), releasable_(releasable), file_(std::move(file)) {}
  // REQUIRES: with `releasable`, that every piece was given back.
  ~SegmentMemory();
  SegmentMemory(const SegmentMemory&) = delete;
  SegmentMemory& operator=(const SegmentMemory&) = delete;

  int64_t bytes_allocated() const { return num_pieces_ * piece_bytes_; }
  int64_t num_idle() const { return static_cast<int64_t>(idle_.size()); }
  int64_t num_taken() const { return num_pieces_ - num_idle(); }

  // As many more pieces as there are, but not more than fill a slab or `most`.
  // kResourceExhausted or kIoError when there is no memory; nothing has changed then.
  // REQUIRES: most >= 1.
  Status Grow(int64_t most);
  // REQUIRES: num_idle() > 0.
  uint8_t* Take();
  void Give(uint8_t* piece) { idle_.push_back(piece); }
  // Frees an idle piece. REQUIRES: releasable, num_idle() > 0.
  void Release();

 private:
  struct Slab {
    void* memory;
    int64_t bytes;
  };

  bool ReserveLists(int64_t count);
  void Free(const Slab& slab) const;

  const int64_t piece_bytes_;
  const bool releasable_;
  const std::unique_ptr<MappedFile> file_;
  std::vector<Slab> slabs_;  // but for releasable ones
  std::vector<uint8_t*> idle_;
  int64_t num_pieces_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SEGMENT_MEMORY_H_
