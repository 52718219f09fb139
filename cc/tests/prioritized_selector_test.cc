#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "cc/crc32c.h"
#include "cc/selector.h"
#include "cc/tests/draws.h"

namespace tfa {
namespace {

TEST(PrioritizedSelectorTest, DrawsInProportionToThePowerOfThePriority) {
  for (const double alpha : {0.0, 0.5, 0.6, 1.0, 2.0}) {
    const auto selector = MakePrioritizedSelector({alpha});
    selector->Reserve(5000, 1);
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
  const auto selector = MakePrioritizedSelector({0.6});
  selector->Reserve(5000, 1);
  for (int64_t slot = 0; slot < 6; ++slot) selector->Insert(slot, 0.0);
  selector->Remove(2);
  const std::map<int64_t, double> expected = {
      {0, 0.2}, {1, 0.2}, {3, 0.2}, {4, 0.2}, {5, 0.2}};
  const Draws draws = Draw(selector.get(), 50000, 17);
  EXPECT_LT(ChiSquare(draws, expected), 23.6);  // 4 d.o.f., p = 1e-4
  for (const double p : draws.probabilities) ASSERT_EQ(p, 0.2);
}

TEST(PrioritizedSelectorTest, UpdatesTakeEffectAndTheLastDuplicateWins) {
  const auto selector = MakePrioritizedSelector({1.0});
  selector->Reserve(5000, 1);
  for (int64_t slot = 0; slot < 4; ++slot) selector->Insert(slot, 1.0);
  const int64_t slots[] = {0, 1, 2, 3, 1};
  const double priorities[] = {0, 5, 0, 3, 1};
  selector->Update(slots, priorities, 5);
  const Draws draws = Draw(selector.get(), 20000, 19);
  EXPECT_LT(ChiSquare(draws, {{1, 0.25}, {3, 0.75}}), 15.2);  // 1 d.o.f.
}

TEST(PrioritizedSelectorTest, ARemovedSlotLeavesNoWeightBehind) {
  const auto selector = MakePrioritizedSelector({1.0});
  selector->Reserve(5000, 1);
  selector->Insert(0, 1.0);
  selector->Insert(1, 1e12);
  selector->Remove(1);
  const Draws draws = Draw(selector.get(), 100, 23);
  for (const int64_t slot : draws.slots) ASSERT_EQ(slot, 0);
  for (const double p : draws.probabilities) ASSERT_EQ(p, 1.0);
}

TEST(PrioritizedSelectorTest, ExtremePrioritiesStayDrawableAndFinite) {
  const auto selector = MakePrioritizedSelector({2.0});
  selector->Reserve(5000, 1);
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

// Weights of ten slots, the first of them 0, and what they sum to.
constexpr double kSum = 45;

std::unique_ptr<Selector> MakeTen(const PrioritizedOptions& options) {
  auto selector = MakePrioritizedSelector(options);
  selector->Reserve(5000, 1);
  for (int64_t slot = 0; slot < 10; ++slot) {
    selector->Insert(slot, static_cast<double>(slot));
  }
  return selector;
}

TEST(PrioritizedSelectorTest, AMixtureDrawsItsShareUniformly) {
  for (const double mix : {0.1, 0.5, 1.0}) {
    for (const bool stratified : {false, true}) {
      const auto selector = MakeTen({1.0, stratified, mix});
      std::map<int64_t, double> expected;
      for (int64_t slot = 0; slot < 10; ++slot) {
        expected[slot] = mix / 10 + (1 - mix) * static_cast<double>(slot) / kSum;
      }
      const Draws draws = Draw(selector.get(), 90000, 41);
      EXPECT_LT(ChiSquare(draws, expected), 33.8);  // 9 d.o.f., p = 1e-4
      for (size_t i = 0; i < draws.slots.size(); ++i) {
        ASSERT_NEAR(draws.probabilities[i], expected[draws.slots[i]], 1e-12);
      }
    }
  }
}

TEST(PrioritizedSelectorTest, StratifiedDrawsTakeOneOfEachSliceOfTheMass) {
  const auto selector = MakeTen({1.0, true, 0.0});
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Draws draws = Draw(selector.get(), 45, seed);  // slices of mass 1
    for (int64_t slot = 0; slot < 10; ++slot) {
      ASSERT_EQ(std::count(draws.slots.begin(), draws.slots.end(), slot), slot);
    }
    ASSERT_TRUE(std::is_sorted(draws.slots.begin(), draws.slots.end()));
  }
}

TEST(PrioritizedSelectorTest, WithinItsSliceAStratifiedDrawFollowsTheWeights) {
  const auto selector = MakeTen({1.0, true, 0.0});
  const int64_t num_rounds = 30000;
  Draws last;  // of the slice [30, 45) of the mass: 6 of slot 8, 9 of slot 9
  Random random(43);
  for (int64_t round = 0; round < num_rounds; ++round) {
    int64_t slots[3];
    double probabilities[3];
    selector->Sample(3, &random, slots, probabilities);
    last.slots.push_back(slots[2]);
  }
  EXPECT_LT(ChiSquare(last, {{8, 0.4}, {9, 0.6}}), 15.2);  // 1 d.o.f., p = 1e-4
}

TEST(PrioritizedSelectorTest, StratifiedDrawsOfAllZeroPrioritiesTakeEverySlot) {
  const auto selector = MakePrioritizedSelector({1.0, true, 0.0});
  selector->Reserve(5000, 1);
  for (int64_t slot = 0; slot < 8; ++slot) selector->Insert(slot, 0.0);
  Draws draws = Draw(selector.get(), 8, 47);
  std::sort(draws.slots.begin(), draws.slots.end());
  EXPECT_EQ(draws.slots, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

// A seed stands for the same draws wherever it is used.
TEST(PrioritizedSelectorTest, DrawsTheSameOnEveryMachine) {
  const auto selector = MakePrioritizedSelector({0.6, false, 0.1});
  selector->Reserve(5000, 1);
  Random random(59);
  for (int64_t slot = 0; slot < 5000; ++slot) selector->Insert(slot, random.Uniform01());
  const Draws draws = Draw(selector.get(), 4096, 61);
  EXPECT_EQ(Crc32c(0, draws.slots.data(), 4096 * sizeof(int64_t)), 3583772789u);
  EXPECT_EQ(Crc32c(0, draws.probabilities.data(), 4096 * sizeof(double)), 1206083062u);
}

TEST(PrioritizedSelectorTest, TheLeastProbabilityIsThatOfTheLeastDrawableSlot) {
  for (const double mix : {0.0, 0.2, 1.0}) {
    const auto selector = MakePrioritizedSelector({1.0, false, mix});
    selector->Reserve(5000, 1);
    std::map<int64_t, double> model;
    Random random(53);
    for (int step = 0; step < 2000; ++step) {
      const auto slot = static_cast<int64_t>(random.Below(40));
      const double priority = random.Below(3) == 0 ? 0.0 : 5 * random.Uniform01();
      if (model.count(slot) == 0) {
        selector->Insert(slot, priority);
        model[slot] = priority;
      } else if (random.Below(3) == 0) {
        selector->Remove(slot);
        model.erase(slot);
      } else {
        Update(selector.get(), slot, priority);
        model[slot] = priority;
      }
      const Status status = selector->CheckValid();
      ASSERT_TRUE(status.ok()) << status.message();
      if (model.empty()) continue;
      double sum = 0;
      for (const auto& [s, p] : model) sum += p;
      const double n = static_cast<double>(model.size());
      double least = 1;
      for (const auto& [s, p] : model) {
        const double drawn = sum == 0 ? 1 / n : mix / n + (1 - mix) * p / sum;
        if (drawn > 0) least = std::min(least, drawn);
      }
      ASSERT_NEAR(selector->LeastProbability(), least, 1e-12);
    }
  }
}

}  // namespace
}  // namespace tfa
