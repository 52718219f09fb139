#include "cc/segment_layout.h"

#include <algorithm>
#include <cstring>

namespace tfa {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kTargetSegmentBytes = 256 * 1024;
constexpr int64_t kMinRows = 16;
constexpr int64_t kMaxRows = 1024;
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
                             int64_t rows_per_segment)
    : rows(rows_per_segment), offsets(columns.size()) {
  for (const Column& column : columns) {
    row_bytes.push_back(column.row_bytes());
    block_rows.push_back(ChooseBlockRows(column, rows));
    first_block.push_back(num_blocks);
    if (block_rows.back() > 0) num_blocks += rows / block_rows.back();
  }
  int64_t end = 0;
  const auto place = [&](bool packed) {
    for (size_t c = 0; c < columns.size(); ++c) {
      if ((block_rows[c] > 0) != packed) continue;
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

int64_t SegmentLayout::blocks_offset() const {
  return RoundUp(mark_offset + (1 + num_blocks) * kWordBytes);
}

int64_t SegmentLayout::PackedBytes(const uint8_t* segment) const {
  int64_t packed = 0;
  std::memcpy(&packed, segment + mark_offset, sizeof(packed));
  return packed;
}

}  // namespace tfa
