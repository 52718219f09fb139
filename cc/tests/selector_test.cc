#include "cc/selector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "cc/tests/draws.h"

namespace tfa {
namespace {

std::vector<std::unique_ptr<Selector>> AllSelectors() {
  std::vector<std::unique_ptr<Selector>> selectors;
  selectors.push_back(MakeUniformSelector());
  selectors.push_back(MakePrioritizedSelector({0.6}));
  selectors.push_back(MakePrioritizedSelector({0.6, true, 0.1}));
  selectors.push_back(MakeWithoutReplacementSelector());
  selectors.push_back(MakeFifoSelector());
  selectors.push_back(MakeLifoSelector());
  selectors.push_back(MakeMinHeapSelector());
  selectors.push_back(MakeMaxHeapSelector());
  return selectors;
}

TEST(SelectorTest, ProbabilitiesOfSlotsAreThoseOfDraws) {
  for (const auto& selector : AllSelectors()) {
    std::vector<int64_t> slots;
    double sum = 0.0;
    for (int64_t slot = 0; slot < 20; ++slot) {
      selector->Insert(slot, 0.1 + static_cast<double>(slot % 7));
      slots.push_back(slot);
    }
    selector->Remove(3);
    slots.erase(slots.begin() + 3);
    std::vector<double> chances(slots.size());
    selector->Probabilities(slots.data(), 19, chances.data());
    for (const double chance : chances) sum += chance;
    EXPECT_NEAR(sum, 1.0, 1e-12);
    const Draws draws = Draw(selector.get(), 10, 5);
    for (size_t i = 0; i < draws.slots.size(); ++i) {
      const auto at = std::find(slots.begin(), slots.end(), draws.slots[i]);
      EXPECT_EQ(chances[static_cast<size_t>(at - slots.begin())],
                draws.probabilities[i]);
    }
  }
}

TEST(SelectorTest, RenewedSlotsAreThoseRemovedAndInsertedOneByOne) {
  const std::unique_ptr<Selector> pairs[][2] = {
      {MakeFifoSelector(), MakeFifoSelector()},
      {MakeLifoSelector(), MakeLifoSelector()},
      {MakeMinHeapSelector(), MakeMinHeapSelector()},
  };
  const std::vector<double> priorities(40, 1.0);
  for (const auto& pair : pairs) {
    for (int64_t slot = 0; slot < 10; ++slot) {
      for (const auto& selector : pair) selector->Insert(slot, 1.0);
    }
    for (const int64_t n : {0, 1, 3, 9, 10, 4, 11, 25, 2}) {
      std::vector<int64_t> slots(static_cast<size_t>(n));
      pair[0]->Renew(priorities.data(), n, nullptr, slots.data());
      for (const int64_t slot : slots) {
        int64_t chosen = 0;
        double probability = 0.0;
        pair[1]->Sample(1, nullptr, &chosen, &probability);
        EXPECT_EQ(slot, chosen);
        pair[1]->Remove(chosen);
        pair[1]->Insert(chosen, 1.0);
      }
      const Status status = pair[0]->CheckValid();
      EXPECT_TRUE(status.ok()) << status.message();
    }
  }
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
  const auto selectors = AllSelectors();
  const auto twins = AllSelectors();
  for (size_t i = 0; i < selectors.size(); ++i) {
    for (int64_t slot = 0; slot < 50; ++slot) {
      selectors[i]->Insert(slot, static_cast<double>(slot));
      twins[i]->Insert(slot, static_cast<double>(slot));
    }
    EXPECT_EQ(Draw(selectors[i].get(), 100, 7).slots,
              Draw(twins[i].get(), 100, 7).slots);
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

TEST(LifoSelectorTest, GivesTheNewestThatIsLeft) {
  const auto selector = MakeLifoSelector();
  for (const int64_t slot : {9, 2, 30, 0, 5}) selector->Insert(slot, 1.0);
  selector->Remove(30);
  for (const int64_t slot : {5, 0, 2, 9}) {
    EXPECT_EQ(Draw(selector.get(), 2, 37).slots, std::vector<int64_t>(2, slot));
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
