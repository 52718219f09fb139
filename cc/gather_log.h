// What gathers in progress may still read, though its holders let go of it.
#ifndef TFAGENTS_CORE_CC_GATHER_LOG_H_
#define TFAGENTS_CORE_CC_GATHER_LOG_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tfa {

// The gathers in progress, and the segments that were let go since the oldest of them
// began, each of which every gather of that moment keeps.
//
// This costs a sample less than to pin each of its windows: hardly any segment is let
// go while a gather copies. Begin: O(1); End: O(segments let go meanwhile). Only Begin
// and Reserve allocate, and throw std::bad_alloc. Not thread-safe.
class GatherLog {
 public:
  // Sees to it that each of `num_segments` can be added once without an allocation.
  void Reserve(int64_t num_segments);

  int64_t num_gathers() const { return static_cast<int64_t>(begun_.size()); }
  // Returns what `End` is to be called with.
  int64_t Begin() {
    begun_.push_back(num_let_go_);
    return num_let_go_;
  }
  // A segment is let go, which each gather in progress keeps.
  // REQUIRES: num_gathers() > 0.
  void Add(int32_t segment) {
    let_go_.push_back(segment);
    ++num_let_go_;
  }
  // Calls let_go(segment) for every segment that the gather kept, in order.
  template <class Visitor>
  void End(int64_t gather, Visitor let_go) {
    const int64_t first = num_let_go_ - static_cast<int64_t>(let_go_.size());
    for (int64_t i = gather; i < num_let_go_; ++i) {
      let_go(let_go_[static_cast<size_t>(i - first)]);
    }
    Forget(gather, first);
  }

 private:
  void Forget(int64_t gather, int64_t first);

  std::vector<int64_t> begun_;   // by gather: how many segments had been let go before
  std::vector<int32_t> let_go_;  // since the oldest gather began, in order
  int64_t num_let_go_ = 0;       // ever, while gathers were in progress
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_GATHER_LOG_H_
