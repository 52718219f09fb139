#include "cc/step_runs.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

// A stream of rows whose episodes are of so many rows each.
std::unique_ptr<StepStore> MakeStore(const std::vector<int64_t>& episodes) {
  StepStore::Options options;
  options.segment_rows = 4;
  options.history_rows = 1000;
  auto store = *StepStore::Create({{"x", DType::kBool, {}}}, options);
  const uint8_t value = 0;
  const void* const columns[] = {&value};
  for (const int64_t rows : episodes) {
    for (int64_t i = 0; i < rows; ++i) {
      const RowFlags flags = {0, i == 0, i + 1 == rows};
      EXPECT_TRUE(store->Append(&flags, 1, columns).ok());
    }
  }
  return store;
}

// (row, steps) of the runs of the newest `length` rows.
using Runs = std::vector<std::pair<int64_t, int64_t>>;

Runs NewestRuns(const StepStore& store, int64_t length) {
  std::vector<StepRun> runs = {{77, 77}};  // to be replaced
  FindStepRuns(store, store.Newest(0, length), &runs);
  Runs found;
  for (const StepRun& run : runs) found.emplace_back(run.row, run.steps);
  return found;
}

TEST(StepRunsTest, StepsAreOfTheEpisodesThatTheWindowHasTwoRowsOf) {
  const auto store = MakeStore({5, 1, 3});
  EXPECT_EQ(NewestRuns(*store, 1), Runs());
  EXPECT_EQ(NewestRuns(*store, 3), (Runs{{0, 2}}));
  EXPECT_EQ(NewestRuns(*store, 4), (Runs{{1, 2}}));  // the episode of one row has none
  EXPECT_EQ(NewestRuns(*store, 5), (Runs{{2, 2}}));  // one row of the first episode
  EXPECT_EQ(NewestRuns(*store, 7), (Runs{{0, 2}, {4, 2}}));
  EXPECT_EQ(NewestRuns(*store, 9), (Runs{{0, 4}, {6, 2}}));
}

TEST(StepRunsTest, RunsOfRandomEpisodesAreThoseOfAWalkRowByRow) {
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    std::vector<int64_t> episodes(1 + random.Below(8));
    std::vector<bool> begins;
    for (int64_t& rows : episodes) {
      rows = static_cast<int64_t>(1 + random.Below(6));
      begins.push_back(true);
      begins.resize(begins.size() + static_cast<size_t>(rows - 1), false);
    }
    const auto store = MakeStore(episodes);
    for (size_t length = 1; length <= begins.size(); ++length) {
      const size_t first = begins.size() - length;
      Runs expected;
      for (size_t r = 1; r < length; ++r) {
        if (begins[first + r]) continue;
        if (r == 1 || begins[first + r - 1]) expected.emplace_back(r - 1, 0);
        ++expected.back().second;
      }
      ASSERT_EQ(NewestRuns(*store, static_cast<int64_t>(length)), expected);
    }
  }
}

}  // namespace
}  // namespace tfa
