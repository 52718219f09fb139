#include "cc/min_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(MinTreeTest, TheLeastIsThatOfAllLeavesAfterEveryRandomOperation) {
  for (const int64_t capacity : {1, 7, 8, 9, 63, 64, 65, 500, 1000}) {
    MinTree tree(capacity);
    std::vector<double> model(static_cast<size_t>(capacity), kInfinity);
    Random random(static_cast<uint64_t>(capacity));
    for (int step = 0; step < 300; ++step) {
      const size_t leaf = random.Below(model.size());
      model[leaf] = random.Below(4) == 0 ? kInfinity : random.Uniform01();
      tree.Set(static_cast<int64_t>(leaf), model[leaf]);
      ASSERT_EQ(tree.least(), *std::min_element(model.begin(), model.end()));
      const Status status = tree.CheckValid(tree.capacity());
      ASSERT_TRUE(status.ok()) << status.message();
    }
    tree.Clear();
    EXPECT_EQ(tree.least(), kInfinity);
    EXPECT_TRUE(tree.CheckValid(tree.capacity()).ok());
  }
}

TEST(MinTreeTest, TheSmallestAndTheLargestNumbersKeepTheirOrder) {
  using Limits = std::numeric_limits<double>;
  const double falling[] = {kInfinity, Limits::max(), 0x1.0p+900, 1.0, Limits::min(),
                            Limits::denorm_min(), 0.0};
  MinTree tree(100);
  int64_t leaf = 99;
  for (const double value : falling) {
    tree.Set(leaf, value);
    leaf -= 13;
    EXPECT_EQ(tree.least(), value);
    EXPECT_TRUE(tree.CheckValid(tree.capacity()).ok());
  }
}

TEST(MinTreeTest, GrowingKeepsTheLeaves) {
  MinTree tree(0);
  for (int64_t leaf = 0; leaf < 700; ++leaf) {
    tree.Grow(leaf + 1);
    tree.Set(leaf, static_cast<double>(1000 - leaf));
    ASSERT_EQ(tree.least(), static_cast<double>(1000 - leaf));
  }
  tree.Set(699, kInfinity);
  EXPECT_EQ(tree.least(), 302.0);
  EXPECT_TRUE(tree.CheckValid(tree.capacity()).ok());
}

}  // namespace
}  // namespace tfa
