// Drawing from selectors, and how likely what was drawn is.
#ifndef TFAGENTS_CORE_CC_TESTS_DRAWS_H_
#define TFAGENTS_CORE_CC_TESTS_DRAWS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "cc/random.h"
#include "cc/selector.h"

namespace tfa {

struct Draws {
  std::vector<int64_t> slots;
  std::vector<double> probabilities;
};

inline Draws Draw(Selector* selector, int64_t n, uint64_t seed) {
  Random random(seed);
  Draws draws{std::vector<int64_t>(static_cast<size_t>(n)),
              std::vector<double>(static_cast<size_t>(n))};
  selector->Sample(n, &random, draws.slots.data(), draws.probabilities.data());
  return draws;
}

inline void Update(Selector* selector, int64_t slot, double priority) {
  selector->Update(&slot, &priority, 1);
}

// Chi-square of n draws against the probability of each slot; a draw of a slot
// that is not listed fails at once.
inline double ChiSquare(const Draws& draws, const std::map<int64_t, double>& expected) {
  std::map<int64_t, double> counts;
  for (const int64_t slot : draws.slots) {
    EXPECT_TRUE(expected.count(slot)) << "drew slot " << slot;
    ++counts[slot];
  }
  double chi_square = 0;
  for (const auto& [slot, probability] : expected) {
    const double mean = probability * static_cast<double>(draws.slots.size());
    chi_square += (counts[slot] - mean) * (counts[slot] - mean) / mean;
  }
  return chi_square;
}

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_TESTS_DRAWS_H_
