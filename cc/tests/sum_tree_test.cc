#include "cc/sum_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

const int64_t kCapacities[] = {1, 2, 7, 8, 9, 63, 64, 65, 511, 513, 1000};

int64_t FindOne(const SumTree& tree, double target) {
  int64_t leaf = -1;
  tree.Find(&target, 1, &leaf);
  return leaf;
}

// A weight that is often 0 and spans many magnitudes.
double RandomWeight(Random* random) {
  if (random->Below(3) == 0) return 0.0;
  return std::exp2(random->Uniform01() * 80 - 40);
}

TEST(SumTreeTest, NewTreeIsEmpty) {
  for (const int64_t capacity : kCapacities) {
    const SumTree tree(capacity);
    EXPECT_EQ(tree.capacity(), capacity);
    EXPECT_EQ(tree.total(), 0.0);
    EXPECT_TRUE(tree.CheckValid(tree.capacity()).ok());
  }
}

TEST(SumTreeTest, FindInvertsTheCumulativeSumExactly) {
  for (const int64_t capacity : kCapacities) {
    SumTree tree(capacity);
    Random random(static_cast<uint64_t>(capacity));
    std::vector<double> targets;
    std::vector<int64_t> expected;
    int64_t sum = 0;
    for (int64_t leaf = 0; leaf < capacity; ++leaf) {
      const auto weight = static_cast<int64_t>(random.Below(4));
      tree.Set(leaf, static_cast<double>(weight));
      for (int64_t k = 0; k < weight; ++k) {
        targets.push_back(static_cast<double>(sum + k));
        targets.push_back(static_cast<double>(sum + k) + 0.999);
        expected.insert(expected.end(), 2, leaf);
      }
      sum += weight;
    }
    EXPECT_EQ(tree.total(), static_cast<double>(sum));
    std::vector<int64_t> leaves(targets.size());
    tree.Find(targets.data(), static_cast<int64_t>(targets.size()), leaves.data());
    EXPECT_EQ(leaves, expected) << "capacity " << capacity;
  }
}

TEST(SumTreeTest, RandomSetsKeepEveryInvariant) {
  for (const int64_t capacity : kCapacities) {
    SumTree tree(capacity);
    std::vector<double> weights(static_cast<size_t>(capacity), 0.0);
    Random random(17);
    for (int step = 0; step < 60; ++step) {
      const auto n = static_cast<int64_t>(random.Below(40));
      std::vector<int64_t> leaves;
      std::vector<double> values;
      for (int64_t i = 0; i < n; ++i) {
        leaves.push_back(
            static_cast<int64_t>(random.Below(static_cast<uint64_t>(capacity))));
        values.push_back(RandomWeight(&random));
        weights[static_cast<size_t>(leaves.back())] = values.back();
      }
      if (n == 1) {
        tree.Set(leaves[0], values[0]);
      } else {
        tree.Set(leaves.data(), values.data(), n);
      }
      const Status status = tree.CheckValid(tree.capacity());
      ASSERT_TRUE(status.ok()) << status.message();
      for (int64_t leaf = 0; leaf < capacity; ++leaf) {
        ASSERT_EQ(tree.Get(leaf), weights[static_cast<size_t>(leaf)]);
      }
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      ASSERT_NEAR(tree.total(), sum, 1e-12 * sum);
    }
  }
}

TEST(SumTreeTest, BatchAndSingleSetsGiveTheSameTree) {
  SumTree batched(1000), single(1000);
  Random random(19);
  std::vector<int64_t> leaves(300);
  std::vector<double> weights(300);
  for (size_t i = 0; i < leaves.size(); ++i) {
    leaves[i] = static_cast<int64_t>(random.Below(1000));
    weights[i] = RandomWeight(&random);
    single.Set(leaves[i], weights[i]);
  }
  batched.Set(leaves.data(), weights.data(), 300);
  EXPECT_EQ(batched.total(), single.total());
  for (int64_t leaf = 0; leaf < 1000; ++leaf) {
    ASSERT_EQ(batched.Get(leaf), single.Get(leaf));
  }
}

TEST(SumTreeTest, LastOfDuplicateLeavesWins) {
  SumTree tree(20);
  const int64_t leaves[] = {3, 12, 3, 3};
  const double weights[] = {1, 2, 5, 4};
  tree.Set(leaves, weights, 4);
  EXPECT_EQ(tree.Get(3), 4.0);
  EXPECT_EQ(tree.total(), 6.0);
  EXPECT_TRUE(tree.CheckValid(tree.capacity()).ok());
}

