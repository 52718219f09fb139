#include "cc/min_tree.h"

#include <algorithm>
#include <cassert>
#include <string>

namespace tfa {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double LeastOfLine(const double* line) {
  const auto least = [line](int i) { return std::min(line[i], line[i + 1]); };
  return std::min(std::min(least(0), least(2)), std::min(least(4), least(6)));
}

}  // namespace

void MinTree::Grow(int64_t capacity) {
  assert(capacity >= capacity_);
  capacity_ = capacity;
  int64_t nodes = capacity;
  for (size_t level = 0;; ++level) {
    const int64_t lines = std::max<int64_t>(1, (nodes + kFanOut - 1) / kFanOut);
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].resize(Index(lines * kFanOut), kInfinity);
    if (lines == 1) break;
    nodes = lines;
  }
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    const int64_t lines = static_cast<int64_t>(levels_[level].size()) / kFanOut;
    for (int64_t i = 0; i < lines; ++i) {
      levels_[level + 1][Index(i)] = LeastOfLine(&levels_[level][Index(kFanOut * i)]);
    }
  }
}

void MinTree::Set(int64_t leaf, double value) {
  assert(0 <= leaf && leaf < capacity_);
  levels_[0][Index(leaf)] = value;
  int64_t node = leaf;
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    node /= kFanOut;
    const double least = LeastOfLine(&levels_[level][Index(kFanOut * node)]);
    double& parent = levels_[level + 1][Index(node)];
    if (parent == least) return;
    parent = least;
  }
  least_ = LeastOfLine(levels_.back().data());
}

void MinTree::Clear() {
  for (Level& level : levels_) std::fill(level.begin(), level.end(), kInfinity);
  least_ = kInfinity;
}

Status MinTree::CheckValid() const {
  for (size_t level = 0; level + 1 < levels_.size(); ++level) {
    for (size_t i = 0; 8 * i < levels_[level].size(); ++i) {
      if (levels_[level + 1][i] == LeastOfLine(&levels_[level][8 * i])) continue;
      return FailedPreconditionError("min tree: node " + std::to_string(i) +
                                     " of level " + std::to_string(level + 1) +
                                     " is not the least of its children");
    }
  }
  if (least_ == LeastOfLine(levels_.back().data())) return OkStatus();
  return FailedPreconditionError("min tree: the least is not the root's");
}

}  // namespace tfa
