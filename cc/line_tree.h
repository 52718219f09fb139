#ifndef TFAGENTS_CORE_CC_LINE_TREE_H_
#define TFAGENTS_CORE_CC_LINE_TREE_H_

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cc/slot_array.h"
#include "cc/status.h"

namespace tfa {

// The levels of an implicit 8-ary tree of doubles, in which `Combine(line)` of 8
// children is their parent, and of 8 zeros is 0.
//
// Each level is one array, aligned so that the 8 children of a node share a 64-byte
// cache line: a million leaves are 7 lines deep. All is 0 at first, in pages that cost
// no memory until a leaf in them is set. Memory is 8/7 * 8 bytes a leaf. Not
// thread-safe; const calls may run concurrently with each other.
template <double (*Combine)(const double* line)>
class LineTree {
 public:
  static constexpr int64_t kFanOut = 8;

  // REQUIRES: capacity >= 0. std::bad_alloc when there is no memory.
  explicit LineTree(int64_t capacity) { Grow(capacity); }

  // Adds leaves of value 0. Copies the levels: O(capacity()). std::bad_alloc when there
  // is no memory, having changed nothing. REQUIRES: capacity >= capacity().
  void Grow(int64_t capacity) {
    assert(capacity >= capacity_);
    std::vector<Level> levels;
    int64_t nodes = capacity;
    do {
      const int64_t lines = std::max<int64_t>(1, (nodes + kFanOut - 1) / kFanOut);
      const size_t at = levels.size();
      Level& level = levels.emplace_back();
      level.Reserve(lines * kFanOut);
      if (at < levels_.size()) {
        std::copy_n(levels_[at].data(), levels_[at].capacity(), level.data());
      } else if (at > 0) {
        // The leaves that there were are all below the first node.
        level[0] = Combine(levels[at - 1].data());
      }
      nodes = lines;
    } while (nodes > 1);
    levels_ = std::move(levels);
    capacity_ = capacity;
  }

  int64_t capacity() const { return capacity_; }
  // levels: 0 holds the leaves; node i of a level combines line i of the level below;
  // the last level is a single line.
  size_t num_levels() const { return levels_.size(); }
  double* level(size_t i) { return levels_[i].data(); }
  const double* level(size_t i) const { return levels_[i].data(); }
  int64_t num_nodes(size_t level) const { return levels_[level].capacity(); }
  // What all leaves combine to.
  double root() const { return Combine(levels_.back().data()); }

  // Computes node i of a level above the leaves from its children.
  double CombineChildren(size_t level, int64_t i) const {
    return Combine(levels_[level - 1].data() + kFanOut * i);
  }

  // Makes all leaves 0.
  void Clear() {
    for (Level& level : levels_) level.Clear();
  }

  // kFailedPrecondition, naming the `kind` of tree, when a node is not what its
  // children combine to. Looks at the first `num_leaves` leaves and all above them.
  Status CheckValid(const std::string& kind, int64_t num_leaves) const {
    int64_t nodes = num_leaves;
    for (size_t level = 1; level < levels_.size(); ++level) {
      nodes = (nodes + kFanOut - 1) / kFanOut;
      for (int64_t i = 0; i < nodes; ++i) {
        if (levels_[level][i] == CombineChildren(level, i)) continue;
        return FailedPreconditionError(kind + " tree: node " + std::to_string(i) +
                                       " of level " + std::to_string(level) +
                                       " does not follow from its children");
      }
    }
    return OkStatus();
  }

 private:
  using Level = SlotArray<double>;

  int64_t capacity_ = 0;
  std::vector<Level> levels_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_LINE_TREE_H_
