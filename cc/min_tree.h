#ifndef TFAGENTS_CORE_CC_MIN_TREE_H_
#define TFAGENTS_CORE_CC_MIN_TREE_H_

#include <algorithm>
#include <cstdint>

#include "cc/line_tree.h"
#include "cc/status.h"

namespace tfa {

inline double GreatestOfLine(const double* line) {
  const auto greatest = [line](int i) { return std::max(line[i], line[i + 1]); };
  return std::max(std::max(greatest(0), greatest(2)),
                  std::max(greatest(4), greatest(6)));
}

// Values >= 0 of `capacity` leaves, infinite at first, and the least of them.
//
// An 8-ary tree, as LineTree has it, of the values turned upside down: numbers that
// fall as the values rise, and are 0 for infinity, so that leaves without a value cost
// no memory. Set goes up only as far as a minimum changes, which is rarely far:
// O(log capacity) at worst. Memory is 8/7 * 8 bytes a leaf. Not thread-safe.
class MinTree {
 public:
  // REQUIRES: capacity >= 0.
  explicit MinTree(int64_t capacity) : tree_(capacity) {}

  // Adds leaves of infinite value. O(capacity()). std::bad_alloc when there is no
  // memory, having changed nothing. REQUIRES: capacity >= capacity().
  void Grow(int64_t capacity) { tree_.Grow(capacity); }

  // REQUIRES: 0 <= leaf < capacity(); value >= 0.
  void Set(int64_t leaf, double value);

  // The least value; infinite without leaves.
  double least() const;

  int64_t capacity() const { return tree_.capacity(); }

  // Makes all values infinite.
  void Clear() { tree_.Clear(); }

  // kFailedPrecondition when a node is not the least of its children, given that leaves
  // from `num_leaves` on are infinite. O(num_leaves).
  Status CheckValid(int64_t num_leaves) const {
    return tree_.CheckValid("min", num_leaves);
  }

 private:
  LineTree<GreatestOfLine> tree_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_MIN_TREE_H_
