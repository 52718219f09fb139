// What gathers keep from being used again, though its holders let go of it.
#include <algorithm>

#include "cc/step_store.h"

namespace tfa {

int64_t StepStore::BeginGather() {
  gathers_.push_back(num_let_go_);
  return num_let_go_;
}

void StepStore::EndGather(int64_t gather, const Window* windows, int64_t n) {
  gathers_.erase(std::find(gathers_.begin(), gathers_.end(), gather));
  if (pins_windows_) {
    for (int64_t i = 0; i < n; ++i) Unpin(windows[i]);
    return;
  }
  const int64_t first = num_let_go_ - static_cast<int64_t>(let_go_.size());
  for (int64_t i = gather; i < num_let_go_; ++i) DropPin(let_go_[Index(i - first)]);
  const int64_t oldest = gathers_.empty()
                             ? num_let_go_
                             : *std::min_element(gathers_.begin(), gathers_.end());
  let_go_.erase(let_go_.begin(), let_go_.begin() + (oldest - first));
}

}  // namespace tfa
