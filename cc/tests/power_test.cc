#include "cc/power.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "cc/crc32c.h"
#include "cc/random.h"

namespace tfa {
namespace {

double PowerOf(double x, double exponent) {
  Power(&x, 1, exponent, &x);
  return x;
}

TEST(PowerTest, AgreesWithTheLibraryOverTheWholeRange) {
  Random random(1);
  for (const double exponent : {0.1, 0.4, 0.6, 1.0, 1.5}) {
    std::vector<double> x(5001), powers(5001);
    for (double& value : x) value = std::exp2(1300 * random.Uniform01() - 650);
    Power(x.data(), 5001, exponent, powers.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = std::pow(x[i], exponent);
      ASSERT_NEAR(powers[i], expected, 1e-12 * expected) << x[i];
      // One by one they take another loop.
      ASSERT_EQ(powers[i], PowerOf(x[i], exponent)) << x[i];
    }
  }
}

TEST(PowerTest, IsAccurateToTheLastBitsNearOne) {
  for (double x = 0.25; x < 4; x += 0.001) {
    ASSERT_NEAR(PowerOf(x, 0.6), std::pow(x, 0.6), 2e-15) << x;
  }
}

// What every path of every instruction set has to give.
TEST(PowerTest, GivesTheSameBitsOnEveryMachine) {
  Random random(2);
  std::vector<double> x(10007);
  for (double& value : x) value = std::ldexp(1 + random.Uniform01(), 40) * 1e-12;
  Power(x.data(), 10007, 0.6, x.data());
  EXPECT_EQ(Crc32c(0, x.data(), 10007 * sizeof(double)), 3483021621u);
}

TEST(PowerTest, OneAndAnExponentOfZeroAreExact) {
  EXPECT_EQ(PowerOf(1.0, 0.37), 1.0);
  EXPECT_EQ(PowerOf(123.4, 0.0), 1.0);
  EXPECT_EQ(PowerOf(123.4, 1.0), 123.4);
}

TEST(PowerTest, WhatIsOutOfRangeCountsAsTheNearerBound) {
  EXPECT_EQ(PowerOf(0.0, 2.0), 0x1.0p-1022);
  EXPECT_EQ(PowerOf(1e300, 5.0), 0x1.0p+1022);
  EXPECT_EQ(PowerOf(0.0, 0.5), 0x1.0p-511);
}

}  // namespace
}  // namespace tfa
