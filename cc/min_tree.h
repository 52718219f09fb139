#ifndef TFAGENTS_CORE_CC_MIN_TREE_H_
#define TFAGENTS_CORE_CC_MIN_TREE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "cc/memory.h"
#include "cc/status.h"

namespace tfa {

// Values of `capacity` leaves, infinite at first, and the least of them.
//
// An implicit 8-ary tree: the 8 children of a node share a 64-byte cache line. Set
// goes up only as far as a minimum changes, which is rarely far: O(log capacity) at
// worst. Memory is 8/7 * 8 bytes a leaf. Not thread-safe.
class MinTree {
 public:
  // REQUIRES: capacity >= 0.
  explicit MinTree(int64_t capacity) { Grow(capacity); }

  // Adds leaves of infinite value. O(capacity). REQUIRES: capacity >= capacity().
  void Grow(int64_t capacity);

  // REQUIRES: 0 <= leaf < capacity(); value is no NaN.
  void Set(int64_t leaf, double value);

  // The least value; infinite without leaves.
  double least() const { return least_; }

  int64_t capacity() const { return capacity_; }

  // Makes all values infinite. O(capacity).
  void Clear();

  // kFailedPrecondition when a node is not the least of its children. O(capacity).
  Status CheckValid() const;

 private:
  static constexpr int64_t kFanOut = 8;
  using Level = std::vector<double, AlignedAllocator<double>>;

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  int64_t capacity_ = 0;
  double least_ = std::numeric_limits<double>::infinity();
  // levels_[0] holds the leaves; node i of a level is the least of line i of the
  // level below; the last level is a single line.
  std::vector<Level> levels_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_MIN_TREE_H_
