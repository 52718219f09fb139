#include "cc/gather_log.h"

#include <algorithm>
#include <cstddef>

#include "cc/slot_array.h"

namespace tfa {

void GatherLog::Reserve(int64_t num_segments) {
  ReserveMore(&let_go_, static_cast<size_t>(num_segments) - let_go_.size());
}

// Removes the gather, and what no other one keeps; `first` numbers the oldest entry.
void GatherLog::Forget(int64_t gather, int64_t first) {
  begun_.erase(std::find(begun_.begin(), begun_.end(), gather));
  const int64_t oldest =
      begun_.empty() ? num_let_go_ : *std::min_element(begun_.begin(), begun_.end());
  let_go_.erase(let_go_.begin(), let_go_.begin() + (oldest - first));
}

}  // namespace tfa
