#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cc/random.h"
#include "cc/replay.h"
#include "cc/tests/batch.h"

namespace tfa {
namespace {

constexpr int64_t kStreams = 3;

ReplayOptions Options(SelectorOptions::Kind sampler, SelectorOptions::Kind remover) {
  TableOptions table;
  table.name = "t";
  table.sampler = {sampler, 0.7};
  table.remover = {remover, 1.0};
  table.max_size = 37;
  table.pattern = {Pattern::Kind::kNStep, 3, 1, true};
  View last;
  last.start = -1;
  table.views = {last};
  TableOptions sequences = table;
  sequences.name = "sequences";
  sequences.pattern = {Pattern::Kind::kSequence, 6, 4, true};
  sequences.views[0].stack = 3;
  sequences.max_times_sampled = 3;
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}}, {"y", DType::kUint8, {3}}};
  options.tables = {table, sequences};
  options.num_streams = kStreams;
  options.segment_rows = 4;
  return options;
}

std::unique_ptr<Replay> Make(const ReplayOptions& options) {
  return std::move(*Replay::Create(options));
}

// Appends, draws, updates and deletes at random, the same for the same generator;
// returns all that was drawn.
std::vector<int64_t> Play(Replay* replay, Random random, int64_t num_calls) {
  std::vector<int64_t> seen;
  std::vector<bool> open(kStreams);
  for (int64_t i = 0; i < num_calls; ++i) {
    const auto stream = static_cast<int32_t>(random.Below(kStreams));
    const int64_t x = i;
    const uint8_t y[] = {1, static_cast<uint8_t>(i), 3};
    const void* const columns[] = {&x, y};
    RowFlags row = {stream, false, random.Below(9) == 0};
    if (!replay->Append(&row, 1, columns, nullptr, kNoWait).ok()) {
      row.first = true;
      EXPECT_TRUE(replay->Append(&row, 1, columns, nullptr, kNoWait).ok());
    }
    const auto table = static_cast<int64_t>(random.Below(2));
    Batch batch(4);
    std::vector<int64_t> stacked(4 * 3);
    void* const outputs[] = {table == 0 ? batch.x.data() : stacked.data()};
    if (!replay->Sample(table, 4, {0.5}, batch.arrays(), outputs, kNoWait).ok())
      continue;
    const double priorities[] = {0.0, 1.5, random.Uniform01(), 0.1};
    EXPECT_TRUE(replay->UpdatePriorities(table, batch.key.data(), priorities, 4).ok());
    if (random.Below(5) == 0) {
      EXPECT_TRUE(replay->Delete(table, batch.key.data(), 1).ok());
    }
    // New keys differ in their epoch, whose bits are these.
    for (int64_t& key : batch.key) key &= ~(int64_t{KeySpace::kEpochs - 1} << 47);
    for (const auto* each : {&batch.key, &batch.x, &batch.age, &stacked}) {
      seen.insert(seen.end(), each->begin(), each->end());
    }
  }
  return seen;
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "checkpoint_test." +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    Clear();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Clear() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
  }

  std::string directory_;
};

using Kind = SelectorOptions::Kind;

TEST_F(CheckpointTest, ARestoredReplayGoesOnAsTheSavedOne) {
  Random random(1);
  for (const Kind sampler : {Kind::kUniform, Kind::kPrioritized, Kind::kFifo}) {
    for (const Kind remover : {Kind::kUniform, Kind::kFifo}) {
      const ReplayOptions options = Options(sampler, remover);
      for (const int64_t calls : {0, 1, 10, 100, 500}) {
        Clear();
        const auto saved = Make(options);
        Play(saved.get(), random, calls);
        const StatusOr<std::vector<FileSum>> files = saved->Save(directory_);
        ASSERT_TRUE(files.ok()) << files.status().message();
        const auto restored = Make(options);
        Play(restored.get(), random, 20);  // is replaced
        const Status status = restored->Restore(directory_, *files);
        ASSERT_TRUE(status.ok()) << status.message();
        ASSERT_TRUE(restored->CheckValid().ok()) << restored->CheckValid().message();
        ASSERT_TRUE(saved->CheckValid().ok()) << saved->CheckValid().message();
        EXPECT_EQ(restored->bytes_in_use(), saved->bytes_in_use());
        random.Next();
        EXPECT_EQ(Play(restored.get(), random, 200), Play(saved.get(), random, 200));
        ASSERT_TRUE(restored->CheckValid().ok());
      }
    }
  }
}

