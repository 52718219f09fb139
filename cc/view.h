// Views: what an item's window becomes in a sampled batch.
#ifndef TFAGENTS_CORE_CC_VIEW_H_
#define TFAGENTS_CORE_CC_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/column.h"
#include "cc/status.h"

namespace tfa {

// One output array of a batch of B items, as a function of each item's rows 0..m.
//
// kRow [B, (stack,) *shape]: row `start`, counted from the end when negative.
// kRows [B, T, (stack,) *shape]: rows start..stop-1; T = stop - start.
//   Rows that the item does not have are zeros. With stack = k > 0 each row becomes
//   the k rows that end with it, the episode's first row repeated where it begins.
// kReturn [B, *shape]: sum_{i=1..m} gamma^{i-1} (prod_{j<i} d_j) r_i.
// kDiscount [B, *shape]: gamma^m prod_{i=1..m} d_i.
// kMask [B, T] float32: 1 where the item has rows start..stop-1, else 0.
//
// Others go by steps, of which an item may have some of each of several episodes. A
// step is a row that does not begin an episode, together with the row before it.
//
// kStep [B, (stack,) *shape]: row of step `start`, or with `before` the one before it.
// kSteps [B, T, (stack,) *shape]: the same of steps start..stop-1.
//   Zeros where the item has no such step. Stacks begin at each row's own episode.
// kIsFirst [B, T] bool: whether the row before the step begins an episode.
//
// Those with a time axis T start with [T, B] when `time_major`.
struct View {
  enum class Kind { kRow, kRows, kReturn, kDiscount, kMask, kStep, kSteps, kIsFirst };

  Kind kind = Kind::kRow;
  int64_t column = 0;    // kRow, kRows, kStep, kSteps: source; kReturn: rewards r
  int64_t discount = 0;  // kReturn, kDiscount: discounts d
  int64_t start = 0;
  int64_t stop = 0;
  int64_t stack = 0;
  double gamma = 1.0;
  bool before = false;
  bool time_major = false;

  bool has_time() const {
    return kind == Kind::kRows || kind == Kind::kMask || kind == Kind::kSteps ||
           kind == Kind::kIsFirst;
  }
  bool is_of_steps() const {
    return kind == Kind::kStep || kind == Kind::kSteps || kind == Kind::kIsFirst;
  }

  Status Validate(const std::vector<Column>& columns) const;
  // kInvalidArgument unless it shows only what unrolls of `num_steps` steps have.
  Status ValidateForUnrolls(int64_t num_steps) const;
  // The output's dtype and shape, without the batch axis.
  Column Output(const std::vector<Column>& columns) const;
  // Where the batch axis goes.
  int batch_axis() const { return time_major && has_time() ? 1 : 0; }
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_VIEW_H_
