#include "cc/segment_layout.h"

#include <algorithm>
#include <cstring>

namespace tfa {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kTargetSegmentBytes = 256 * 1024;
constexpr int64_t kMinRows = 16;
constexpr int64_t kMaxRows = 1024;
// Of a row in a record. A long one is some lines of its own wherever it lies.
constexpr int64_t kMaxRecordedBytes = 256;
// Large blocks shrink more, as each frame is much like the one before; small ones leave
// less to unpack beside what is wanted. Atari frames: 4 a block, a window of 5 is in 2.
constexpr int64_t kTargetBlockBytes = 32 * 1024;
constexpr auto kStepBytes = static_cast<int64_t>(sizeof(uint32_t));
constexpr auto kWordBytes = static_cast<int64_t>(sizeof(int64_t));

int64_t RoundUp(int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

int64_t ChooseBlockRows(const Column& column, int64_t segment_rows) {
  const int64_t row_bytes = column.row_bytes();
  if (column.compression == Compression::kNone || row_bytes == 0) return 0;
  int64_t rows = 1;
  while (rows < segment_rows && 2 * rows * row_bytes <= kTargetBlockBytes) rows *= 2;
  return rows;
}

// The largest power of two that divides the rows of a column, at most 8.
int64_t Alignment(int64_t row_bytes) {
  return std::min<int64_t>(row_bytes & -row_bytes, kWordBytes);
}

// A record that begins where a line does, or some of which fill a line, lies on no more
// lines than it must: worth a fifth of its bytes.
int64_t RecordStride(int64_t bytes, int64_t alignment) {
  if (bytes == 0) return 0;
  int64_t whole = RoundUp(bytes);
  while (whole / 2 >= bytes) whole /= 2;
  if (whole * 4 <= bytes * 5) return whole;
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

int64_t ChooseSegmentRows(const std::vector<Column>& columns) {
  int64_t bytes = kStepBytes;
  for (const Column& column : columns) bytes += column.row_bytes();
  const int64_t fitting = kTargetSegmentBytes / bytes;
  int64_t rows = kMinRows;
  while (rows * 2 <= std::min(fitting, kMaxRows)) rows *= 2;
  return rows;
}

SegmentLayout::SegmentLayout(const std::vector<Column>& columns,
                             int64_t rows_per_segment,
                             const std::vector<bool>& read_singly)
    : rows(rows_per_segment), offsets(columns.size()) {
  std::vector<bool> recorded;
  for (size_t c = 0; c < columns.size(); ++c) {
    row_bytes.push_back(columns[c].row_bytes());
    block_rows.push_back(ChooseBlockRows(columns[c], rows));
    first_block.push_back(num_blocks);
    if (block_rows[c] > 0) num_blocks += rows / block_rows[c];
    recorded.push_back(c < read_singly.size() && read_singly[c] && block_rows[c] == 0 &&
                       row_bytes[c] > 0 && row_bytes[c] <= kMaxRecordedBytes);
  }
  strides = row_bytes;
  int64_t end = PlaceRecords(recorded);
  const auto place = [&](bool packed) {
    for (size_t c = 0; c < columns.size(); ++c) {
      if ((block_rows[c] > 0) != packed || recorded[c]) continue;
      offsets[c] = end;
      end = RoundUp(end + row_bytes[c] * rows);
    }
  };
  place(false);
  steps_offset = end;
  end = RoundUp(end + rows * kStepBytes);
  mark_offset = end;
  if (packs()) end += kAlignment;
  place(true);
  // An odd number of lines: streams that go in step then write to different sets of a
  // cache, where equal offsets of segments 4 KiB apart would all share one.
  if (end / kAlignment % 2 == 0) end += kAlignment;
  bytes = end;
}

// Places these columns side by side and returns where they end. The most aligned come
// first, so that all are aligned as their elements are.
int64_t SegmentLayout::PlaceRecords(const std::vector<bool>& recorded) {
  int64_t widest = 1;
  int64_t record = 0;
  for (int64_t alignment = kWordBytes; alignment >= 1; alignment /= 2) {
    for (size_t c = 0; c < recorded.size(); ++c) {
      if (!recorded[c] || Alignment(row_bytes[c]) != alignment) continue;
      widest = std::max(widest, alignment);
      offsets[c] = record;
      record += row_bytes[c];
    }
  }
  const int64_t stride = RecordStride(record, widest);
  for (size_t c = 0; c < recorded.size(); ++c) {
    if (recorded[c]) strides[c] = stride;
  }
  return RoundUp(stride * rows);
}

int64_t SegmentLayout::blocks_offset() const {
  return RoundUp(mark_offset + (1 + num_blocks) * kWordBytes);
}

int64_t SegmentLayout::PackedBytes(const uint8_t* segment) const {
  int64_t packed = 0;
  std::memcpy(&packed, segment + mark_offset, sizeof(packed));
  return packed;
}

}  // namespace tfa
