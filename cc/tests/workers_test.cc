#include "cc/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace tfa {
namespace {

TEST(WorkersTest, EachPartIsDoneOnce) {
  Workers workers(3);
  for (int64_t n = 0; n < 50; ++n) {
    std::vector<std::atomic<int>> counts(static_cast<size_t>(n));
    workers.Run(n, [&](int64_t i, int64_t) { ++counts[static_cast<size_t>(i)]; });
    for (const std::atomic<int>& count : counts) EXPECT_EQ(count, 1);
  }
}

TEST(WorkersTest, OtherThreadsHelp) {
  Workers workers(1);
  if (workers.num_threads() < 2) GTEST_SKIP() << "one core";
  std::atomic<int> num_begun{0};
  // Each part waits for the other, so no thread can do both.
  workers.Run(2, [&](int64_t, int64_t) {
    ++num_begun;
    while (num_begun < 2) std::this_thread::yield();
  });
  EXPECT_EQ(num_begun, 2);
}

TEST(WorkersTest, WithoutHelpersTheCallerDoesEverything) {
  Workers workers(0);
  EXPECT_EQ(workers.num_threads(), 1);
  std::set<std::thread::id> threads;
  workers.Run(10, [&](int64_t, int64_t thread) {
    EXPECT_EQ(thread, 0);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(WorkersTest, CallersAtTheSameTimeDoNotWaitForEachOther) {
  Workers workers(2);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        workers.Run(9, [&](int64_t i, int64_t) { sum += i; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 500 * 36);
}

}  // namespace
}  // namespace tfa
