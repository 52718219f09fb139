#include "cc/table_options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "cc/tests/draws.h"

namespace tfa {
namespace {

using Kind = SelectorOptions::Kind;

const std::vector<Column> kColumns = {{"x", DType::kFloat32, {}}};

TableOptions Valid() {
  TableOptions options;
  options.name = "t";
  options.max_size = 100;
  options.views = {View()};
  return options;
}

// What is said of options after `change`; empty if they are fine.
std::string Complaint(const std::function<void(TableOptions*)>& change) {
  TableOptions options = Valid();
  change(&options);
  const Status status = options.Validate(kColumns);
  return status.ok() ? "" : status.message();
}

void ExpectSays(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << text << "' lacks " << part;
}

TEST(TableOptionsTest, SizesOfTablesAreBounded) {
  EXPECT_EQ(Complaint([](TableOptions*) {}), "");
  ExpectSays(Complaint([](TableOptions* o) { o->max_size = 0; }), "max_size is 0");
  EXPECT_EQ(Complaint([](TableOptions* o) { o->max_size = INT32_MAX; }), "");
  ExpectSays(Complaint([](TableOptions* o) { o->max_size = int64_t{1} << 31; }),
             "[1, 2^31)");
}

TEST(TableOptionsTest, ALimiterThatAsksForMoreThanFitsIsRefused) {
  EXPECT_EQ(Complaint([](TableOptions* o) { o->rate_limiter.min_size = 100; }), "");
  ExpectSays(Complaint([](TableOptions* o) { o->rate_limiter.min_size = 101; }),
             "max_size 100 is less than the rate limiter's min_size 101");
}

TEST(TableOptionsTest, SamplesOfAnItemAreCountedIn32Bits) {
  const auto times = [](int64_t n) {
    return Complaint([n](TableOptions* o) { o->max_times_sampled = n; });
  };
  EXPECT_EQ(times(0), "");
  EXPECT_EQ(times(INT32_MAX), "");
  ExpectSays(times(-1), "max_times_sampled is -1");
  ExpectSays(times(int64_t{INT32_MAX} + 1), "0 is no bound");
}

TEST(TableOptionsTest, ExponentsAndMixturesOfPrioritizedSelectorsAreChecked) {
  const auto alpha = [](double value) {
    return Complaint([value](TableOptions* o) {
      o->sampler.kind = Kind::kPrioritized;
      o->sampler.prioritized.alpha = value;
    });
  };
  EXPECT_EQ(alpha(0.0), "");
  ExpectSays(alpha(-0.5), "sampler has alpha = -0.5");
  ExpectSays(alpha(std::nan("")), "finite");
  ExpectSays(alpha(std::numeric_limits<double>::infinity()), "finite");
  const auto mix = [](double value) {
    return Complaint([value](TableOptions* o) {
      o->remover.kind = Kind::kPrioritized;
      o->remover.prioritized.uniform_mix = value;
    });
  };
  EXPECT_EQ(mix(1.0), "");
  ExpectSays(mix(1.5), "remover has uniform_mix = 1.5");
  ExpectSays(mix(-0.1), "[0, 1]");
  ExpectSays(mix(std::nan("")), "[0, 1]");
  // Others have none.
  const auto unused = [](TableOptions* o) { o->sampler.prioritized.alpha = -1.0; };
  EXPECT_EQ(Complaint(unused), "");
}

TEST(TableOptionsTest, PatternsAndViewsAreChecked) {
  EXPECT_NE(Complaint([](TableOptions* o) { o->pattern.length = 0; }), "");
  EXPECT_NE(Complaint([](TableOptions* o) { o->views[0].column = 1; }), "");
  // Unrolls have steps, not rows.
  const auto unrolls = [](TableOptions* o) {
    o->pattern.kind = Pattern::Kind::kUnroll;
  };
  EXPECT_NE(Complaint(unrolls), "");
}

TEST(TableOptionsTest, EveryKindIsTheSelectorOfItsName) {
  // Of slots 0, 1 and 2, inserted in this order.
  const double priorities[] = {2.0, 1.0, 3.0};
  const auto first = [&priorities](Kind kind) {
    SelectorOptions options;
    options.kind = kind;
    const auto selector = MakeSelector(options);
    selector->Reserve(3, 2);
    for (int64_t slot = 0; slot < 3; ++slot) selector->Insert(slot, priorities[slot]);
    return Draw(selector.get(), 1, 5);
  };
  EXPECT_EQ(first(Kind::kFifo).slots[0], 0);
  EXPECT_EQ(first(Kind::kLifo).slots[0], 2);
  EXPECT_EQ(first(Kind::kMinHeap).slots[0], 1);
  EXPECT_EQ(first(Kind::kMaxHeap).slots[0], 2);
  EXPECT_EQ(first(Kind::kUniform).probabilities[0], 1.0 / 3);
  EXPECT_EQ(first(Kind::kWithoutReplacement).probabilities[0], 1.0 / 3);
  const Draws prioritized = first(Kind::kPrioritized);
  const double priority = priorities[prioritized.slots[0]];
  EXPECT_NEAR(prioritized.probabilities[0], priority / 6, 1e-12);
}

}  // namespace
}  // namespace tfa
