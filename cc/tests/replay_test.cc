#include "cc/replay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cc/tests/batch.h"

namespace tfa {
namespace {

TableOptions Transitions(const std::string& name) {
  TableOptions options;
  options.name = name;
  options.remover.kind = SelectorOptions::Kind::kFifo;
  options.max_size = 100;
  options.pattern = {Pattern::Kind::kNStep, 2, 1, true};
  View last;
  last.start = -1;
  options.views = {last};
  return options;
}

std::unique_ptr<Replay> Make(std::vector<TableOptions> tables,
                             int64_t num_streams = 1) {
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}}};
  options.tables = std::move(tables);
  options.num_streams = num_streams;
  options.segment_rows = 4;
  return std::move(*Replay::Create(std::move(options)));
}

Status Append(Replay* replay, int64_t x, bool first, bool last = false,
              Deadline deadline = kNoWait, int32_t stream = 0) {
  const RowFlags row = {stream, first, last};
  const void* const columns[] = {&x};
  return replay->Append(&row, 1, columns, nullptr, deadline);
}

Status Sample(Replay* replay, Batch* batch, Deadline deadline = kNoWait,
              int64_t table = 0) {
  void* const outputs[] = {batch->x.data()};
  const auto n = static_cast<int64_t>(batch->x.size());
  return replay->Sample(table, n, {}, batch->arrays(), outputs, deadline);
}

Deadline Soon() {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
}

TEST(ReplayTest, StepsAreSharedByTheItemsOfAllTables) {
  const auto replay = Make({Transitions("a"), Transitions("b")});
  for (int64_t x = 0; x < 50; ++x) ASSERT_TRUE(Append(replay.get(), x, x == 0).ok());
  EXPECT_EQ(replay->Stats(0)->size, 49);
  EXPECT_EQ(replay->Stats(1)->size, 49);
  EXPECT_TRUE(replay->CheckValid().ok());
  const int64_t in_use = replay->bytes_in_use();
  const auto alone = Make({Transitions("a")});
  for (int64_t x = 0; x < 50; ++x) ASSERT_TRUE(Append(alone.get(), x, x == 0).ok());
  EXPECT_EQ(alone->bytes_in_use(), in_use);
}

