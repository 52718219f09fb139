#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "cc/selector.h"
#include "cc/tests/draws.h"

namespace tfa {
namespace {

std::unique_ptr<Selector> MakeFull(int64_t size) {
  auto selector = MakeWithoutReplacementSelector();
  selector->Reserve(1000, 1);
  for (int64_t slot = 0; slot < size; ++slot) selector->Insert(slot, 1.0);
  return selector;
}

TEST(WithoutReplacementSelectorTest, EveryEpochHasEverySlotOnceInAnOrderOfItsOwn) {
  const auto selector = MakeFull(20);
  const Draws draws = Draw(selector.get(), 100, 3);  // five epochs in one call
  std::set<std::vector<int64_t>> orders;
  for (auto start = draws.slots.begin(); start != draws.slots.end(); start += 20) {
    std::vector<int64_t> epoch(start, start + 20);
    orders.insert(epoch);
    std::sort(epoch.begin(), epoch.end());
    for (int64_t slot = 0; slot < 20; ++slot) {
      ASSERT_EQ(epoch[static_cast<size_t>(slot)], slot);
    }
  }
  EXPECT_EQ(orders.size(), 5);
  EXPECT_EQ(draws.probabilities, std::vector<double>(100, 1.0 / 20));
}

TEST(WithoutReplacementSelectorTest, AllOrdersAreEquallyLikely) {
  const auto selector = MakeFull(4);
  const Draws draws = Draw(selector.get(), 4 * 24000, 5);
  Draws orders;
  std::map<int64_t, double> expected;
  for (size_t i = 0; i < draws.slots.size(); i += 4) {
    int64_t order = 0;
    for (size_t k = 0; k < 4; ++k) order = 10 * order + draws.slots[i + k];
    orders.slots.push_back(order);
    expected[order] = 1.0 / 24;
  }
  EXPECT_EQ(expected.size(), 24);
  EXPECT_LT(ChiSquare(orders, expected), 57.1);  // 23 d.o.f., p = 1e-4
}

TEST(WithoutReplacementSelectorTest, ASlotThatIsInsertedJoinsTheEpochThatRuns) {
  const auto selector = MakeFull(10);
  std::vector<int64_t> epoch = Draw(selector.get(), 6, 7).slots;
  selector->Insert(10, 1.0);
  const Draws rest = Draw(selector.get(), 5, 8);
  epoch.insert(epoch.end(), rest.slots.begin(), rest.slots.end());
  EXPECT_EQ(std::set<int64_t>(epoch.begin(), epoch.end()).size(), 11);
}

TEST(WithoutReplacementSelectorTest, ASlotThatIsRemovedLeavesTheEpochThatRuns) {
  const auto selector = MakeFull(10);
  const std::vector<int64_t> had = Draw(selector.get(), 4, 9).slots;
  std::set<int64_t> expected = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (const int64_t slot : had) expected.erase(slot);
  const int64_t to_come = *expected.begin();
  expected.erase(to_come);
  selector->Remove(had[1]);
  selector->Remove(to_come);
  EXPECT_TRUE(selector->CheckValid().ok());
  const Draws rest = Draw(selector.get(), 5, 10);
  EXPECT_EQ(std::set<int64_t>(rest.slots.begin(), rest.slots.end()), expected);
}

TEST(WithoutReplacementSelectorTest, ANewOwnerOfASlotIsDrawnThoughTheOldOneWas) {
  const auto selector = MakeFull(3);
  const int64_t slot = Draw(selector.get(), 1, 11).slots[0];
  selector->Remove(slot);
  selector->Insert(slot, 1.0);
  const Draws rest = Draw(selector.get(), 3, 12);
  EXPECT_EQ(std::set<int64_t>(rest.slots.begin(), rest.slots.end()).size(), 3);
}

}  // namespace
}  // namespace tfa
