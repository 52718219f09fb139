// Where the rows of a column lie.
#ifndef TFAGENTS_CORE_CC_COLUMN_READER_H_
#define TFAGENTS_CORE_CC_COLUMN_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cc/step_store.h"

namespace tfa {

// An item's window, with the memory of the segment where it begins.
struct LocatedWindow {
  Window window;
  const uint8_t* data = nullptr;
};

// The rows of one column of a store. A value type that borrows the store; copies share
// what they unpacked, and are not thread-safe beside each other. O(1) a call, but for
// rows in a later segment, which cost a step a segment, and packed ones.
class ColumnReader {
 public:
  ColumnReader(const StepStore& store, int64_t column)
      : store_(&store),
        near_rows_(store.segment_rows()),
        run_rows_(store.segment_rows()),
        offset_(store.column_offset(column)),
        row_bytes_(store.columns()[static_cast<size_t>(column)].row_bytes()) {
    const SegmentLayout& layout = store.layout();
    if (!layout.packs(column)) return;
    near_rows_ = 0;
    run_rows_ = layout.block_rows[static_cast<size_t>(column)];
    unpacker_ = std::make_shared<Unpacker>(layout, column);
  }

  int64_t row_bytes() const { return row_bytes_; }

  // Row `i` relative to the window's start; negative ones precede the item. Valid until
  // the row of another block is asked for.
  const uint8_t* Row(const LocatedWindow& item, int64_t i) const {
    const int64_t at = item.window.offset + i;
    if (at >= 0 && at < near_rows_) return item.data + offset_ + at * row_bytes_;
    return FarRow(item.window, i);
  }

  // Rows from `i` on that lie one after another in memory, at most `n`.
  int64_t Run(const LocatedWindow& item, int64_t i, int64_t n) const {
    const int64_t at = (item.window.offset + i) & (run_rows_ - 1);
    return std::min(n, run_rows_ - at);
  }

  // Asks for row `i`, and what of the `n` rows after it comes in the first lines: the
  // hardware follows by itself from there; where rows are packed, for what says where
  // they are. REQUIRES: 0 <= i < the window's length.
  void Prefetch(const LocatedWindow& item, int64_t i, int64_t n) const {
    if (unpacker_ != nullptr) {
      __builtin_prefetch(item.data + store_->layout().mark_offset);
      return;
    }
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
    const uint8_t* const data = store_->SegmentData(segment);
    if (unpacker_ != nullptr) return unpacker_->Row(data, offset);
    return data + offset_ + offset * row_bytes_;
  }

  const StepStore* store_;
  int64_t near_rows_;  // from the window's segment on that need no more than its memory
  int64_t run_rows_;   // that lie one after another: a segment's, or a block's
  int64_t offset_;
  int64_t row_bytes_;
  std::shared_ptr<Unpacker> unpacker_;  // where rows may be packed
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_COLUMN_READER_H_
