#ifndef TFAGENTS_CORE_CC_SUM_TREE_H_
#define TFAGENTS_CORE_CC_SUM_TREE_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "cc/status.h"

namespace tfa {

// Weights of `capacity` leaves, with their total and the inverse of their
// cumulative sum.
//
// An implicit 8-ary tree in double precision. Each level is one array, aligned
// so that the 8 children of a node share a 64-byte cache line: a million leaves
// are 7 lines deep. A node is always computed from its children, never moved by
// a difference, so that no error builds up and a subtree of zeros sums to 0.
// Batches go level by level, which lets their cache misses overlap.
//
// Set and Find are O(log capacity) a leaf; memory is 8/7 * 8 bytes a leaf.
// Not thread-safe; const calls may run concurrently with each other.
class SumTree {
 public:
  // All weights 0. REQUIRES: capacity >= 0.
  explicit SumTree(int64_t capacity);

  // Adds leaves of weight 0. O(capacity). REQUIRES: capacity >= capacity().
  void Grow(int64_t capacity);

  // REQUIRES: 0 <= leaf < capacity(); weights >= 0 with a finite sum, and no
  // subnormal ones.
  void Set(int64_t leaf, double weight);

  // The same for n leaves; of a leaf that occurs twice, the last weight counts.
  void Set(const int64_t* leaves, const double* weights, int64_t n);

  // REQUIRES: 0 <= leaf < capacity().
  double Get(int64_t leaf) const { return levels_[0][Index(leaf)]; }

  // Sum of all weights.
  double total() const { return total_; }

  int64_t capacity() const { return capacity_; }

  // For each target in [0, total()), the leaf in whose interval of the
  // cumulative sum it lies. A leaf of weight 0 is never found, even where
  // rounding puts a target at the very end of an interval.
  // REQUIRES: total() > 0.
  void Find(const double* targets, int64_t n, int64_t* leaves) const;
  // The same without special instructions: for tests.
  void FindPlain(const double* targets, int64_t n, int64_t* leaves) const;

  // Sets all weights to 0. O(capacity).
  void Clear();

  // kFailedPrecondition naming the first broken invariant. O(capacity).
  Status CheckValid() const;

 private:
  static constexpr int64_t kFanOut = 8;

  template <class T>
  struct LineAllocator {
    using value_type = T;
    LineAllocator() = default;
    template <class U>
    LineAllocator(const LineAllocator<U>&) {}  // NOLINT: rebinding
    T* allocate(size_t n) {
      return static_cast<T*>(::operator new(n * sizeof(T), kLine));
    }
    void deallocate(T* memory, size_t) { ::operator delete(memory, kLine); }
    friend bool operator==(LineAllocator, LineAllocator) { return true; }
    friend bool operator!=(LineAllocator, LineAllocator) { return false; }
    static constexpr std::align_val_t kLine{64};
  };
  // A level: whole lines of 8 nodes, those past the last leaf 0.
  using Level = std::vector<double, LineAllocator<double>>;

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  using DescendFunction = void (*)(const double* lines, const double* below, int64_t n,
                                   int64_t* nodes, double* targets);
  void FindBy(DescendFunction descend, const double* targets, int64_t n,
              int64_t* leaves) const;

  // Recomputes the parents of `nodes_`, which lie in `level`, and puts those
  // parents in their place.
  void UpdateParents(size_t level);

  int64_t capacity_ = 0;
  double total_ = 0.0;
  // levels_[0] holds the leaves; node i of a level sums the line i of the level
  // below; the last level is a single line.
  std::vector<Level> levels_;
  // Of the running Set: the changed nodes of a level, and marks of their
  // parents.
  std::vector<int64_t> nodes_;
  std::vector<uint64_t> marks_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SUM_TREE_H_