TEST_F(CheckpointTest, AReplayThatWasResetGoesOnTheSameWithKeysOfItsOwn) {
  const ReplayOptions options = Options(Kind::kPrioritized, Kind::kFifo);
  for (const int64_t calls : {0, 3, 40}) {
    Clear();
    const auto saved = Make(options);
    const std::vector<int64_t> before = Play(saved.get(), Random(5), 300);
    ASSERT_TRUE(saved->Reset().ok());
    Play(saved.get(), Random(6), calls);
    const auto files = saved->Save(directory_);
    ASSERT_TRUE(files.ok());
    const auto restored = Make(options);
    ASSERT_TRUE(restored->Restore(directory_, *files).ok());
    ASSERT_TRUE(restored->CheckValid().ok()) << restored->CheckValid().message();
    // The first that was seen is a key.
    EXPECT_EQ(*restored->Delete(0, before.data(), 1), 0);
    EXPECT_EQ(Play(restored.get(), Random(7), 200), Play(saved.get(), Random(7), 200));
  }
}

TEST_F(CheckpointTest, ASelectorOfAnotherKindTakesTheItemsInTheirOrder) {
  const auto saved = Make(Options(Kind::kUniform, Kind::kUniform));
  Play(saved.get(), Random(2), 300);
  const auto files = saved->Save(directory_);
  ASSERT_TRUE(files.ok());
  ReplayOptions options = Options(Kind::kFifo, Kind::kFifo);
  options.tables[0].max_size = 5;
  options.tables[1].max_times_sampled = 1;
  const auto restored = Make(options);
  ASSERT_TRUE(restored->Restore(directory_, *files).ok());
  ASSERT_TRUE(restored->CheckValid().ok()) << restored->CheckValid().message();
  EXPECT_EQ(restored->Stats(0)->size, 5);
  int64_t before = INT64_MAX;
  for (int i = 0; i < 5; ++i) {
    Batch batch(1);
    void* const outputs[] = {batch.x.data()};
    ASSERT_TRUE(restored->Sample(0, 1, {0.0}, batch.arrays(), outputs, kNoWait).ok());
    EXPECT_LT(batch.age[0], before);
    before = batch.age[0];
    ASSERT_EQ(*restored->Delete(0, batch.key.data(), 1), 1);
  }
}

TEST_F(CheckpointTest, WhatDoesNotFitIsRefusedAndNamed) {
  const ReplayOptions options = Options(Kind::kUniform, Kind::kFifo);
  const auto saved = Make(options);
  Play(saved.get(), Random(3), 50);
  const auto files = saved->Save(directory_);
  ASSERT_TRUE(files.ok());
  const auto refusal = [&](auto change) {
    ReplayOptions other = options;
    change(&other);
    const auto replay = Make(other);
    const Status status = replay->Restore(directory_, *files);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(replay->Stats(0)->size, 0);
    return status.message();
  };
  EXPECT_EQ(refusal([](ReplayOptions* o) { o->columns[1].shape = {4}; }),
            "the checkpoint's columns are x int64(), y uint8(3,); this replay's are x "
            "int64(), y uint8(4,)");
  EXPECT_EQ(refusal([](ReplayOptions* o) { o->tables[0].name = "u"; }),
            "the checkpoint's tables are 't', 'sequences'; this replay's are 'u', "
            "'sequences'");
  EXPECT_EQ(refusal([](ReplayOptions* o) { o->num_streams = 2; }),
            "the checkpoint has 3 streams, this replay 2; give num_streams at least as "
            "many");
  EXPECT_EQ(refusal([](ReplayOptions* o) { o->segment_rows = 8; }),
            "the checkpoint has segment_rows = 4, this replay 8; give the same, or 0 "
            "to take the checkpoint's");
  EXPECT_EQ(refusal([](ReplayOptions* o) { o->tables[0].pattern.length = 9; }),
            "the patterns, views and history of this replay need the newest 12 rows of "
            "a stream's episode, 2 of them for stacking; the checkpoint kept 8 and 2");
}

TEST_F(CheckpointTest, MoreStreamsAndOtherTableOrderAreTaken) {
  ReplayOptions options = Options(Kind::kUniform, Kind::kFifo);
  const auto saved = Make(options);
  Play(saved.get(), Random(4), 100);
  const auto files = saved->Save(directory_);
  ASSERT_TRUE(files.ok());
  options.num_streams = 5;
  options.segment_rows = 0;
  std::swap(options.tables[0], options.tables[1]);
  const auto restored = Make(options);
  ASSERT_TRUE(restored->Restore(directory_, *files).ok());
  EXPECT_EQ(restored->Stats(1)->num_inserted, saved->Stats(0)->num_inserted);
  const int64_t x = 0;
  const uint8_t y[] = {0, 0, 0};
  const void* const columns[] = {&x, y};
  const RowFlags row = {4, true, false};
  EXPECT_TRUE(restored->Append(&row, 1, columns, nullptr, kNoWait).ok());
  EXPECT_TRUE(restored->CheckValid().ok());
  EXPECT_TRUE(restored->Restore(directory_, *files).ok()) << "a second time";
}

