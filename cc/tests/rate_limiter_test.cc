#include "cc/rate_limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace tfa {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

RateLimiterOptions Queue(int64_t size) {
  return {1.0, 1, 0.0, static_cast<double>(size)};
}

RateLimiterOptions Ratio(double samples_per_insert, int64_t min_size,
                         double error_buffer) {
  const double middle = samples_per_insert * static_cast<double>(min_size);
  return {samples_per_insert, min_size, middle - error_buffer, middle + error_buffer};
}

RateLimiterOptions MinSize(int64_t min_size) {
  return {1.0, min_size, -kInfinity, kInfinity};
}

RateLimiter Make(const RateLimiterOptions& options) {
  StatusOr<RateLimiter> limiter = RateLimiter::Create(options);
  EXPECT_TRUE(limiter.ok()) << limiter.status().message();
  return *std::move(limiter);
}

// Whether some order of calls reaches a state without a way out, found by doing
// every insert that is allowed before each batch.
bool GetsStuck(const RateLimiterOptions& options, int64_t batch_size) {
  RateLimiter limiter = Make(options);
  for (int batch = 0; batch < 200; ++batch) {
    while (limiter.CanInsert(1)) limiter.Inserted(1);
    if (!limiter.CanSample(batch_size)) return true;
    limiter.Sampled(batch_size);
  }
  return false;
}

TEST(RateLimiterTest, EveryStateOfSmallLimitersFollowsThePredicates) {
  for (const RateLimiterOptions& options :
       {MinSize(2), Queue(3), Ratio(2, 2, 2), Ratio(0.5, 3, 1), Ratio(1.5, 1, 2)}) {
    for (int64_t i = 0; i <= 10; ++i) {
      for (int64_t s = 0; s <= 10; ++s) {
        for (int64_t d = 0; d <= i; ++d) {
          RateLimiter limiter = Make(options);
          limiter.Inserted(i);
          limiter.Sampled(s);
          limiter.Deleted(d);
          for (int64_t n = 1; n <= 3; ++n) {
            const double spi = options.samples_per_insert;
            const auto I = static_cast<double>(i);
            const auto S = static_cast<double>(s), N = static_cast<double>(n);
            ASSERT_EQ(limiter.CanSample(n),
                      i - d >= options.min_size && I * spi - S - N >= options.min_diff);
            const bool fell = i >= options.min_size && i - d < options.min_size;
            ASSERT_EQ(limiter.CanInsert(n),
                      i + n - d <= options.min_size ||
                          (I + N) * spi - S <= options.max_diff || fell);
            ASSERT_EQ(limiter.WhyNotSample(n).empty(), limiter.CanSample(n));
            ASSERT_EQ(limiter.WhyNotInsert(n).empty(), limiter.CanInsert(n));
          }
        }
      }
    }
  }
}

TEST(RateLimiterTest, ReasonsCarryTheNumbers) {
  RateLimiter limiter = Make(MinSize(1000));
  limiter.Inserted(130);
  limiter.Deleted(10);
  EXPECT_EQ(limiter.WhyNotSample(1), "120 items < min_size 1000");

  limiter = Make(Queue(2));
  limiter.Inserted(2);
  EXPECT_EQ(limiter.WhyNotInsert(1),
            "(2 inserts + 1 more) * samples_per_insert 1 - 0 samples = 3 > "
            "max_diff 2");
  limiter.Sampled(1);
  EXPECT_EQ(limiter.WhyNotSample(2),
            "2 inserts * samples_per_insert 1 - 1 samples - 2 more = -1 < "
            "min_diff 0");
}

TEST(RateLimiterTest, RatioIsNotTruncatedToAnInteger) {
  RateLimiter limiter = Make(Ratio(0.25, 4, 1));  // min_diff 0, max_diff 2
  limiter.Inserted(8);
  EXPECT_FALSE(limiter.CanInsert(1));
  limiter.Sampled(1);
  EXPECT_TRUE(limiter.CanInsert(4));
  EXPECT_FALSE(limiter.CanInsert(5));
}

TEST(RateLimiterTest, DeletesBelowMinSizeStopSamplesAndFreeInserts) {
  RateLimiter limiter = Make(Ratio(1, 3, 1));
  limiter.Inserted(4);
  EXPECT_TRUE(limiter.CanSample(1));
  EXPECT_FALSE(limiter.CanInsert(1));
  limiter.Deleted(2);
  EXPECT_FALSE(limiter.CanSample(1));
  EXPECT_TRUE(limiter.CanInsert(1));
}

TEST(RateLimiterTest, ResetForgetsTheCountsAndKeepsTheOptions) {
  RateLimiter limiter = Make(Queue(2));
  limiter.Inserted(2);
  limiter.Sampled(1);
  limiter.Deleted(1);
  EXPECT_EQ(limiter.num_inserts(), 2);
  EXPECT_EQ(limiter.num_samples(), 1);
  EXPECT_EQ(limiter.num_deletes(), 1);
  limiter.Reset();
  EXPECT_EQ(limiter.num_inserts(), 0);
  EXPECT_EQ(limiter.num_samples(), 0);
  EXPECT_EQ(limiter.num_deletes(), 0);
  EXPECT_EQ(limiter.options().max_diff, 2.0);
}

