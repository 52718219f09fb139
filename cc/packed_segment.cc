#include "cc/packed_segment.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cc/block_codec.h"

namespace tfa {
namespace {

size_t Size(int64_t n) { return static_cast<size_t>(n); }

// Builds a packed segment in a buffer that is as large as it may become.
class Packing {
 public:
  Packing(const SegmentLayout& layout, const uint8_t* segment, uint8_t* out,
          int64_t max_bytes)
      : layout_(layout),
        segment_(segment),
        out_(out),
        max_bytes_(max_bytes),
        end_(layout.blocks_offset()) {}

  // Bytes of the whole; 0 when they are too many.
  int64_t Run() {
    const auto num_columns = static_cast<int64_t>(layout_.row_bytes.size());
    if (end_ > max_bytes_) return 0;
    for (int64_t c = 0; c < num_columns; ++c) {
      if (layout_.packs(c) && !AddColumn(c)) return 0;
    }
    PutWord(0, end_);
    return end_;
  }

 private:
  bool AddColumn(int64_t column) {
    const size_t c = SegmentLayout::Index(column);
    const int64_t block_bytes = layout_.block_rows[c] * layout_.row_bytes[c];
    const int64_t num_blocks = layout_.rows / layout_.block_rows[c];
    const uint8_t* from = segment_ + layout_.offsets[c];
    for (int64_t b = 0; b < num_blocks; ++b, from += block_bytes) {
      if (!AddBlock(from, block_bytes)) return false;
      PutWord(1 + layout_.first_block[c] + b, end_);
    }
    return true;
  }

  bool AddBlock(const uint8_t* from, int64_t bytes) {
    const int64_t room = max_bytes_ - end_;
    const int64_t packed =
        Compress(from, bytes, out_ + end_, std::min(room, bytes - 1));
    if (packed == 0 && bytes > room) return false;
    if (packed == 0) std::memcpy(out_ + end_, from, Size(bytes));
    end_ += packed == 0 ? bytes : packed;
    return true;
  }

  void PutWord(int64_t index, int64_t word) {
    const auto bytes = static_cast<int64_t>(sizeof(word));
    std::memcpy(out_ + layout_.mark_offset + index * bytes, &word, sizeof(word));
  }

  const SegmentLayout& layout_;
  const uint8_t* const segment_;
  uint8_t* const out_;
  const int64_t max_bytes_;
  int64_t end_;
};

int64_t Word(const SegmentLayout& layout, const uint8_t* segment, int64_t index) {
  int64_t word = 0;
  const auto bytes = static_cast<int64_t>(sizeof(word));
  std::memcpy(&word, segment + layout.mark_offset + index * bytes, sizeof(word));
  return word;
}

}  // namespace

PackedSegment& PackedSegment::operator=(PackedSegment&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

uint8_t* PackedSegment::Release() { return std::exchange(data_, nullptr); }

uint8_t* PackingBuffer::Get(int64_t bytes) {
  if (bytes <= bytes_) return data_;
  FreeAligned(data_, bytes_);
  data_ = static_cast<uint8_t*>(AllocateAligned(bytes));
  bytes_ = data_ == nullptr ? 0 : bytes;
  if (data_ == nullptr) failed_ = true;
  return data_;
}

PackedSegment Pack(const SegmentLayout& layout, const uint8_t* segment,
                   PackingBuffer* buffer) {
  const int64_t max_bytes = layout.bytes - layout.bytes / 8;
  uint8_t* const packed = buffer->Get(max_bytes);
  if (packed == nullptr) return {};
  const int64_t bytes = Packing(layout, segment, packed, max_bytes).Run();
  if (bytes == 0) return {};
  auto* const data = static_cast<uint8_t*>(AllocateAligned(bytes));
  if (data == nullptr) {
    buffer->set_failed();
    return {};
  }
  const int64_t plain = layout.mark_offset;
  std::memcpy(data + plain, packed + plain, Size(bytes - plain));
  return {data, bytes};
}

Unpacker::Unpacker(const SegmentLayout& layout, int64_t column)
    : layout_(layout),
      row_bytes_(layout.row_bytes[SegmentLayout::Index(column)]),
      block_rows_(layout.block_rows[SegmentLayout::Index(column)]),
      offset_(layout.offsets[SegmentLayout::Index(column)]),
      first_block_(layout.first_block[SegmentLayout::Index(column)]) {}

void Unpacker::Reserve(Block* block) const {
  if (block->rows != nullptr) return;
  block->rows.reset(new uint8_t[Size(block_rows_ * row_bytes_)]);
}

void Unpacker::Reserve() {
  for (Block& block : blocks_) Reserve(&block);
}

const uint8_t* Unpacker::Row(const uint8_t* segment, int64_t row) {
  if (layout_.PackedBytes(segment) == 0) return segment + offset_ + row * row_bytes_;
  const int64_t within = row & (block_rows_ - 1);
  return Unpack(segment, first_block_ + row / block_rows_) + within * row_bytes_;
}

const uint8_t* Unpacker::Unpack(const uint8_t* segment, int64_t index) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& kept = blocks_[(newest_ + i) % blocks_.size()];
    if (kept.segment == segment && kept.index == index) return kept.rows.get();
  }
  const int64_t begin =
      index == 0 ? layout_.blocks_offset() : Word(layout_, segment, index);
  const int64_t packed = Word(layout_, segment, index + 1) - begin;
  const int64_t bytes = block_rows_ * row_bytes_;
  if (packed == bytes) return segment + begin;
  newest_ = (newest_ + blocks_.size() - 1) % blocks_.size();
  Block& block = blocks_[newest_];
  Reserve(&block);
  Decompress(segment + begin, packed, block.rows.get(), bytes);
  block.segment = segment;
  block.index = index;
  return block.rows.get();
}

}  // namespace tfa
