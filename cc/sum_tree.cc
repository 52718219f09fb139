#include "cc/sum_tree.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <string>

#include "cc/cpu.h"

#ifdef TFA_HAVE_AVX512
#include <immintrin.h>
// GCC's own intrinsics pass a vector whose every element is masked out as it is.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace tfa {
namespace {

// Targets that descend together: enough for their cache misses to overlap, few
// enough for their state to stay in the first-level cache.
constexpr int64_t kBlock = 256;

// A level with more than this many nodes for each changed one below has next to
// no parents in common: there, writing one twice costs less than looking.
constexpr size_t kSparse = 16;

// Parents that a word of marks stands for.
constexpr size_t kMarks = 64;

// By the bits: a comparison of floats would also ask for NaN.
bool IsZero(const double* weight) {
  uint64_t bits = 0;
  std::memcpy(&bits, weight, sizeof(bits));
  return bits == 0;
}

// The last child that has a weight. A node with a weight has such a child.
int64_t LastPositive(const double* line) {
  int64_t child = 7;
  while (child > 0 && line[child] == 0) --child;
  return child;
}

// Returns the child of a line in whose interval `*target` lies, and makes
// `*target` relative to the start of that interval.
//
// The starts never decrease, and a child of weight 0 begins where the next one
// does, so that it is passed over. Only the last child has no next one: a
// target that rounding left at or past the end of the line may meet a last
// child of weight 0, and steps back.
inline int64_t Descend(const double* line, double* target) {
  const double pair_01 = line[0] + line[1];
  const double pair_23 = line[2] + line[3];
  const double pair_45 = line[4] + line[5];
  double starts[8];
  starts[0] = 0.0;
  starts[1] = line[0];
  starts[2] = pair_01;
  starts[3] = pair_01 + line[2];
  starts[4] = pair_01 + pair_23;
  starts[5] = starts[4] + line[4];
  starts[6] = starts[4] + pair_45;
  starts[7] = starts[4] + (pair_45 + line[6]);
  int64_t child = 0;
  for (int k = 1; k < 8; ++k) child += *target >= starts[k];
  if (__builtin_expect(IsZero(line + child), 0)) child = LastPositive(line);
  *target -= starts[child];
  return child;
}

TFA_PREFETCHES void Prefetch(const double* line) { __builtin_prefetch(line); }

// Moves n targets from their nodes of one level to children, and asks for the lines
// of those in the level below, if there is one.
void DescendAll(const double* lines, const double* below, int64_t n, int64_t* nodes,
                double* targets) {
  for (int64_t i = 0; i < n; ++i) {
    const double* const line = lines + 8 * nodes[i];
    nodes[i] = 8 * nodes[i] + Descend(line, &targets[i]);
    if (below != nullptr) Prefetch(below + 8 * nodes[i]);
  }
}

#ifdef TFA_HAVE_AVX512
// The same, the sums of a line by three steps of a parallel scan, which add what
// Descend adds in the order in which it does.
TFA_AVX512 void DescendAllAvx512(const double* lines, const double* below, int64_t n,
                                 int64_t* nodes, double* targets) {
  const __m512i fourth = _mm512_set1_epi64(3);
  // The ends of a line's children from 8 on: each starts where the one before ends. To
  // pass them through memory takes less than to move one across a register.
  alignas(64) double around[16] = {0.0};
  for (int64_t i = 0; i < n; ++i) {
    const double* const line = lines + 8 * nodes[i];
    __m512d ends = _mm512_load_pd(line);
    ends = _mm512_mask_add_pd(ends, 0xAA, ends, _mm512_movedup_pd(ends));
    ends = _mm512_mask_add_pd(ends, 0xCC, ends, _mm512_permutex_pd(ends, 0x55));
    ends = _mm512_mask_add_pd(ends, 0xF0, ends, _mm512_permutexvar_pd(fourth, ends));
    _mm512_store_pd(around + 8, ends);
    const __m512d target = _mm512_set1_pd(targets[i]);
    const auto passed = _mm512_mask_cmp_pd_mask(0x7F, target, ends, _CMP_GE_OQ);
    int64_t child = __builtin_popcount(passed);
    if (__builtin_expect(IsZero(line + child), 0)) child = LastPositive(line);
    targets[i] -= around[7 + child];
    nodes[i] = 8 * nodes[i] + child;
    if (below != nullptr) Prefetch(below + 8 * nodes[i]);
  }
}
#endif

}  // namespace

