#include "cc/step_runs.h"

#include <algorithm>

namespace tfa {

void FindStepRuns(const StepStore& store, const Window& window,
                  std::vector<StepRun>* runs) {
  runs->clear();
  // Backwards: a row knows how many of its episode precede it, not how many follow.
  for (int64_t last = window.length - int64_t{1}; last >= 0;) {
    int32_t segment = window.segment;
    int32_t offset = window.offset;
    store.Advance(&segment, &offset, last);
    const int64_t steps = std::min<int64_t>(store.EpisodeStep(segment, offset), last);
    if (steps > 0) runs->push_back({last - steps, steps});
    last -= steps + 1;
  }
  std::reverse(runs->begin(), runs->end());
}

}  // namespace tfa
