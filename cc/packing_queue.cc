#include "cc/packing_queue.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "cc/slot_array.h"

namespace tfa {

void PackingQueue::Reserve(int64_t n) {
  ReserveMore(&waiting_, static_cast<size_t>(n));
  ReserveMore(&packed_, waiting_.size() + static_cast<size_t>(num_started_ + n));
}

void PackingQueue::Finish(int32_t segment, PackedSegment rows) {
  --num_started_;
  if (!rows.empty()) packed_.push_back({segment, std::move(rows)});
}

PackedSegment PackingQueue::Take(int32_t segment) {
  const auto at =
      std::find_if(packed_.begin(), packed_.end(),
                   [segment](const Packed& each) { return each.segment == segment; });
  if (at == packed_.end()) return {};
  PackedSegment rows = std::move(at->rows);
  packed_.erase(at);
  return rows;
}

}  // namespace tfa