void SumTree::Grow(int64_t capacity, int64_t batch) {
  assert(capacity >= tree_.capacity());
  nodes_.reserve(Index(batch));
  // A level whose parents are marked has at most kSparse of them for each node.
  marks_.reserve(Index(batch) * kSparse / kMarks + 1);
  if (capacity > tree_.capacity()) tree_.Grow(capacity);
}

void SumTree::Set(int64_t leaf, double weight) {
  assert(0 <= leaf && leaf < capacity());
  tree_.level(0)[leaf] = weight;
  int64_t node = leaf;
  for (size_t level = 1; level < tree_.num_levels(); ++level) {
    node /= kFanOut;
    tree_.level(level)[node] = tree_.CombineChildren(level, node);
  }
  total_ = tree_.root();
}

void SumTree::Set(const int64_t* leaves, const double* weights, int64_t n) {
  double* const bottom = tree_.level(0);
  for (int64_t i = 0; i < n; ++i) Prefetch(&bottom[leaves[i]]);
  nodes_.assign(leaves, leaves + n);
  for (int64_t i = 0; i < n; ++i) {
    assert(0 <= leaves[i] && leaves[i] < capacity());
    bottom[leaves[i]] = weights[i];
  }
  for (size_t level = 0; level + 1 < tree_.num_levels(); ++level) {
    UpdateParents(level);
  }
  total_ = tree_.root();
}

void SumTree::UpdateParents(size_t level) {
  const double* const below = tree_.level(level);
  double* const sums = tree_.level(level + 1);
  const size_t num_sums = Index(tree_.num_nodes(level + 1));
  if (num_sums > kSparse * nodes_.size()) {
    size_t num_parents = 0;
    for (const int64_t node : nodes_) {
      const int64_t parent = node / kFanOut;
      // Slots that were filled together lie together.
      if (num_parents > 0 && nodes_[num_parents - 1] == parent) continue;
      sums[parent] = SumLine(&below[kFanOut * parent]);
      nodes_[num_parents++] = parent;
    }
    nodes_.resize(num_parents);
    return;
  }
  marks_.assign((num_sums + kMarks - 1) / kMarks, 0);
  for (const int64_t node : nodes_) {
    const int64_t parent = node / kFanOut;
    marks_[Index(parent) / kMarks] |= uint64_t{1} << (Index(parent) % kMarks);
  }
  nodes_.clear();
  for (size_t word = 0; word < marks_.size(); ++word) {
    for (uint64_t bits = marks_[word]; bits != 0; bits &= bits - 1) {
      const int64_t node = static_cast<int64_t>(kMarks * word) + __builtin_ctzll(bits);
      sums[node] = SumLine(&below[kFanOut * node]);
      nodes_.push_back(node);
    }
  }
}

void SumTree::Find(const double* targets, int64_t n, int64_t* leaves) const {
#ifdef TFA_HAVE_AVX512
  if (HasAvx512()) return FindBy(DescendAllAvx512, targets, n, leaves);
#endif
  FindBy(DescendAll, targets, n, leaves);
}

void SumTree::FindPlain(const double* targets, int64_t n, int64_t* leaves) const {
  FindBy(DescendAll, targets, n, leaves);
}

void SumTree::FindBy(DescendFunction descend, const double* targets, int64_t n,
                     int64_t* leaves) const {
  assert(total_ > 0);
  double rest[kBlock];
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t count = std::min(kBlock, n - start);
    int64_t* const nodes = leaves + start;
    std::copy_n(targets + start, count, rest);
    std::fill_n(nodes, count, 0);
    for (size_t level = tree_.num_levels(); level-- > 0;) {
      const double* const below = level > 0 ? tree_.level(level - 1) : nullptr;
      descend(tree_.level(level), below, count, nodes, rest);
    }
  }
}

void SumTree::Clear() {
  tree_.Clear();
  total_ = 0.0;
}

Status SumTree::CheckValid(int64_t num_leaves) const {
  for (int64_t leaf = 0; leaf < num_leaves; ++leaf) {
    const double weight = Get(leaf);
    if (std::isfinite(weight) && weight >= 0) continue;
    return FailedPreconditionError("sum tree: leaf " + std::to_string(leaf) +
                                   " weighs " + std::to_string(weight));
  }
  TFA_RETURN_IF_ERROR(tree_.CheckValid("sum", num_leaves));
  if (total_ == tree_.root()) return OkStatus();
  return FailedPreconditionError("sum tree: the total is not the sum");
}

}  // namespace tfa
