#include "cc/min_tree.h"

#include <cassert>
#include <cstdint>
#include <cstring>
#include <limits>

namespace tfa {
namespace {

// As bits, doubles >= 0 are in the order of their values: what is missing to the bits
// of infinity falls as the value rises, and is the bits of a double >= 0 again. The
// inverse of itself.
double UpsideDown(double value) {
  const double infinity = std::numeric_limits<double>::infinity();
  uint64_t bits = 0;
  uint64_t infinite_bits = 0;
  value += 0.0;  // of -0 makes 0
  std::memcpy(&bits, &value, sizeof(bits));
  std::memcpy(&infinite_bits, &infinity, sizeof(bits));
  bits = infinite_bits - bits;
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

}  // namespace

void MinTree::Set(int64_t leaf, double value) {
  assert(0 <= leaf && leaf < capacity());
  tree_.level(0)[leaf] = UpsideDown(value);
  int64_t node = leaf;
  for (size_t level = 1; level < tree_.num_levels(); ++level) {
    node /= LineTree<GreatestOfLine>::kFanOut;
    const double greatest = tree_.CombineChildren(level, node);
    double& parent = tree_.level(level)[node];
    if (parent == greatest) return;
    parent = greatest;
  }
}

double MinTree::least() const { return UpsideDown(tree_.root()); }

}  // namespace tfa
