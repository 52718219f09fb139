#include "cc/gather_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

std::vector<int32_t> End(GatherLog* log, int64_t gather) {
  std::vector<int32_t> kept;
  log->End(gather, [&kept](int32_t segment) { kept.push_back(segment); });
  return kept;
}

TEST(GatherLogTest, AGatherKeepsWhatWasLetGoSinceItBegan) {
  GatherLog log;
  const int64_t first = log.Begin();
  log.Add(3);
  const int64_t second = log.Begin();
  EXPECT_EQ(log.num_gathers(), 2);
  log.Add(5);
  log.Add(4);
  EXPECT_EQ(End(&log, first), (std::vector<int32_t>{3, 5, 4}));
  EXPECT_EQ(End(&log, second), (std::vector<int32_t>{5, 4}));
  EXPECT_EQ(log.num_gathers(), 0);
  EXPECT_TRUE(End(&log, log.Begin()).empty());
}

TEST(GatherLogTest, GathersThatBeganTogetherEndOneByOne) {
  GatherLog log;
  const int64_t first = log.Begin();
  const int64_t second = log.Begin();
  EXPECT_TRUE(End(&log, first).empty());
  EXPECT_EQ(log.num_gathers(), 1);
  log.Add(7);
  EXPECT_EQ(End(&log, second), std::vector<int32_t>{7});
}

// Against a list of its own for every gather.
TEST(GatherLogTest, AnyOrderOfBeginningsAndEndsGivesEachItsOwn) {
  GatherLog log;
  std::multimap<int64_t, std::vector<int32_t>> kept;  // by gather
  Random random(1);
  for (int round = 0; round < 5000; ++round) {
    const uint64_t choice = random.Below(3);
    if (choice == 0 && kept.size() < 6) {
      kept.insert({log.Begin(), {}});
    } else if (choice == 1 && !kept.empty()) {
      const auto segment = static_cast<int32_t>(random.Below(100));
      log.Add(segment);
      for (auto& gather : kept) gather.second.push_back(segment);
    } else if (choice == 2 && !kept.empty()) {
      const auto at =
          std::next(kept.begin(), static_cast<int64_t>(random.Below(kept.size())));
      ASSERT_EQ(End(&log, at->first), at->second);
      kept.erase(at);
    }
    ASSERT_EQ(log.num_gathers(), static_cast<int64_t>(kept.size()));
  }
}

}  // namespace
}  // namespace tfa
