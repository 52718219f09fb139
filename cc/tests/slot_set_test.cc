#include "cc/slot_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

std::vector<int64_t> Members(const SlotSet& set) {
  return {set.members(), set.members() + set.size()};
}

TEST(SlotSetTest, TheLastMemberTakesTheRankOfTheRemovedOne) {
  SlotSet set;
  set.Reserve(10);
  for (const int64_t slot : {4, 0, 9, 7}) set.Insert(slot);
  set.Remove(0);
  EXPECT_EQ(Members(set), (std::vector<int64_t>{4, 7, 9}));
  EXPECT_EQ(set.RankOf(7), 1);
  set.Remove(9);  // the last itself
  EXPECT_EQ(Members(set), (std::vector<int64_t>{4, 7}));
  EXPECT_FALSE(set.Contains(9));
  EXPECT_EQ(set.end(), 10);
  EXPECT_FALSE(set.Contains(-1));
  EXPECT_FALSE(set.Contains(10));
}

TEST(SlotSetTest, SwappedMembersHaveEachOthersRanks) {
  SlotSet set;
  set.Reserve(10);
  for (const int64_t slot : {4, 0, 9}) set.Insert(slot);
  set.Swap(0, 2);
  set.Swap(1, 1);
  EXPECT_EQ(Members(set), (std::vector<int64_t>{9, 0, 4}));
  EXPECT_EQ(set.RankOf(4), 2);
  EXPECT_TRUE(set.CheckValid().ok());
}

TEST(SlotSetTest, ClearForgetsEveryMember) {
  SlotSet set;
  set.Reserve(10);
  for (const int64_t slot : {4, 0, 9}) set.Insert(slot);
  set.Clear();
  EXPECT_EQ(set.size(), 0);
  EXPECT_EQ(set.end(), 0);
  EXPECT_FALSE(set.Contains(4));
  set.Insert(9);
  EXPECT_EQ(Members(set), std::vector<int64_t>{9});
  EXPECT_TRUE(set.CheckValid().ok());
}

TEST(SlotSetTest, RandomOperationsGiveTheMembersOfAList) {
  SlotSet set;
  std::vector<int64_t> model;  // by rank
  Random random(1);
  for (int step = 0; step < 5000; ++step) {
    set.Reserve(1 + step / 50);
    const auto slot = static_cast<int64_t>(
        random.Below(static_cast<uint64_t>(1 + step / 50)));
    const auto at = std::find(model.begin(), model.end(), slot);
    ASSERT_EQ(set.Contains(slot), at != model.end());
    if (at == model.end()) {
      set.Insert(slot);
      model.push_back(slot);
    } else {
      ASSERT_EQ(set.RankOf(slot), at - model.begin());
      set.Remove(slot);
      *at = model.back();
      model.pop_back();
    }
    ASSERT_EQ(Members(set), model);
    ASSERT_TRUE(set.CheckValid().ok());
  }
}

}  // namespace
}  // namespace tfa