TEST(RateLimiterTest, ImpossibleOptionsAreRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const RateLimiterOptions& options : {
           RateLimiterOptions{0.0, 1, 0, 1}, RateLimiterOptions{-1.0, 1, 0, 1},
           RateLimiterOptions{nan, 1, 0, 1}, RateLimiterOptions{kInfinity, 1, 0, 1},
           RateLimiterOptions{1.0, 0, 0, 1}, RateLimiterOptions{1.0, 1, nan, 1},
           RateLimiterOptions{1.0, 1, 0, nan}, RateLimiterOptions{1.0, 1, 2, 1},
           RateLimiterOptions{1.0, 2, 3, 9},      // sampling could not start
           RateLimiterOptions{1.0, 2, 2, 2},      // no sample, no insert
           RateLimiterOptions{4.0, 1, 2.5, 4.5},  // stuck after one sample
       }) {
    EXPECT_EQ(RateLimiter::Create(options).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST(RateLimiterTest, CheckAgreesWithRunningTheLimiter) {
  int refused = 0, allowed = 0;
  for (const double spi : {0.25, 0.5, 1.0, 1.5, 3.0, 8.0}) {
    for (int64_t min_size = 1; min_size <= 3; ++min_size) {
      for (const double buffer : {spi < 1 ? 1 : spi, 2 * spi + 1, 16.0}) {
        const RateLimiterOptions options = Ratio(spi, min_size, buffer);
        const RateLimiter limiter = Make(options);
        for (int64_t batch = 1; batch <= 40; ++batch) {
          const bool stuck = GetsStuck(options, batch);
          ASSERT_EQ(!limiter.Check({batch}).ok(), stuck)
              << "spi " << spi << " min_size " << min_size << " buffer " << buffer
              << " batch " << batch;
          ++(stuck ? refused : allowed);
        }
      }
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(allowed, 100);
}

TEST(RateLimiterTest, AQueueHoldsABatchLessOneAndAnAppend) {
  const RateLimiter limiter = Make(Queue(8));
  EXPECT_TRUE(limiter.Check({8, 0, 1, 8, 1}).ok());
  EXPECT_FALSE(limiter.Check({9, 0, 1, 100, 1}).ok());
  EXPECT_TRUE(limiter.Check({4, 1, 1, 8, 1}).ok());
  EXPECT_FALSE(limiter.Check({4, 2, 1, 8, 1}).ok());
  EXPECT_TRUE(limiter.Check({1, 0, 8, 8, 1}).ok());
  EXPECT_FALSE(limiter.Check({2, 0, 8, 8, 1}).ok());
  EXPECT_TRUE(limiter.Check({4, 0, 5, 8, 1}).ok());
  EXPECT_FALSE(limiter.Check({5, 0, 5, 8, 1}).ok());
}

TEST(RateLimiterTest, CheckKnowsTheSizeAndTheTimesSampled) {
  const RateLimiter limiter = Make(MinSize(10));
  EXPECT_TRUE(limiter.Check({100000, 0, 1, 10}).ok());
  EXPECT_FALSE(limiter.Check({1, 0, 1, 9}).ok());
  EXPECT_TRUE(limiter.Check({20, 0, 1, 10, 2}).ok());
  const Status status = limiter.Check({21, 0, 1, 10, 2});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("21 samples"), std::string::npos);
  EXPECT_NE(status.message().find("never holds more than 20"), std::string::npos);
}

TEST(RateLimiterTest, CheckRefusesSizesOutOfRange) {
  const RateLimiter limiter = Make(MinSize(1));
  EXPECT_FALSE(limiter.Check({0}).ok());
  EXPECT_FALSE(limiter.Check({1, -1}).ok());
}

TEST(RateLimiterTest, CheckTakesHugeLimits) {
  const RateLimiter limiter = Make({1.0, 1, -1e300, 1e300});
  EXPECT_TRUE(limiter.Check({1 << 20}).ok());
  EXPECT_FALSE(Make(Queue(8)).Check({int64_t{1} << 62}).ok());
}

// Only the first of such appends fits under min_size.
TEST(RateLimiterTest, AppendsOfUpToMinSizeItemsAreRefusedWhereTheSecondMustWait) {
  EXPECT_TRUE(Make(MinSize(1)).Check({1, 0, 1 << 30}).ok());
  EXPECT_FALSE(Make(Ratio(4, 100, 4)).Check({1, 0, 100}).ok());
  EXPECT_TRUE(Make(Ratio(4, 100, 4)).Check({1, 0, 1}).ok());
  EXPECT_TRUE(Make(Ratio(4, 100, 396)).Check({4, 0, 100}).ok());
  EXPECT_FALSE(Make(Ratio(4, 100, 395)).Check({4, 0, 100}).ok());
}

// Of decimals only the rounding decides at the border, so there one is refused.
TEST(RateLimiterTest, RatiosThatAreNotExactNeedTheWholeRoom) {
  EXPECT_TRUE(Make(Ratio(0.3, 10, 3.21)).Check({4, 0, 8}).ok());
  EXPECT_FALSE(Make(Ratio(0.3, 10, 3.2)).Check({4, 0, 8}).ok());
}

// The samples of an item that was deleted will never be drawn.
TEST(RateLimiterTest, SamplesThatCanNoLongerBeDrawnDoNotStopInserts) {
  RateLimiter limiter = Make(Queue(4));
  limiter.Inserted(4);
  EXPECT_FALSE(limiter.CanInsert(1, 4));
  limiter.Deleted(3);
  EXPECT_FALSE(limiter.CanInsert(1));
  EXPECT_TRUE(limiter.CanInsert(3, 1));
  EXPECT_FALSE(limiter.CanInsert(4, 1));
  EXPECT_EQ(limiter.WhyNotInsert(4, 1),
            "1 draws left + 4 items * samples_per_insert 1 = 5 > max_diff 4");
}

}  // namespace
}  // namespace tfa
