#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "cc/block_codec.h"
#include "cc/random.h"
#include "cc/replay.h"

namespace tfa {
namespace {

constexpr int64_t kPixels = 4096;

ReplayOptions Options(int64_t max_bytes = 0) {
  TableOptions table;
  table.name = "t";
  table.remover.kind = SelectorOptions::Kind::kFifo;
  table.max_size = 1'000'000;
  table.pattern = {Pattern::Kind::kNStep, 1, 1, true};
  View last;
  last.start = -1;
  table.views = {last};
  ReplayOptions options;
  options.columns = {{"pixels", DType::kUint8, {kPixels}, Compression::kLz4}};
  options.tables = {table};
  options.segment_rows = 4;
  options.max_bytes = max_bytes;
  return options;
}

Status Append(Replay* replay, int64_t i, Deadline deadline) {
  const std::vector<uint8_t> pixels(kPixels, static_cast<uint8_t>(i));
  const RowFlags row = {0, i == 0, false};
  const void* const columns[] = {pixels.data()};
  return replay->Append(&row, 1, columns, nullptr, deadline);
}

class ReplayPackingTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  }
};

TEST_F(ReplayPackingTest, FullSegmentsShrinkWithoutTheCaller) {
  const auto replay = std::move(*Replay::Create(Options()));
  for (int64_t i = 0; i < 400; ++i) {
    ASSERT_TRUE(Append(replay.get(), i, Deadline::max()).ok());
  }
  ASSERT_TRUE(replay->AwaitPacked(Deadline::max()).ok());
  EXPECT_LT(replay->bytes_in_use(), 400 * kPixels / 10);
  EXPECT_LT(replay->bytes_allocated(), 400 * kPixels / 10);
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST_F(ReplayPackingTest, ABudgetRemovesTheSameItemsHoweverFastItIsPacked) {
  const auto hasty = std::move(*Replay::Create(Options(100'000)));
  const auto patient = std::move(*Replay::Create(Options(100'000)));
  // Nothing is waited for but the packer.
  const auto append = [](Replay* replay, int64_t i) {
    Status status;
    do {
      status = Append(replay, i, kNoWait);
    } while (status.code() == StatusCode::kUnavailable);
    return status;
  };
  for (int64_t i = 0; i < 4000; ++i) {
    ASSERT_TRUE(append(hasty.get(), i).ok());
    ASSERT_TRUE(append(patient.get(), i).ok());
    ASSERT_TRUE(patient->AwaitPacked(Deadline::max()).ok());
    ASSERT_EQ(hasty->Stats(0)->size, patient->Stats(0)->size);
    ASSERT_LE(hasty->bytes_allocated(), 100'000);
  }
  EXPECT_GT(hasty->Stats(0)->num_deleted, 0);
  EXPECT_GT(hasty->Stats(0)->size, 2 * 100'000 / kPixels);
}

// Segments that nothing refers to any more leave the packer's queue without a word: an
// append that waited for it, and nobody else on the replay, waited for ever.
TEST_F(ReplayPackingTest, AnAppendAloneIsNotForgottenByThePacker) {
  ReplayOptions options = Options(200'000);
  options.tables[0].pattern = {};
  options.num_streams = 8;
  options.segment_rows = 1;
  const auto replay = std::move(*Replay::Create(options));
  Random random(0);
  std::vector<uint8_t> noise(8 * kPixels);
  for (uint8_t& pixel : noise) pixel = static_cast<uint8_t>(random.Next());
  const void* const columns[] = {noise.data()};
  RowFlags rows[8];
  for (int32_t i = 0; i < 8; ++i) rows[i] = {i, true, false};
  const auto append = [&](int64_t n) {
    const Deadline soon = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    return replay->Append(rows, n, columns, nullptr, soon);
  };
  ASSERT_TRUE(append(8).ok());
  for (RowFlags& row : rows) row.first = false;
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(append(8).ok());
    for (int32_t stream = 0; stream < 8; ++stream) {
      ASSERT_TRUE(replay->CreateItem(0, stream, 0, 1, {}, kNoWait).ok());
    }
  }
  ASSERT_TRUE(replay->AwaitPacked(Deadline::max()).ok());
  for (int i = 0; i < 200; ++i) {
    for (int k = 0; k < 3; ++k) ASSERT_TRUE(append(1).ok());
    ASSERT_TRUE(append(8).ok());
  }
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST_F(ReplayPackingTest, AReplayMayGoWhileItIsPacked) {
  for (int64_t num_rows = 1; num_rows < 60; ++num_rows) {
    const auto replay = std::move(*Replay::Create(Options()));
    for (int64_t i = 0; i < num_rows; ++i) {
      ASSERT_TRUE(Append(replay.get(), i, Deadline::max()).ok());
    }
    if (num_rows % 3 == 0) {
      ASSERT_TRUE(replay->Reset().ok());
    }
    if (num_rows % 2 == 0) replay->Close();
  }
}

TEST_F(ReplayPackingTest, ClosingWakesAllWhoWait) {
  const auto replay = std::move(*Replay::Create(Options(100'000)));
  std::atomic<int64_t> num_cancelled{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const Status status = replay->AwaitPacked(Deadline::max());
        if (status.ok()) continue;
        num_cancelled += status.code() == StatusCode::kCancelled;
        return;
      }
    });
  }
  std::thread writer([&] {
    int64_t i = 0;
    while (Append(replay.get(), i, Deadline::max()).ok()) ++i;
    ++num_cancelled;
  });
  while (replay->Stats(0)->num_deleted == 0) std::this_thread::yield();
  replay->Close();
  replay->Close();
  for (std::thread& thread : threads) thread.join();
  writer.join();
  EXPECT_EQ(num_cancelled, 3);
}

TEST(ReplayWithoutLz4Test, AskingForItSaysHowToGetIt) {
  if (HasLz4()) GTEST_SKIP() << "built with LZ4";
  const Status status = Replay::Create(Options()).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("liblz4-dev"), std::string::npos);
}

TEST_F(ReplayPackingTest, AFileAndCompressionAreNotGivenTogether) {
  ReplayOptions options = Options();
  options.storage_directory = "/tmp";
  const Status status = Replay::Create(options).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("'pixels'"), std::string::npos);
}

}  // namespace
}  // namespace tfa
