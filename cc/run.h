// Runs: consecutive rows of one stream that are appended at once.
#ifndef TFAGENTS_CORE_CC_RUN_H_
#define TFAGENTS_CORE_CC_RUN_H_

#include <cstdint>
#include <vector>

#include "cc/pattern.h"
#include "cc/status.h"
#include "cc/step_store.h"

namespace tfa {

// What a run will be once it is appended: all that waiting and reserving depend on is
// known before the first row is written. Reusable; not thread-safe.
class PlannedRun {
 public:
  // kInvalidArgument when a row neither begins an episode nor goes on with one.
  // REQUIRES: n >= 1 rows, all of one stream of the store; they outlive the plan.
  Status Plan(const StepStore& store, const RowFlags* rows, int64_t n);

  int32_t stream() const { return rows_->stream; }
  // By row, its index within its episode.
  const std::vector<uint32_t>& steps() const { return steps_; }

  // Replaces `*items` by those that the pattern makes of the run, in the order in which
  // row after row would make them. kInvalidArgument when an episode is too long for it.
  Status FindItems(const StepStore& store, const Pattern& pattern,
                   std::vector<RunItem>* items) const;

 private:
  void FindUnrolls(const StepStore& store, const Pattern& pattern,
                   std::vector<RunItem>* items) const;

  const RowFlags* rows_ = nullptr;
  std::vector<uint32_t> steps_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_RUN_H_