TEST(SumTreeTest, RoundingNeverFindsALeafWithoutWeight) {
  Random random(23);
  for (int trial = 0; trial < 300; ++trial) {
    const auto capacity = static_cast<int64_t>(1 + random.Below(300));
    SumTree tree(capacity);
    for (int64_t leaf = 0; leaf < capacity; ++leaf) {
      tree.Set(leaf, RandomWeight(&random));
    }
    if (tree.total() == 0) continue;
    // The very end of the line, where rounding bites, and a target past it.
    double target = std::nextafter(tree.total(), 0.0);
    for (int step = 0; step < 20; ++step) {
      ASSERT_GT(tree.Get(FindOne(tree, target)), 0.0);
      target = std::nextafter(target, 0.0);
    }
    ASSERT_GT(tree.Get(FindOne(tree, tree.total())), 0.0);
    for (int step = 0; step < 100; ++step) {
      target = random.Uniform01() * tree.total();
      ASSERT_GT(tree.Get(FindOne(tree, target)), 0.0);
    }
  }
}

TEST(SumTreeTest, AHugeWeightLeavesNoTraceOnceItIsGone) {
  SumTree tree(100);
  tree.Set(5, 0.1);
  tree.Set(6, 1e300);
  tree.Set(6, 0.0);
  EXPECT_EQ(tree.total(), 0.1);
  EXPECT_EQ(FindOne(tree, 0.05), 5);
}

TEST(SumTreeTest, GrowKeepsWeightsAndAddsEmptyLeaves) {
  SumTree tree(0);
  Random random(29);
  std::vector<double> weights;
  for (const int64_t capacity : kCapacities) {
    tree.Grow(capacity);
    weights.resize(static_cast<size_t>(capacity), 0.0);
    ASSERT_TRUE(tree.CheckValid(tree.capacity()).ok());
    for (int64_t leaf = 0; leaf < capacity; ++leaf) {
      ASSERT_EQ(tree.Get(leaf), weights[static_cast<size_t>(leaf)]);
    }
    const auto leaf = random.Below(static_cast<uint64_t>(capacity));
    weights[leaf] = 1.0 + random.Uniform01();
    tree.Set(static_cast<int64_t>(leaf), weights[leaf]);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    ASSERT_NEAR(tree.total(), sum, 1e-12 * sum);
  }
}

TEST(SumTreeTest, ClearSetsEverythingToZero) {
  SumTree tree(100);
  for (int64_t leaf = 0; leaf < 100; ++leaf) tree.Set(leaf, 1.0);
  tree.Clear();
  EXPECT_EQ(tree.total(), 0.0);
  EXPECT_EQ(tree.capacity(), 100);
  for (int64_t leaf = 0; leaf < 100; ++leaf) EXPECT_EQ(tree.Get(leaf), 0.0);
  EXPECT_TRUE(tree.CheckValid(tree.capacity()).ok());
}

TEST(SumTreeTest, CheckValidSeesAWeightThatIsNotANumber) {
  SumTree tree(10);
  tree.Set(4, std::nan(""));
  EXPECT_EQ(tree.CheckValid(tree.capacity()).code(), StatusCode::kFailedPrecondition);
}

TEST(SumTreeTest, FindsTheSameWithAndWithoutSpecialInstructions) {
  Random random(61);
  for (const int64_t capacity : {1, 8, 13, 64, 1000, 5000}) {
    SumTree tree(capacity);
    for (int64_t leaf = 0; leaf < capacity; ++leaf) {
      const double scale = std::exp2(static_cast<double>(random.Below(80)));
      tree.Set(leaf, random.Below(3) == 0 ? 0.0 : scale * random.Uniform01());
    }
    tree.Set(0, 1.0);
    std::vector<double> targets(1000);
    for (double& target : targets) target = random.Uniform01() * tree.total();
    targets[0] = 0.0;
    targets[1] = tree.total();  // as rounding may leave it
    std::vector<int64_t> leaves(1000), plain(1000);
    tree.Find(targets.data(), 1000, leaves.data());
    tree.FindPlain(targets.data(), 1000, plain.data());
    ASSERT_EQ(leaves, plain);
    for (const int64_t leaf : plain) ASSERT_GT(tree.Get(leaf), 0.0);
  }
}

}  // namespace
}  // namespace tfa