TEST(ReplayTest, ARowWithoutAnOpenEpisodeIsRefused) {
  const auto replay = Make({Transitions("t")});
  EXPECT_EQ(Append(replay.get(), 0, false).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(Append(replay.get(), 0, true, true).ok());
  EXPECT_EQ(Append(replay.get(), 0, false).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Append(replay.get(), 0, true, false, kNoWait, 1).code(),
            StatusCode::kOutOfRange);
}

TEST(ReplayTest, OneBadStreamOfManyAppendsNothing) {
  const auto replay = Make({Transitions("t")}, 3);
  const int64_t x[3] = {1, 2, 3};
  const void* const columns[] = {x};
  const RowFlags begin[] = {{0, true, false}, {1, true, false}, {2, true, false}};
  ASSERT_TRUE(replay->Append(begin, 3, columns, nullptr, kNoWait).ok());
  const RowFlags twice[] = {{0, false, false}, {1, false, false}, {1, false, false}};
  EXPECT_EQ(replay->Append(twice, 3, columns, nullptr, kNoWait).code(),
            StatusCode::kInvalidArgument);
  const RowFlags missing[] = {{0, false, false}, {1, false, false}, {3, false, false}};
  EXPECT_EQ(replay->Append(missing, 3, columns, nullptr, kNoWait).code(),
            StatusCode::kOutOfRange);
  EXPECT_EQ(replay->Stats(0)->size, 0);
  const RowFlags good[] = {{2, false, false}, {0, false, false}, {1, false, false}};
  ASSERT_TRUE(replay->Append(good, 3, columns, nullptr, kNoWait).ok());
  EXPECT_EQ(replay->Stats(0)->size, 3);
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST(ReplayTest, WaitingEndsAtTheDeadlineWithTheReason) {
  TableOptions options = Transitions("t");
  options.rate_limiter.min_size = 5;
  const auto replay = Make({options});
  Batch batch(1);
  for (const Deadline deadline : {kNoWait, Soon()}) {
    const Status status = Sample(replay.get(), &batch, deadline);
    EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
    EXPECT_NE(status.message().find("waiting to sample from table 't'"),
              std::string::npos);
    EXPECT_NE(status.message().find("0 items < min_size 5"), std::string::npos);
  }
}

TEST(ReplayTest, AnAppendThatMustWaitWritesNothing) {
  TableOptions options = Transitions("t");
  options.rate_limiter.min_diff = 0.0;
  options.rate_limiter.max_diff = 3.0;
  const auto replay = Make({Transitions("free"), options});
  for (int64_t x = 0; x < 4; ++x) ASSERT_TRUE(Append(replay.get(), x, x == 0).ok());
  for (const Deadline deadline : {kNoWait, Soon()}) {
    const Status status = Append(replay.get(), 4, false, false, deadline);
    EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
    EXPECT_NE(status.message().find("waiting to insert into table 't'"),
              std::string::npos);
  }
  EXPECT_EQ(replay->Stats(0)->size, 3);
  Batch batch(1);
  ASSERT_TRUE(Sample(replay.get(), &batch, kNoWait, 1).ok());
  EXPECT_TRUE(Append(replay.get(), 4, false).ok());
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST(ReplayTest, WhatCanNeverBeAllowedIsAnErrorAtOnce) {
  TableOptions options = Transitions("queue");
  options.rate_limiter.min_diff = 0.0;
  options.rate_limiter.max_diff = 3.0;
  const auto replay = Make({options}, 2);
  Batch batch(4);
  EXPECT_EQ(Sample(replay.get(), &batch, Deadline::max()).code(),
            StatusCode::kInvalidArgument);
  // Two episodes of three rows that end at once make two items each.
  const int64_t x[2] = {0, 0};
  const void* const columns[] = {x};
  const RowFlags begin[] = {{0, true, false}, {1, true, false}};
  const RowFlags end[] = {{0, false, true}, {1, false, true}};
  const RowFlags middle[] = {{0, false, false}, {1, false, false}};
  ASSERT_TRUE(replay->Append(begin, 2, columns, nullptr, kNoWait).ok());
  ASSERT_TRUE(replay->Append(middle, 2, columns, nullptr, kNoWait).ok());
  EXPECT_EQ(replay->Append(end, 2, columns, nullptr, Deadline::max()).code(),
            StatusCode::kInvalidArgument);
}

TEST(ReplayTest, CloseWakesWhoeverWaits) {
  TableOptions options = Transitions("t");
  options.rate_limiter.min_size = 5;
  const auto replay = Make({options});
  Status waited;
  std::thread sampler([&] {
    Batch batch(1);
    waited = Sample(replay.get(), &batch, Deadline::max());
  });
  replay->Close();
  sampler.join();
  EXPECT_EQ(waited.code(), StatusCode::kCancelled);
  EXPECT_EQ(Append(replay.get(), 0, true).code(), StatusCode::kCancelled);
  EXPECT_EQ(replay->Stats(0).status().code(), StatusCode::kCancelled);
}

TEST(ReplayTest, ExplicitItemsCoverWhatTheHistoryHolds) {
  TableOptions options = Transitions("t");
  options.pattern = Pattern();
  ReplayOptions replay_options;
  replay_options.columns = {{"x", DType::kInt64, {}}};
  replay_options.tables = {options};
  replay_options.history = 3;
  const auto replay = std::move(*Replay::Create(std::move(replay_options)));
  for (int64_t x = 0; x < 9; ++x) ASSERT_TRUE(Append(replay.get(), x, x == 0).ok());
  const auto create = [&](int64_t back, int64_t length, double priority) {
    return replay->CreateItem(0, 0, back, length, priority, kNoWait);
  };
  EXPECT_EQ(create(0, 4, 1.0).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(create(0, 1, -1.0).status().code(), StatusCode::kInvalidArgument);
  const StatusOr<int64_t> key = create(1, 2, 0.5);
  ASSERT_TRUE(key.ok());
  Batch batch(1);
  ASSERT_TRUE(Sample(replay.get(), &batch).ok());
  EXPECT_EQ(batch.key[0], *key);
  EXPECT_EQ(batch.x[0], 7);
  EXPECT_EQ(batch.priority[0], 0.5);
}

TEST(ReplayTest, ResetDropsItemsHistoriesAndOpenEpisodes) {
  const auto replay = Make({Transitions("t")});
  for (int64_t x = 0; x < 9; ++x) ASSERT_TRUE(Append(replay.get(), x, x == 0).ok());
  ASSERT_TRUE(replay->Reset().ok());
  EXPECT_EQ(replay->bytes_in_use(), 0);
  EXPECT_EQ(replay->Stats(0)->num_inserted, 0);
  EXPECT_EQ(Append(replay.get(), 9, false).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST(ReplayTest, TheProjectionHoldsForLongEpisodes) {
  for (const int64_t period : {1, 3, 10}) {
    TableOptions options = Transitions("t");
    options.pattern = {Pattern::Kind::kSequence, 4, period, true};
    options.max_size = 57;
    const auto replay = Make({options}, 2);
    for (int64_t x = 0; x < 2000; ++x) {
      for (const int32_t stream : {0, 1}) {
        ASSERT_TRUE(Append(replay.get(), x, x == 0, false, kNoWait, stream).ok());
      }
    }
    EXPECT_LE(replay->bytes_in_use(), replay->ProjectedBytes(0));
    EXPECT_GE(3 * replay->bytes_in_use(), replay->ProjectedBytes(0));
  }
}

TEST(ReplayTest, AWriterWithinItsBudgetWaitsForTheStepsThatSamplersCopy) {
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}}};
  options.tables = {Transitions("t")};
  options.tables[0].max_size = 1000;
  options.segment_rows = 1;
  options.max_bytes = 12 * 192;  // a segment has three lines
  const auto replay = std::move(*Replay::Create(std::move(options)));
  std::atomic<int> num_failures{0};
  const auto check = [&](const Status& status) {
    if (status.ok()) return;
    ++num_failures;
    ADD_FAILURE() << status.message();
  };
  for (int64_t x = 0; x < 4; ++x) check(Append(replay.get(), x, x == 0));
  const auto sample = [&] {
    for (int i = 0; i < 2000; ++i) {
      Batch batch(16);
      check(Sample(replay.get(), &batch, Deadline::max()));
      for (const int64_t x : batch.x) num_failures += x >= 1 && x < 10000 ? 0 : 1;
    }
  };
  std::thread threads[] = {std::thread(sample), std::thread(sample)};
  for (int64_t x = 4; x < 10000; ++x) {
    check(Append(replay.get(), x, false, false, Deadline::max()));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_failures, 0);
  EXPECT_LE(replay->bytes_allocated(), 12 * 192);
  EXPECT_GT(replay->Stats(0)->size, 0);
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST(ReplayTest, WritersSamplersAndUpdatersRunAtOnce) {
  TableOptions options = Transitions("t");
  options.sampler = {SelectorOptions::Kind::kPrioritized, {0.6}};
  const auto replay = Make({options}, 2);
  ASSERT_TRUE(Append(replay.get(), 0, true, false, kNoWait, 0).ok());
  ASSERT_TRUE(Append(replay.get(), 1, true, false, kNoWait, 1).ok());
  std::atomic<int> num_failures{0};
  const auto check = [&](const Status& status) { num_failures += status.ok() ? 0 : 1; };
  const auto write = [&](int32_t stream) {
    // What a stream writes is even or odd, as its number is.
    for (int64_t x = stream; x < 4000; x += 2) {
      check(Append(replay.get(), x, x % 70 < 2, x % 70 >= 68, Deadline::max(), stream));
    }
  };
  const auto sample = [&] {
    for (int i = 0; i < 500; ++i) {
      Batch batch(16);
      check(Sample(replay.get(), &batch, Deadline::max()));
      check(replay->UpdatePriorities(0, batch.key.data(), batch.probability.data(), 16)
                .status());
      for (const int64_t x : batch.x) num_failures += x >= 0 && x < 4000 ? 0 : 1;
    }
  };
  std::thread threads[] = {std::thread(write, 0), std::thread(write, 1),
                           std::thread(sample), std::thread(sample)};
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_failures, 0);
  const Status status = replay->CheckValid();
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace tfa
