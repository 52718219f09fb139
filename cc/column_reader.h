// Where the rows of a column lie.
#ifndef TFAGENTS_CORE_CC_COLUMN_READER_H_
#define TFAGENTS_CORE_CC_COLUMN_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cc/cpu.h"
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
      : ColumnReader(store, SegmentLayout::Index(column), store.layout()) {}

  // Fetches the memory that rows are unpacked to, so that no call allocates.
  // std::bad_alloc when there is none.
  void Reserve() {
    if (unpacker_ != nullptr) unpacker_->Reserve();
  }

  int64_t row_bytes() const { return row_bytes_; }
  // Bytes from a row to the next.
  int64_t stride() const { return stride_; }

  // Row `i` relative to the window's start; negative ones precede the item. Valid until
  // the row of another block is asked for.
  const uint8_t* Row(const LocatedWindow& item, int64_t i) const {
    const int64_t at = item.window.offset + i;
    if (at >= 0 && at < near_rows_) return Near(item, at);
    return FarRow(item.window, i);
  }

  // Row `i`, which is asked for, if it is in the segment where the window begins and
  // that is not packed; else null. REQUIRES: 0 <= i < the window's length.
  const uint8_t* NearRow(const LocatedWindow& item, int64_t i) const {
    const int64_t at = item.window.offset + i;
    if (__builtin_expect(at >= near_rows_, 0)) {
      Prefetch(item, i, 1);
      return nullptr;
    }
    const uint8_t* const row = Near(item, at);
    for (int64_t line = 0; line < prefetched_; line += kLine) {
      __builtin_prefetch(row + line);
    }
    __builtin_prefetch(row + prefetched_ - 1);  // rows need not begin with a line
    return row;
  }

  // The same for `n` rows, of which each begins `stride` bytes after the one before.
  // REQUIRES: 0 <= i, i + n <= the window's length.
  const uint8_t* NearRows(const LocatedWindow& item, int64_t i, int64_t n) const {
    if (n < 1) return nullptr;
    const int64_t at = item.window.offset + i;
    if (at + n > near_rows_) {
      Prefetch(item, i, n);
      return nullptr;
    }
    const uint8_t* const rows = Near(item, at);
    Prefetch(rows, n);
    return rows;
  }

  // Rows from `i` on that lie one after another in memory, at most `n`.
  int64_t Run(const LocatedWindow& item, int64_t i, int64_t n) const {
    const int64_t at = (item.window.offset + i) & (run_rows_ - 1);
    return std::min(n, run_rows_ - at);
  }

  // Asks for row `i`, and what of the `n` rows after it comes in the first lines: the
  // hardware follows by itself from there; where rows are packed, for what says where
  // they are. REQUIRES: 0 <= i < the window's length.
  TFA_PREFETCHES void Prefetch(const LocatedWindow& item, int64_t i, int64_t n) const {
    if (unpacker_ != nullptr) {
      __builtin_prefetch(item.data + store_->layout().mark_offset);
      return;
    }
    Prefetch(Row(item, i), n);
  }

 private:
  static constexpr int64_t kPrefetchBytes = 256;
  static constexpr int64_t kPrefetchRows = 8;
  static constexpr int64_t kLine = 64;

  ColumnReader(const StepStore& store, size_t column, const SegmentLayout& layout)
      : store_(&store),
        near_rows_(layout.rows),
        run_rows_(layout.rows),
        offset_(layout.offsets[column]),
        row_bytes_(layout.row_bytes[column]),
        stride_(layout.strides[column]),
        prefetched_(std::min(row_bytes_, kPrefetchBytes)) {
    if (stride_ != row_bytes_) run_rows_ = 1;
    if (layout.block_rows[column] == 0) return;
    near_rows_ = 0;
    run_rows_ = layout.block_rows[column];
    unpacker_ = std::make_shared<Unpacker>(layout, static_cast<int64_t>(column));
  }

  const uint8_t* Near(const LocatedWindow& item, int64_t at) const {
    return item.data + offset_ + at * stride_;
  }

  const uint8_t* FarRow(const Window& window, int64_t i) const {
    int32_t segment = window.segment;
    int32_t offset = window.offset;
    store_->Advance(&segment, &offset, i);
    const uint8_t* const data = store_->SegmentData(segment);
    if (unpacker_ != nullptr) return unpacker_->Row(data, offset);
    return data + offset_ + offset * stride_;
  }

  TFA_PREFETCHES void Prefetch(const uint8_t* rows, int64_t n) const {
    if (stride_ != row_bytes_) {
      for (int64_t i = 0; i < std::min(n, kPrefetchRows); ++i) {
        __builtin_prefetch(rows + i * stride_);
      }
      return;
    }
    const int64_t bytes = std::min((n - 1) * stride_ + row_bytes_, kPrefetchBytes);
    for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(rows + at);
    __builtin_prefetch(rows + bytes - 1);
  }

  const StepStore* store_;
  int64_t near_rows_;  // from the window's segment on that need no more than its memory
  int64_t run_rows_;   // that lie one after another: a segment's, or a block's, or one
  int64_t offset_;
  int64_t row_bytes_;
  int64_t stride_;
  int64_t prefetched_;  // bytes of a row
  std::shared_ptr<Unpacker> unpacker_;  // where rows may be packed
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_COLUMN_READER_H_
