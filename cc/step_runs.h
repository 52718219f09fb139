// Steps of an item's window, by the episodes that they are of.
#ifndef TFAGENTS_CORE_CC_STEP_RUNS_H_
#define TFAGENTS_CORE_CC_STEP_RUNS_H_

#include <cstdint>
#include <vector>

#include "cc/step_store.h"

namespace tfa {

// Consecutive steps of one episode: rows row..row+steps of a window, where step i has
// the row before it at row + i and its own at row + i + 1.
struct StepRun {
  int64_t row = 0;
  int64_t steps = 0;
};

// Replaces `*runs` by those of a window, in order. O(runs).
// REQUIRES: the window's rows are held.
void FindStepRuns(const StepStore& store, const Window& window,
                  std::vector<StepRun>* runs);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_STEP_RUNS_H_
