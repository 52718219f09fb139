#ifndef TFAGENTS_CORE_CC_SUM_TREE_H_
#define TFAGENTS_CORE_CC_SUM_TREE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cc/line_tree.h"
#include "cc/status.h"

namespace tfa {

// Pairwise, so that the additions overlap; always in this order, so that a sum
// depends on the weights alone.
inline double SumLine(const double* line) {
  return ((line[0] + line[1]) + (line[2] + line[3])) +
         ((line[4] + line[5]) + (line[6] + line[7]));
}

// Weights of `capacity` leaves, with their total and the inverse of their
// cumulative sum.
//
// An 8-ary tree in double precision, as LineTree has it. A node is always computed
// from its children, never moved by a difference, so that no error builds up and a
// subtree of zeros sums to 0. Batches go level by level, which lets their cache
// misses overlap.
//
// Set and Find are O(log capacity) a leaf; memory is 8/7 * 8 bytes a leaf.
// Not thread-safe; const calls may run concurrently with each other.
class SumTree {
 public:
  // All weights 0. REQUIRES: capacity >= 0.
  explicit SumTree(int64_t capacity) : tree_(capacity) {}

  // Adds leaves of weight 0, and sees to it that a Set of up to `batch` leaves
  // allocates nothing. O(capacity()) where there are more leaves. std::bad_alloc when
  // there is no memory, all weights as they were. REQUIRES: capacity >= capacity().
  void Grow(int64_t capacity, int64_t batch = 1);

  // REQUIRES: 0 <= leaf < capacity(); weights >= 0 with a finite sum, and no
  // subnormal ones.
  void Set(int64_t leaf, double weight);

  // The same for n leaves; of a leaf that occurs twice, the last weight counts.
  void Set(const int64_t* leaves, const double* weights, int64_t n);

  // REQUIRES: 0 <= leaf < capacity().
  double Get(int64_t leaf) const { return tree_.level(0)[leaf]; }

  // Sum of all weights.
  double total() const { return total_; }

  int64_t capacity() const { return tree_.capacity(); }

  // For each target in [0, total()), the leaf in whose interval of the
  // cumulative sum it lies. A leaf of weight 0 is never found, even where
  // rounding puts a target at the very end of an interval.
  // REQUIRES: total() > 0.
  void Find(const double* targets, int64_t n, int64_t* leaves) const;
  // The same without special instructions: for tests.
  void FindPlain(const double* targets, int64_t n, int64_t* leaves) const;

  // Sets all weights to 0.
  void Clear();

  // kFailedPrecondition naming the first broken invariant, given that leaves from
  // `num_leaves` on are 0. O(num_leaves).
  Status CheckValid(int64_t num_leaves) const;

 private:
  static constexpr int64_t kFanOut = LineTree<SumLine>::kFanOut;

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  using DescendFunction = void (*)(const double* lines, const double* below, int64_t n,
                                   int64_t* nodes, double* targets);
  void FindBy(DescendFunction descend, const double* targets, int64_t n,
              int64_t* leaves) const;

  // Recomputes the parents of `nodes_`, which lie in `level`, and puts those
  // parents in their place.
  void UpdateParents(size_t level);

  LineTree<SumLine> tree_;
  double total_ = 0.0;
  // Of the running Set: the changed nodes of a level, and marks of their
  // parents.
  std::vector<int64_t> nodes_;
  std::vector<uint64_t> marks_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SUM_TREE_H_
