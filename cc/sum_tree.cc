#include "cc/sum_tree.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

namespace tfa {
namespace {

// Targets that descend together: enough for their cache misses to overlap, few
// enough for their state to stay in the first-level cache.
constexpr int64_t kBlock = 256;

// A level with more than this many nodes for each changed one below has next to
// no parents in common: there, writing one twice costs less than looking.
constexpr size_t kSparse = 16;

// Pairwise, so that the additions overlap; always in this order, so that a sum
// depends on the weights alone.
double SumLine(const double* line) {
  return ((line[0] + line[1]) + (line[2] + line[3])) +
         ((line[4] + line[5]) + (line[6] + line[7]));
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
  starts[7] = starts[6] + line[6];
  int64_t child = 0;
  for (int k = 1; k < 8; ++k) child += *target >= starts[k];
  if (__builtin_expect(line[child] == 0, 0)) child = LastPositive(line);
  *target -= starts[child];
  return child;
}

void Prefetch(const double* line) { __builtin_prefetch(line); }

}  // namespace

SumTree::SumTree(int64_t capacity) { Grow(capacity); }

void SumTree::Grow(int64_t capacity) {
  assert(capacity >= capacity_);
  capacity_ = capacity;
  int64_t nodes = capacity;
  for (size_t level = 0;; ++level) {
    const int64_t lines = std::max<int64_t>(1, (nodes + kFanOut - 1) / kFanOut);
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].resize(Index(lines * kFanOut));
    if (lines == 1) break;
    nodes = lines;
  }
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    const int64_t lines = static_cast<int64_t>(levels_[level].size()) / kFanOut;
    for (int64_t i = 0; i < lines; ++i) {
      levels_[level + 1][Index(i)] = SumLine(&levels_[level][Index(kFanOut * i)]);
    }
  }
  total_ = SumLine(levels_.back().data());
}

void SumTree::Set(int64_t leaf, double weight) {
  assert(0 <= leaf && leaf < capacity_);
  levels_[0][Index(leaf)] = weight;
  int64_t node = leaf;
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    node /= kFanOut;
    levels_[level + 1][Index(node)] = SumLine(&levels_[level][Index(kFanOut * node)]);
  }
  total_ = SumLine(levels_.back().data());
}

void SumTree::Set(const int64_t* leaves, const double* weights, int64_t n) {
  double* const bottom = levels_[0].data();
  for (int64_t i = 0; i < n; ++i) Prefetch(&bottom[leaves[i]]);
  nodes_.assign(leaves, leaves + n);
  for (int64_t i = 0; i < n; ++i) {
    assert(0 <= leaves[i] && leaves[i] < capacity_);
    bottom[leaves[i]] = weights[i];
  }
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    UpdateParents(level);
  }
  total_ = SumLine(levels_.back().data());
}

void SumTree::UpdateParents(size_t level) {
  const double* const below = levels_[level].data();
  double* const sums = levels_[level + 1].data();
  const size_t num_sums = levels_[level + 1].size();
  if (num_sums > kSparse * nodes_.size()) {
    for (int64_t& node : nodes_) {
      node /= kFanOut;
      sums[node] = SumLine(&below[kFanOut * node]);
    }
    return;
  }
  marks_.assign((num_sums + 63) / 64, 0);
  for (const int64_t node : nodes_) {
    const int64_t parent = node / kFanOut;
    marks_[Index(parent / 64)] |= uint64_t{1} << (parent % 64);
  }
  nodes_.clear();
  for (size_t word = 0; word < marks_.size(); ++word) {
    for (uint64_t bits = marks_[word]; bits != 0; bits &= bits - 1) {
      const int64_t node = static_cast<int64_t>(64 * word) + __builtin_ctzll(bits);
      sums[node] = SumLine(&below[kFanOut * node]);
      nodes_.push_back(node);
    }
  }
}

void SumTree::Find(const double* targets, int64_t n, int64_t* leaves) const {
  assert(total_ > 0);
  double rest[kBlock];
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t count = std::min(kBlock, n - start);
    int64_t* const nodes = leaves + start;
    std::copy_n(targets + start, count, rest);
    std::fill_n(nodes, count, 0);
    for (size_t level = levels_.size(); level-- > 1;) {
      const double* const lines = levels_[level].data();
      const double* const next = levels_[level - 1].data();
      for (int64_t i = 0; i < count; ++i) {
        const double* const line = lines + kFanOut * nodes[i];
        nodes[i] = kFanOut * nodes[i] + Descend(line, &rest[i]);
        Prefetch(next + kFanOut * nodes[i]);
      }
    }
    const double* const bottom = levels_[0].data();
    for (int64_t i = 0; i < count; ++i) {
      const double* const line = bottom + kFanOut * nodes[i];
      nodes[i] = kFanOut * nodes[i] + Descend(line, &rest[i]);
    }
  }
}

void SumTree::Clear() {
  for (Level& level : levels_) std::fill(level.begin(), level.end(), 0.0);
  total_ = 0.0;
}

Status SumTree::CheckValid() const {
  for (size_t leaf = 0; leaf < levels_[0].size(); ++leaf) {
    const double weight = levels_[0][leaf];
    const bool used = static_cast<int64_t>(leaf) < capacity_;
    if (!std::isfinite(weight) || weight < 0 || (!used && weight != 0)) {
      return FailedPreconditionError("sum tree: leaf " + std::to_string(leaf) +
                                     " weighs " + std::to_string(weight));
    }
  }
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    for (size_t i = 0; i < levels_[level + 1].size(); ++i) {
      const bool used = 8 * i < levels_[level].size();
      const double sum = used ? SumLine(&levels_[level][8 * i]) : 0.0;
      if (levels_[level + 1][i] == sum) continue;
      return FailedPreconditionError("sum tree: node " + std::to_string(i) +
                                     " of level " + std::to_string(level + 1) +
                                     " is not the sum of its children");
    }
  }
  if (total_ != SumLine(levels_.back().data())) {
    return FailedPreconditionError("sum tree: the total is not the sum");
  }
  return OkStatus();
}

}  // namespace tfa
