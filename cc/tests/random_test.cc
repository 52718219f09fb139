#include "cc/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace tfa {
namespace {

// An independent statement of the generator: splitmix64 fills four words, and
// the reference implementation of xoshiro256** steps them.
class Reference {
 public:
  explicit Reference(uint64_t seed) {
    for (int i = 0; i < 4; ++i) {
      seed += 0x9E3779B97F4A7C15ULL;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
      s_[i] = z ^ (z >> 31);
    }
  }

  uint64_t Next() {
    const uint64_t five = s_[1] * 5;
    const uint64_t result = ((five << 7) | (five >> 57)) * 9;
    const uint64_t s0 = s_[0], s1 = s_[1], s2 = s_[2], s3 = s_[3];
    const uint64_t mixed = s3 ^ s1;
    s_[0] = s0 ^ s3 ^ s1;
    s_[1] = s1 ^ s2 ^ s0;
    s_[2] = s2 ^ s0 ^ (s1 << 17);
    s_[3] = (mixed << 45) | (mixed >> 19);
    return result;
  }

 private:
  uint64_t s_[4];
};

TEST(RandomTest, FollowsTheDocumentedAlgorithm) {
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
    Random random(seed);
    Reference reference(seed);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(random.Next(), reference.Next());
  }
}

TEST(RandomTest, SeedZeroIsPinned) {
  // The first output is a function of the second word of splitmix64(0) alone,
  // 0x6E789E6AA1B965F4, a published test value.
  const uint64_t five = 0x6E789E6AA1B965F4ULL * 5;
  EXPECT_EQ(Random(0).Next(), ((five << 7) | (five >> 57)) * 9);
}

TEST(RandomTest, Uniform01IsTheTop53Bits) {
  Random bits(3), random(3);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.Uniform01();
    ASSERT_EQ(u, static_cast<double>(bits.Next() >> 11) / 0x1.0p53);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
  }
}

TEST(RandomTest, BelowStaysBelowForAwkwardBounds) {
  Random random(5);
  const uint64_t bounds[] = {1, 2, 3, 1000, (uint64_t{1} << 63) + 1, ~uint64_t{0}};
  for (const uint64_t n : bounds) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.Below(n), n);
  }
}

TEST(RandomTest, BelowRejectsWhatWouldBias) {
  // With n = 3 * 2^62 a plain multiplication would make every third value twice
  // as likely as the others: values divisible by 3 would take half of the draws.
  Random random(7);
  const uint64_t n = uint64_t{3} << 62;
  const int draws = 30000;
  int divisible = 0;
  for (int i = 0; i < draws; ++i) divisible += random.Below(n) % 3 == 0;
  // Mean 10000, standard deviation 82; the biased mean would be 15000.
  EXPECT_NEAR(divisible, draws / 3, 500);
}

TEST(RandomTest, BelowIsUniform) {
  Random random(11);
  std::vector<int> counts(10);
  for (int i = 0; i < 100000; ++i) ++counts[random.Below(10)];
  double chi_square = 0;
  for (const int count : counts) {
    chi_square += (count - 10000.0) * (count - 10000.0) / 10000.0;
  }
  EXPECT_LT(chi_square, 33.7);  // 9 degrees of freedom, p = 1e-4
}

}  // namespace
}  // namespace tfa
