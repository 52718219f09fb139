#include "cc/selector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <vector>

namespace tfa {
namespace {

struct Draws {
  std::vector<int64_t> slots;
  std::vector<double> probabilities;
};

Draws Draw(Selector* selector, int64_t n, uint64_t seed) {
  Random random(seed);
  Draws draws{std::vector<int64_t>(static_cast<size_t>(n)),
              std::vector<double>(static_cast<size_t>(n))};
  selector->Sample(n, &random, draws.slots.data(), draws.probabilities.data());
  return draws;
}

void Update(Selector* selector, int64_t slot, double priority) {
  selector->Update(&slot, &priority, 1);
}

// Chi-square of n draws against the probability of each slot; a draw of a slot
// that is not listed fails at once.
double ChiSquare(const Draws& draws, const std::map<int64_t, double>& expected) {
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

std::vector<std::unique_ptr<Selector>> AllSelectors() {
  std::vector<std::unique_ptr<Selector>> selectors;
  selectors.push_back(MakeUniformSelector());
  selectors.push_back(MakePrioritizedSelector(0.6));
  selectors.push_back(MakeFifoSelector());
  return selectors;
}

TEST(SelectorTest, RandomOperationsKeepEveryInvariantAndDrawLiveSlots) {
  for (const auto& selector : AllSelectors()) {
    Random random(1);
    std::vector<int64_t> live;
    std::vector<int64_t> free(200);
    for (size_t i = 0; i < free.size(); ++i) free[i] = static_cast<int64_t>(i);
    for (int step = 0; step < 3000; ++step) {
      const bool insert = live.empty() || (!free.empty() && random.Below(2));
      auto& from = insert ? free : live;
      auto& to = insert ? live : free;
      std::swap(from[random.Below(from.size())], from.back());
      const double priority = random.Below(4) == 0 ? 0.0 : 10 * random.Uniform01();
      if (insert) {
        selector->Insert(from.back(), priority);
      } else {
        selector->Remove(from.back());
      }
      to.push_back(from.back());
      from.pop_back();
      if (!live.empty()) {
        Update(selector.get(), live[random.Below(live.size())], priority);
        for (const int64_t slot : Draw(selector.get(), 5, 3).slots) {
          ASSERT_EQ(std::count(live.begin(), live.end(), slot), 1);
        }
      }
      ASSERT_EQ(selector->size(), static_cast<int64_t>(live.size()));
      const Status status = selector->CheckValid();
      ASSERT_TRUE(status.ok()) << status.message();
    }
  }
}

TEST(SelectorTest, ClearForgetsEverySlotAndAllowsThemAgain) {
  for (const auto& selector : AllSelectors()) {
    for (int64_t slot = 0; slot < 20; ++slot) selector->Insert(slot, 1.0);
    selector->Clear();
    EXPECT_EQ(selector->size(), 0);
    EXPECT_TRUE(selector->CheckValid().ok());
    selector->Insert(3, 2.0);
    EXPECT_EQ(Draw(selector.get(), 2, 5).slots, (std::vector<int64_t>{3, 3}));
    EXPECT_TRUE(selector->CheckValid().ok());
  }
}

TEST(SelectorTest, SameSeedDrawsTheSame) {
  for (const auto& selector : AllSelectors()) {
    for (int64_t slot = 0; slot < 50; ++slot) {
      selector->Insert(slot, static_cast<double>(slot));
    }
    EXPECT_EQ(Draw(selector.get(), 100, 7).slots, Draw(selector.get(), 100, 7).slots);
  }
}

TEST(UniformSelectorTest, DrawsEveryLiveSlotEquallyOften) {
  const auto selector = MakeUniformSelector();
  std::map<int64_t, double> expected;
  for (int64_t slot = 0; slot < 12; ++slot) selector->Insert(slot, 0.0);
  for (const int64_t slot : {0, 5, 11}) selector->Remove(slot);
  for (const int64_t slot : {1, 2, 3, 4, 6, 7, 8, 9, 10}) {
    expected[slot] = 1.0 / 9;
  }
  const Draws draws = Draw(selector.get(), 90000, 11);
  EXPECT_LT(ChiSquare(draws, expected), 31.8);  // 8 d.o.f., p = 1e-4
  for (const double p : draws.probabilities) ASSERT_EQ(p, 1.0 / 9);
}

TEST(PrioritizedSelectorTest, DrawsInProportionToThePowerOfThePriority) {
  for (const double alpha : {0.0, 0.5, 0.6, 1.0, 2.0}) {
    const auto selector = MakePrioritizedSelector(alpha);
    double sum = 0;
    for (int64_t slot = 0; slot < 10; ++slot) {
      selector->Insert(slot, static_cast<double>(slot));
      if (slot > 0) sum += std::pow(static_cast<double>(slot), alpha);
    }
    std::map<int64_t, double> expected;  // slot 0 has priority 0: never drawn
    for (int64_t slot = 1; slot < 10; ++slot) {
      expected[slot] = std::pow(static_cast<double>(slot), alpha) / sum;
    }
    const Draws draws = Draw(selector.get(), 90000, 13);
    EXPECT_LT(ChiSquare(draws, expected), 31.8);  // 8 d.o.f., p = 1e-4
    for (size_t i = 0; i < draws.slots.size(); ++i) {
      ASSERT_NEAR(draws.probabilities[i], expected[draws.slots[i]], 1e-12);
    }
  }
}

TEST(PrioritizedSelectorTest, AllZeroPrioritiesDrawUniformlyAmongLiveSlots) {
  const auto selector = MakePrioritizedSelector(0.6);
  for (int64_t slot = 0; slot < 6; ++slot) selector->Insert(slot, 0.0);
  selector->Remove(2);
  const std::map<int64_t, double> expected = {
      {0, 0.2}, {1, 0.2}, {3, 0.2}, {4, 0.2}, {5, 0.2}};
  const Draws draws = Draw(selector.get(), 50000, 17);
  EXPECT_LT(ChiSquare(draws, expected), 23.6);  // 4 d.o.f., p = 1e-4
  for (const double p : draws.probabilities) ASSERT_EQ(p, 0.2);
}

TEST(PrioritizedSelectorTest, UpdatesTakeEffectAndTheLastDuplicateWins) {
  const auto selector = MakePrioritizedSelector(1.0);
  for (int64_t slot = 0; slot < 4; ++slot) selector->Insert(slot, 1.0);
  const int64_t slots[] = {0, 1, 2, 3, 1};
  const double priorities[] = {0, 5, 0, 3, 1};
  selector->Update(slots, priorities, 5);
  const Draws draws = Draw(selector.get(), 20000, 19);
  EXPECT_LT(ChiSquare(draws, {{1, 0.25}, {3, 0.75}}), 15.2);  // 1 d.o.f.
}

TEST(PrioritizedSelectorTest, ARemovedSlotLeavesNoWeightBehind) {
  const auto selector = MakePrioritizedSelector(1.0);
  selector->Insert(0, 1.0);
  selector->Insert(1, 1e12);
  selector->Remove(1);
  const Draws draws = Draw(selector.get(), 100, 23);
  for (const int64_t slot : draws.slots) ASSERT_EQ(slot, 0);
  for (const double p : draws.probabilities) ASSERT_EQ(p, 1.0);
}

TEST(PrioritizedSelectorTest, ExtremePrioritiesStayDrawableAndFinite) {
  const auto selector = MakePrioritizedSelector(2.0);
  const double largest = std::numeric_limits<double>::max();
  for (int64_t slot = 0; slot < 100; ++slot) selector->Insert(slot, largest);
  Draws draws = Draw(selector.get(), 1000, 29);
  for (const double p : draws.probabilities) ASSERT_DOUBLE_EQ(p, 0.01);
  selector->Clear();
  selector->Insert(7, 1e-300);  // its square underflows, but it is not zero
  selector->Insert(8, 0.0);
  draws = Draw(selector.get(), 100, 31);
  for (const int64_t slot : draws.slots) ASSERT_EQ(slot, 7);
}

TEST(FifoSelectorTest, GivesTheOldestWhateverTheOrderOfSlotsAndPriorities) {
  const auto selector = MakeFifoSelector();
  const std::vector<int64_t> order = {9, 2, 30, 0, 5};
  for (const int64_t slot : order) {
    selector->Insert(slot, static_cast<double>(slot));
  }
  Update(selector.get(), 0, 100.0);
  selector->Remove(30);
  for (const int64_t slot : {9, 2, 0, 5}) {
    const Draws draws = Draw(selector.get(), 2, 37);
    EXPECT_EQ(draws.slots, std::vector<int64_t>(2, slot));
    EXPECT_EQ(draws.probabilities, std::vector<double>(2, 1.0));
    selector->Remove(slot);
  }
  EXPECT_EQ(selector->size(), 0);
}

TEST(ValidatePrioritiesTest, AcceptsFiniteNonNegativeOnes) {
  const double good[] = {0.0, 1e-320, 1.0, std::numeric_limits<double>::max()};
  EXPECT_TRUE(ValidatePriorities(good, 4).ok());
  EXPECT_TRUE(ValidatePriorities(nullptr, 0).ok());
}

TEST(ValidatePrioritiesTest, NamesTheFirstBadOne) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), infinity, -infinity, -1e-9}) {
    const double priorities[] = {1.0, 2.0, bad, bad};
    const Status status = ValidatePriorities(priorities, 4);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("priority 2 is"), std::string::npos)
        << status.message();
  }
}

}  // namespace
}  // namespace tfa
