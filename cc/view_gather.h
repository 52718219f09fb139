// One view of a sample: copies what it shows of blocks of items.
#ifndef TFAGENTS_CORE_CC_VIEW_GATHER_H_
#define TFAGENTS_CORE_CC_VIEW_GATHER_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/column_reader.h"
#include "cc/row_copy.h"
#include "cc/step_runs.h"
#include "cc/step_store.h"
#include "cc/view.h"

namespace tfa {

// Items whose rows are asked for at once: enough for their misses to overlap, few
// enough for what came to stay in the first-level cache until it is copied.
constexpr int64_t kBlock = 32;

// Successive items of a sample.
struct ItemBlock {
  LocatedWindow items[kBlock];
  std::vector<std::vector<StepRun>> steps;  // by item; empty if no view goes by steps
  int64_t begin = 0;                        // where the first is in the sample
  int64_t n = 0;
};

// Where rows of a block's items begin; null where one is not in the item's first
// segment as it was written, or not in the item at all.
struct RowBlock {
  const uint8_t* rows[kBlock];       // of the column that is copied, or summed
  const uint8_t* discounts[kBlock];  // of a sum
  int64_t num_missing;               // null ones of what is copied
};

// Where one view reads, and where it writes. A value type that borrows all it is made
// from; copies share what they unpacked, and are not thread-safe beside each other.
class ViewGather {
 public:
  // `batch_size`: items of a batch, of which the output holds one or several in turn.
  ViewGather(const StepStore& store, const View& view, int64_t batch_size,
             void* output);

  // Takes over what `other` writes, if one walk over the rows gives both.
  bool Adopt(const ViewGather& other);

  // Fetches all memory that Find and Run need. std::bad_alloc when there is none.
  void Reserve();

  // That an item takes in the output.
  int64_t item_bytes() const;

  // Finds what Run reads of a block, and asks for it.
  void Find(const ItemBlock& block, RowBlock* found) const;
  // Writes the items of a block.
  void Run(const ItemBlock& block, const RowBlock& found) const;

 private:
  static bool IsDouble(const StepStore& store, int64_t column) {
    return store.columns()[static_cast<size_t>(column)].dtype == DType::kFloat64;
  }
  bool IsSum() const {
    return view_.kind == View::Kind::kReturn || view_.kind == View::Kind::kDiscount;
  }
  // First row of the item that is shown; it may not have it.
  int64_t Start(const Window& window) const {
    const bool from_end = view_.kind == View::Kind::kRow && view_.start < 0;
    return from_end ? window.length + view_.start : view_.start;
  }
  // Bytes of one row as it is shown.
  int64_t element_bytes() const {
    return std::max<int64_t>(view_.stack, 1) * column_.row_bytes();
  }
  // Where item i of the sample begins in the output, in elements.
  int64_t ElementOf(int64_t i) const {
    if (view_.batch_axis() == 0) return i * num_steps_;
    return i / batch_size_ * batch_size_ * num_steps_ + i % batch_size_;
  }

  void FindRow(const LocatedWindow* items, int64_t n, RowBlock* found) const;
  void FindSum(const LocatedWindow* items, int64_t n, RowBlock* found) const;
  void RunRow(const ItemBlock& block, const RowBlock& found) const;
  void RunRows(const LocatedWindow& item, uint8_t* out) const;
  void RunStacks(const LocatedWindow& item, uint8_t* out) const;
  void RunSteps(const LocatedWindow& item, const std::vector<StepRun>& runs,
                uint8_t* out) const;
  void RunMask(const LocatedWindow& item, float* out) const;
  void RunIsFirst(const LocatedWindow& item, const std::vector<StepRun>& runs,
                  uint8_t* out) const;
  void RunSum(const ItemBlock& block, const RowBlock& found) const;
  template <class R, class D>
  void RunSum(const ItemBlock& block, const RowBlock& found) const;
  void CopyRun(const LocatedWindow& item, int64_t start, int64_t count, int64_t stride,
               uint8_t* out) const;
  void CopyStack(const LocatedWindow& item, int64_t i, int64_t first,
                 uint8_t* out) const;

  const View& view_;
  ColumnReader column_;  // what is copied, or summed
  ColumnReader discount_;
  bool double_column_;
  bool double_discount_;
  int64_t num_steps_;  // T, or 1
  int64_t batch_size_;
  int64_t step_stride_;  // elements from a step to the next, of one item
  RowCopy copy_;
  uint8_t* output_;
  uint8_t* discount_output_ = nullptr;  // of an adopted view
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_VIEW_GATHER_H_
