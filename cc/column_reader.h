// Where the rows of a column lie.
#ifndef TFAGENTS_CORE_CC_COLUMN_READER_H_
#define TFAGENTS_CORE_CC_COLUMN_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cc/step_store.h"

namespace tfa {

// An item's window, with the memory of the segment where it begins.
struct LocatedWindow {
  Window window;
  const uint8_t* data = nullptr;
};

// The rows of one column of a store. A value type that borrows the store. O(1) a call,
// but for rows in a later segment, which cost a step a segment.
class ColumnReader {
 public:
  ColumnReader(const StepStore& store, int64_t column)
      : store_(&store),
        segment_rows_(store.segment_rows()),
        offset_(store.column_offset(column)),
        row_bytes_(store.columns()[static_cast<size_t>(column)].row_bytes()) {}

  int64_t row_bytes() const { return row_bytes_; }

  // Row `i` relative to the window's start; negative ones precede the item.
  const uint8_t* Row(const LocatedWindow& item, int64_t i) const {
    const int64_t at = item.window.offset + i;
    if (at >= 0 && at < segment_rows_) return item.data + offset_ + at * row_bytes_;
    return FarRow(item.window, i);
  }

  // Rows from `i` on that lie one after another in memory, at most `n`.
  int64_t Run(const LocatedWindow& item, int64_t i, int64_t n) const {
    const int64_t at = (item.window.offset + i) & (segment_rows_ - 1);
    return std::min(n, segment_rows_ - at);
  }

  // Asks for row `i`, and what of the `n` rows after it comes in the first lines: the
  // hardware follows by itself from there. REQUIRES: 0 <= i < the window's length.
  void Prefetch(const LocatedWindow& item, int64_t i, int64_t n) const {
    const uint8_t* const row = Row(item, i);
    const int64_t bytes = std::min(n * row_bytes_, kPrefetchBytes);
    for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(row + at);
    __builtin_prefetch(row + bytes - 1);
  }

 private:
  static constexpr int64_t kPrefetchBytes = 256;
  static constexpr int64_t kLine = 64;

  const uint8_t* FarRow(const Window& window, int64_t i) const {
    int32_t segment = window.segment;
    int32_t offset = window.offset;
    store_->Advance(&segment, &offset, i);
    return store_->SegmentData(segment) + offset_ + offset * row_bytes_;
  }

  const StepStore* store_;
  int64_t segment_rows_;
  int64_t offset_;
  int64_t row_bytes_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_COLUMN_READER_H_