TEST_F(CheckpointTest, AMissingOrLongerFileIsDamage) {
  const ReplayOptions options = Options(Kind::kUniform, Kind::kFifo);
  const auto replay = Make(options);
  Play(replay.get(), Random(5), 100);
  auto files = replay->Save(directory_);
  ASSERT_TRUE(files.ok());
  for (const FileSum& each : *files) {
    EXPECT_TRUE(VerifyFile(directory_, each).ok());
    const std::string path = directory_ + "/" + each.name;
    std::filesystem::rename(path, path + ".away");
    EXPECT_EQ(replay->Restore(directory_, *files).code(), StatusCode::kDataLoss);
    EXPECT_EQ(VerifyFile(directory_, each).code(), StatusCode::kDataLoss);
    std::filesystem::rename(path + ".away", path);
    std::filesystem::resize_file(path, static_cast<size_t>(each.bytes) + 1);
    EXPECT_EQ(replay->Restore(directory_, *files).code(), StatusCode::kDataLoss);
    std::filesystem::resize_file(path, static_cast<size_t>(each.bytes));
  }
  EXPECT_TRUE(replay->Restore(directory_, *files).ok());
  files->pop_back();
  EXPECT_EQ(replay->Restore(directory_, *files).code(), StatusCode::kDataLoss);
  EXPECT_EQ(replay->Save(directory_).status().code(), StatusCode::kIoError)
      << "the files are there already";
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST_F(CheckpointTest, ASaveIsOfOneMomentWhileOthersGoOn) {
  const ReplayOptions options = Options(Kind::kPrioritized, Kind::kFifo);
  const auto saved = Make(options);
  Play(saved.get(), Random(6), 50);
  std::thread busy([&] { Play(saved.get(), Random(7), 3000); });
  for (int i = 0; i < 20; ++i) {
    Clear();
    const auto files = saved->Save(directory_);
    ASSERT_TRUE(files.ok());
    const auto restored = Make(options);
    const Status status = restored->Restore(directory_, *files);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(restored->CheckValid().ok()) << restored->CheckValid().message();
  }
  busy.join();
  EXPECT_TRUE(saved->CheckValid().ok());
}

int64_t NumLinked(const std::string& directory, const std::vector<FileSum>& files) {
  return std::count_if(files.begin(), files.end(), [&directory](const FileSum& each) {
    return std::filesystem::hard_link_count(directory + "/" + each.name) > 1;
  });
}

TEST_F(CheckpointTest, ASaveLinksWhatHasNotChangedAndLeavesOutWhatComesMeanwhile) {
  ReplayOptions options = Options(Kind::kPrioritized, Kind::kFifo);
  options.tables.pop_back();
  options.tables[0].max_size = 5000;
  options.columns = {{"x", DType::kUint8, {1024}}};
  options.segment_rows = 16;
  const auto saved = Make(options);
  std::vector<uint8_t> x(kStreams * 1024);
  const auto append = [&](int num_ticks) {
    for (int i = 0; i < num_ticks; ++i) {
      std::fill(x.begin(), x.end(), static_cast<uint8_t>(i));
      const void* const columns[] = {x.data()};
      RowFlags rows[kStreams];
      for (int32_t k = 0; k < kStreams; ++k) rows[k] = {k, i == 0, false};
      ASSERT_TRUE(saved->Append(rows, kStreams, columns, nullptr, kNoWait).ok());
    }
  };
  append(2000);
  std::string base;
  for (int i = 0; i < 5; ++i) {
    const std::string directory = directory_ + "/" + std::to_string(i);
    std::filesystem::create_directory(directory);
    append(20);
    const int64_t inserted = saved->Stats(0)->num_inserted;
    const auto files = saved->Save(directory, base, [&] { append(20); });
    ASSERT_TRUE(files.ok()) << files.status().message();
    EXPECT_EQ(NumLinked(directory, *files) > 0, i > 0);
    std::filesystem::remove_all(base);
    const auto restored = Make(options);
    const Status status = restored->Restore(directory, *files);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(restored->CheckValid().ok()) << restored->CheckValid().message();
    EXPECT_EQ(restored->Stats(0)->size, 5000);
    EXPECT_EQ(restored->Stats(0)->num_inserted, inserted);
    base = directory;
  }
  EXPECT_TRUE(saved->CheckValid().ok());
}

}  // namespace
}  // namespace tfa
