// Where the rows of each column lie within a segment.
#ifndef TFAGENTS_CORE_CC_SEGMENT_LAYOUT_H_
#define TFAGENTS_CORE_CC_SEGMENT_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cc/column.h"

namespace tfa {

// Rows in a segment of about 256 KiB: a power of two, 16 to 1024.
int64_t ChooseSegmentRows(const std::vector<Column>& columns);

// A segment begins with the plain columns, the rows of each one after another on a
// 64-byte line of its own, and each row's index within its episode. Small columns
// whose rows are read singly lie side by side in records, so that a row costs one or
// two cache misses rather than one a column. Where columns are to be compressed, a mark
// and their rows follow:
//
//   raw:     [plain columns, steps] [mark: 0]              [rows of compressed columns]
//   packed:  [plain columns, steps] [mark: bytes in all] [ends of blocks] [blocks]
//
// So what is plain is read the same way in both. A block is some successive rows of one
// column, compressed, or as they are where that takes no less.
//
// A value type; the vectors are indexed by column.
struct SegmentLayout {
  SegmentLayout() = default;
  // `read_singly`, by column: whether its rows are not read in succession. Empty: all
  // are.
  SegmentLayout(const std::vector<Column>& columns, int64_t rows_per_segment,
                const std::vector<bool>& read_singly = {});

  bool packs() const { return num_blocks > 0; }
  bool packs(int64_t column) const { return block_rows[Index(column)] > 0; }
  // Where the first block of a packed segment lies.
  int64_t blocks_offset() const;
  // Bytes of a packed segment, 0 of a raw one. REQUIRES: packs().
  int64_t PackedBytes(const uint8_t* segment) const;

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  int64_t rows = 0;
  int64_t bytes = 0;  // of a raw segment
  std::vector<int64_t> row_bytes;
  std::vector<int64_t> offsets;      // of the rows, in a raw segment if they are packed
  std::vector<int64_t> strides;      // from a row to the next: row_bytes, or a record
  std::vector<int64_t> block_rows;   // a power of two; 0: plain
  std::vector<int64_t> first_block;  // in the table of ends
  int64_t num_blocks = 0;
  int64_t steps_offset = 0;
  int64_t mark_offset = 0;

 private:
  int64_t PlaceRecords(const std::vector<bool>& recorded);
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SEGMENT_LAYOUT_H_
