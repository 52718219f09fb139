// Compressed segments: how one is made, and how its rows are read.
#ifndef TFAGENTS_CORE_CC_PACKED_SEGMENT_H_
#define TFAGENTS_CORE_CC_PACKED_SEGMENT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cc/memory.h"
#include "cc/segment_layout.h"

namespace tfa {

// A packed copy of a segment, in memory of its own; see SegmentLayout. May be empty.
class PackedSegment {
 public:
  PackedSegment() = default;
  // Takes over memory from `AllocateAligned`.
  PackedSegment(uint8_t* data, int64_t bytes) : data_(data), bytes_(bytes) {}
  ~PackedSegment() { FreeAligned(data_, bytes_); }
  PackedSegment(PackedSegment&& other) noexcept
      : data_(other.Release()), bytes_(other.bytes_) {}
  PackedSegment& operator=(PackedSegment&& other) noexcept;

  bool empty() const { return data_ == nullptr; }
  int64_t bytes() const { return bytes_; }
  // Gives up the memory, which the caller then frees.
  uint8_t* Release();

 private:
  uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Memory to pack in, which is used again and again.
class PackingBuffer {
 public:
  PackingBuffer() = default;
  ~PackingBuffer() { FreeAligned(data_, bytes_); }
  PackingBuffer(const PackingBuffer&) = delete;
  PackingBuffer& operator=(const PackingBuffer&) = delete;

  // So many bytes, whatever is in them; null when there is no memory. Throws nothing:
  // a thread that has not thrown yet needs memory for its first exception, too.
  uint8_t* Get(int64_t bytes);

  // Whether there was once no memory for what it holds, or for what was made of that.
  bool failed() const { return failed_; }
  void set_failed() { failed_ = true; }

 private:
  bool failed_ = false;
  uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Packs a segment of which all rows are written, but for its plain columns: whoever
// takes the packed segment copies them to it. Empty when that saves less than an
// eighth, or there is no memory.
PackedSegment Pack(const SegmentLayout& layout, const uint8_t* segment,
                   PackingBuffer* buffer);

// Reads rows of one column that is packed where its segment is. Unpacks whole blocks
// and keeps the last few, so that neighbours cost nothing more. Not thread-safe.
class Unpacker {
 public:
  // Borrows the layout. REQUIRES: layout.packs(column).
  Unpacker(const SegmentLayout& layout, int64_t column);

  // Fetches memory for kKept blocks, which Row else does when it needs it.
  // std::bad_alloc when there is none.
  void Reserve();

  // A row and those after it in its block; the memory stays as it is until rows of
  // kKept other blocks were asked for. O(1), or the bytes of a block.
  const uint8_t* Row(const uint8_t* segment, int64_t row);

  static constexpr int64_t kKept = 4;

 private:
  struct Block {
    const uint8_t* segment = nullptr;
    int64_t index = 0;
    std::unique_ptr<uint8_t[]> rows;
  };

  void Reserve(Block* block) const;
  const uint8_t* Unpack(const uint8_t* segment, int64_t index);

  const SegmentLayout& layout_;
  const int64_t row_bytes_;
  const int64_t block_rows_;
  const int64_t offset_;
  const int64_t first_block_;
  std::array<Block, kKept> blocks_;
  size_t newest_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_PACKED_SEGMENT_H_
