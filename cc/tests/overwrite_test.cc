// Stored values that are overwritten by key.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cc/block_codec.h"
#include "cc/column_reader.h"
#include "cc/replay.h"
#include "cc/tests/batch.h"

namespace tfa {
namespace {

constexpr int64_t kLength = 4;

View RowsOf(int64_t column) {
  View view;
  view.kind = View::Kind::kRows;
  view.column = column;
  view.stop = kLength;
  return view;
}

TableOptions MakeTable(const std::string& name, int64_t period) {
  TableOptions table;
  table.name = name;
  table.remover.kind = SelectorOptions::Kind::kFifo;
  table.max_size = 1000;
  table.pattern = {Pattern::Kind::kSequence, kLength, period, true};
  table.views = {RowsOf(0)};
  return table;
}

// Sequences that share rows, within a table and between two.
ReplayOptions Options() {
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}}, {"y", DType::kInt64, {2}}};
  options.tables = {MakeTable("t", 2), MakeTable("other", kLength)};
  options.segment_rows = 4;
  return options;
}

// An episode whose x is 0, 1, 2, ...; returns the keys of its items, by table.
NewKeys AppendEpisode(Replay* replay, int64_t n) {
  std::vector<RowFlags> rows(static_cast<size_t>(n));
  rows.front().first = rows.back().last = true;
  std::vector<int64_t> x(rows.size());
  std::iota(x.begin(), x.end(), 0);
  const auto y_size = static_cast<size_t>(replay->columns()[1].num_elements());
  const std::vector<int64_t> y(y_size * rows.size(), 7);
  const void* const columns[] = {x.data(), y.data()};
  NewKeys keys;
  EXPECT_TRUE(
      replay->AppendSteps(rows.data(), n, columns, nullptr, kNoWait, &keys).ok());
  return keys;
}

std::vector<int64_t> Get(Replay* replay, int64_t table, std::vector<int64_t> keys) {
  Batch info(keys.size());
  std::vector<int64_t> x(keys.size() * kLength);
  void* const outputs[] = {x.data()};
  const auto n = static_cast<int64_t>(keys.size());
  const Status status =
      replay->Get(table, keys.data(), n, info.arrays(), outputs, kNoWait);
  EXPECT_TRUE(status.ok()) << status.message();
  return x;
}

StatusOr<int64_t> Overwrite(Replay* replay, const std::vector<int64_t>& keys,
                            const std::vector<int64_t>& x, int64_t start,
                            int64_t stop) {
  RowValues values;
  values.start = start;
  values.stop = stop;
  values.columns = {{0, x.data()}};
  return replay->Overwrite(0, keys.data(), static_cast<int64_t>(keys.size()), values,
                           kNoWait);
}

using Numbers = std::vector<int64_t>;

class OverwriteTest : public testing::Test {
 protected:
  void SetUp() override {
    replay_ = std::move(*Replay::Create(Options()));
    const NewKeys keys = AppendEpisode(replay_.get(), 9);
    keys_ = keys[0];
    other_ = keys[1];
    // Padded at the end: rows 6, 7 and 8.
    ASSERT_EQ(Get(replay_.get(), 0, {keys_[3]}), (Numbers{6, 7, 8, 0}));
  }

  std::unique_ptr<Replay> replay_;
  Numbers keys_;   // of items that begin with rows 0, 2, 4, ...
  Numbers other_;  // with rows 0, 4, 8
};

TEST_F(OverwriteTest, EveryItemThatHasTheRowHasTheNewValue) {
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[1]}, {102, 103, 104, 105}, 0, 4), 1);
  EXPECT_EQ(Get(replay_.get(), 0, {keys_[0], keys_[2]}),
            (Numbers{0, 1, 102, 103, 104, 105, 6, 7}));
  EXPECT_EQ(Get(replay_.get(), 1, {other_[0], other_[1]}),
            (Numbers{0, 1, 102, 103, 104, 105, 6, 7}));
  EXPECT_TRUE(replay_->CheckValid().ok());
}

TEST_F(OverwriteTest, ANegativeRowCountsFromTheItemsEnd) {
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[3], keys_[0]}, {108, 103}, -1, 0), 2);
  EXPECT_EQ(Get(replay_.get(), 0, {keys_[0], keys_[3]}),
            (Numbers{0, 1, 2, 103, 6, 7, 108, 0}));
}

TEST_F(OverwriteTest, RowsThatAnItemDoesNotHaveAreLeftOut) {
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[3]}, {1, 2, 3, 4, 5}, 2, 7), 1);
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[3]}, {9}, -4, -3), 1);
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[3]}, {9}, kMaxExtent, kMaxExtent + 1), 1);
  EXPECT_EQ(Get(replay_.get(), 0, {keys_[2], keys_[3]}),
            (Numbers{4, 5, 6, 7, 6, 7, 1, 0}));
}

TEST_F(OverwriteTest, OfEqualKeysTheLastCounts) {
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[1], keys_[0], keys_[1]}, {1, 2, 3}, 0, 1),
            3);
  EXPECT_EQ(Get(replay_.get(), 0, {keys_[0]}), (Numbers{2, 1, 3, 3}));
}

TEST_F(OverwriteTest, ItemsThatHaveGoneAreSkippedAndCounted) {
  ASSERT_TRUE(replay_->Delete(0, &keys_[1], 1).ok());
  EXPECT_EQ(*Overwrite(replay_.get(), {keys_[0], keys_[1], keys_[3]}, {1, 2, 3}, 0, 1),
            2);
  EXPECT_EQ(replay_->Stats(0)->num_stale_updates, 1);
  EXPECT_EQ(Get(replay_.get(), 0, {keys_[0], keys_[3]}),
            (Numbers{1, 1, 2, 3, 3, 7, 8, 0}));
}

TEST_F(OverwriteTest, WhatCannotBeIsRefusedBeforeAnythingIsWritten) {
  const auto code = [&](const Numbers& keys, int64_t start, int64_t stop,
                        int64_t column) {
    const Numbers x(20, 5);
    RowValues values;
    values.start = start;
    values.stop = stop;
    values.columns = {{0, x.data()}, {column, x.data()}};
    return replay_->Overwrite(0, keys.data(), static_cast<int64_t>(keys.size()), values,
                              kNoWait)
        .status()
        .code();
  };
  EXPECT_EQ(code({keys_[0], -1}, 0, 1, 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({keys_[0]}, 0, 0, 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({keys_[0]}, 2, 1, 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({keys_[0]}, -2, 0, 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({keys_[0]}, 0, 1, 2), StatusCode::kOutOfRange);
  EXPECT_EQ(code({keys_[0]}, 0, 1, -1), StatusCode::kOutOfRange);
  EXPECT_EQ(Get(replay_.get(), 0, {keys_[0]}), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(replay_->Stats(0)->num_stale_updates, 0);
  EXPECT_EQ(code({keys_[0]}, 0, 1, 1), StatusCode::kOk);
  replay_->Close();
  EXPECT_EQ(code({keys_[0]}, 0, 1, 1), StatusCode::kCancelled);
}

// Directories for checkpoints, which go when it does.
class Directories {
 public:
  Directories() { EXPECT_NE(mkdtemp(parent_.data()), nullptr); }
  ~Directories() { std::filesystem::remove_all(parent_); }
  std::string New() {
    const std::string path = parent_ + "/" + std::to_string(num_++);
    std::filesystem::create_directory(path);
    return path;
  }

 private:
  std::string parent_ = testing::TempDir() + "overwrite_XXXXXX";
  int64_t num_ = 0;
};

// Rows of which some hundreds fill files that successive checkpoints share.
ReplayOptions LargeRows() {
  ReplayOptions options = Options();
  options.columns[1].shape = {2048};
  return options;
}

struct Saved {
  std::string directory;
  std::vector<FileSum> files;
};

int64_t FirstValue(const Saved& saved, int64_t key) {
  const auto replay = std::move(*Replay::Create(LargeRows()));
  const Status status = replay->Restore(saved.directory, saved.files);
  EXPECT_TRUE(status.ok()) << status.message();
  return Get(replay.get(), 0, {key})[0];
}

int64_t NumShared(const Saved& a, const Saved& b) {
  return std::count_if(a.files.begin(), a.files.end(), [&b](const FileSum& file) {
    return std::any_of(b.files.begin(), b.files.end(), [&file](const FileSum& other) {
      return file.name == other.name && file.name.rfind("rows", 0) == 0;
    });
  });
}

TEST(SavedOverwriteTest, ACheckpointHasWhatWasThereWhenItWasSaved) {
  Directories directories;
  auto replay = std::move(*Replay::Create(LargeRows()));
  const Numbers keys = AppendEpisode(replay.get(), 500)[0];
  std::vector<Saved> saved;
  for (int64_t i = 0; i < 6; ++i) {
    if (i == 3) {  // what was restored goes on the same
      replay = std::move(*Replay::Create(LargeRows()));
      ASSERT_TRUE(replay->Restore(saved[2].directory, saved[2].files).ok());
    }
    if (i > 0) {
      ASSERT_EQ(*Overwrite(replay.get(), {keys[0]}, {100 + i}, 0, 1), 1);
    }
    const std::string base = saved.empty() ? "" : saved.back().directory;
    const std::string directory = directories.New();
    saved.push_back({directory, *replay->Save(directory, base)});
  }
  EXPECT_EQ(FirstValue(saved[0], keys[0]), 0);
  for (int64_t i = 1; i < 6; ++i) {
    const auto s = static_cast<size_t>(i);
    EXPECT_EQ(FirstValue(saved[s], keys[0]), 100 + i);
    EXPECT_GT(NumShared(saved[s - 1], saved[s]), 0);
  }
}

TEST(SavedOverwriteTest, WhatIsOverwrittenDuringASaveIsInTheNextOne) {
  Directories directories;
  const auto replay = std::move(*Replay::Create(LargeRows()));
  const Numbers keys = AppendEpisode(replay.get(), 500)[0];
  std::atomic<bool> stop{false};
  std::atomic<int64_t> last{0};
  std::thread writer([&] {
    while (!stop) {
      for (const int64_t key : keys) {
        RowValues values;
        const int64_t x = last + 1;
        values.columns = {{0, &x}};
        EXPECT_EQ(*replay->Overwrite(0, &key, 1, values, Deadline::max()), 1);
      }
      ++last;
    }
  });
  std::string base;
  const auto save = [&] {
    const std::string directory = directories.New();
    Saved saved = {directory, *replay->Save(directory, base)};
    base = directory;
    return saved;
  };
  for (int i = 0; i < 10; ++i) save();
  stop = true;
  writer.join();
  const Saved saved = save();
  const auto restored = std::move(*Replay::Create(LargeRows()));
  ASSERT_TRUE(restored->Restore(saved.directory, saved.files).ok());
  EXPECT_EQ(Get(restored.get(), 0, keys), Get(replay.get(), 0, keys));
  EXPECT_EQ(Get(restored.get(), 0, {keys[0]})[0], last);
}

class PackedOverwriteTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  }
};

TEST_F(PackedOverwriteTest, PlainColumnsAreOverwrittenBesideCompressedOnes) {
  constexpr int64_t kPixels = 1000;
  StepStore::Options options;
  options.segment_rows = 4;
  const auto store =
      *StepStore::Create({{"x", DType::kInt64, {}},
                          {"pixels", DType::kUint8, {kPixels}, Compression::kLz4}},
                         options);
  std::vector<Window> rows;
  for (int64_t x = 0; x < 8; ++x) {
    const std::vector<uint8_t> pixels(kPixels, static_cast<uint8_t>(x));
    const void* const columns[] = {&x, pixels.data()};
    const RowFlags row = {0, x == 0, false};
    ASSERT_TRUE(store->Append(&row, 1, columns).ok());
    rows.push_back(*store->Recent(0, 0, 1));
    store->Ref(rows.back());
  }
  const auto overwrite = [&](int64_t row, int64_t x) {
    RowValues values;
    values.columns = {{0, &x}};
    store->Overwrite(&rows[static_cast<size_t>(row)], 1, values);
  };
  PackingBuffer buffer;
  overwrite(0, 100);  // before it is packed
  const int32_t segment = store->StartPacking();
  ASSERT_EQ(segment, rows[0].segment);
  overwrite(1, 101);  // while
  PackedSegment packed = store->PackRows(segment, &buffer);
  ASSERT_FALSE(packed.empty());
  overwrite(2, 102);
  store->Pin(rows[0]);  // packed rows wait for a reader of the raw ones
  store->FinishPacking(segment, std::move(packed));
  overwrite(1, 111);
  EXPECT_EQ(store->layout().PackedBytes(store->SegmentData(segment)), 0);
  store->Unpin(rows[0]);
  EXPECT_GT(store->layout().PackedBytes(store->SegmentData(segment)), 0);
  overwrite(3, 103);  // and afterwards
  const ColumnReader x(*store, 0);
  const ColumnReader pixels(*store, 1);
  const int64_t expected[] = {100, 111, 102, 103, 4};
  for (size_t i = 0; i < 5; ++i) {
    const LocatedWindow row = {rows[i], store->SegmentData(rows[i].segment)};
    EXPECT_EQ(*reinterpret_cast<const int64_t*>(x.Row(row, 0)), expected[i]);
    EXPECT_EQ(pixels.Row(row, 0)[kPixels - 1], i);
    EXPECT_EQ(store->EpisodeStep(rows[i].segment, rows[i].offset), i);
  }
}

TEST_F(PackedOverwriteTest, ACompressedColumnIsRefusedWithTheWayOut) {
  ReplayOptions options = Options();
  options.columns[0].compression = Compression::kLz4;
  const auto replay = std::move(*Replay::Create(options));
  const Numbers keys = AppendEpisode(replay.get(), 9)[0];
  const Status status = Overwrite(replay.get(), {keys[0]}, {1}, 0, 1).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("column 'x' is compressed"), std::string::npos);
}

// Samplers of small and of large batches, one who looks items up, one who appends, one
// who saves, and two who overwrite all the while. All elements of a row are equal.
class RacingOverwriteTest : public testing::TestWithParam<Compression> {
 protected:
  static constexpr int64_t kWords = 64;
  static constexpr int64_t kLargeBatch = 9'000;  // copied by several threads

  void SetUp() override {
    if (GetParam() == Compression::kLz4 && !HasLz4()) {
      GTEST_SKIP() << "built without LZ4";
    }
    ReplayOptions options;
    options.columns = {{"x", DType::kInt64, {kWords}},
                       {"pixels", DType::kUint8, {500}, GetParam()}};
    options.tables = {MakeTable("t", 2)};
    options.tables[0].max_size = 100;
    View row;
    View last;
    last.start = -1;
    options.tables[0].views = {row, last};
    options.segment_rows = 4;
    replay_ = std::move(*Replay::Create(options));
    for (int64_t i = 0; i < 40; ++i) Append(i);
  }

  void Append(int64_t i) {
    const Numbers x(kWords, i);
    const std::vector<uint8_t> pixels(500, 7);
    const void* const columns[] = {x.data(), pixels.data()};
    const RowFlags row = {0, i % 100 == 0, i % 100 == 99};
    EXPECT_TRUE(replay_->Append(&row, 1, columns, nullptr, Deadline::max()).ok());
  }

  // Tries again while a call that is told not to wait would have to for an overwrite.
  template <class Call>
  Status Repeat(Call call) {
    for (;;) {
      Status status = call();
      if (status.code() != StatusCode::kUnavailable) return status;
      ++num_late_;
    }
  }

  void CheckWhole(const Numbers& rows) {
    for (size_t i = 0; i < rows.size(); i += kWords) {
      const auto row = rows.begin() + static_cast<int64_t>(i);
      if (std::count(row, row + kWords, *row) != kWords) ++num_torn_;
    }
  }

  void Sample(int64_t n) {
    Batch info(static_cast<size_t>(n));
    Numbers first(static_cast<size_t>(n * kWords));
    Numbers last(first.size());
    void* const outputs[] = {first.data(), last.data()};
    const Status status = Repeat(
        [&] { return replay_->Sample(0, n, {}, info.arrays(), outputs, kNoWait); });
    EXPECT_TRUE(status.ok()) << status.message();
    CheckWhole(first);
    CheckWhole(last);
  }

  void LookUp() {
    const Numbers keys = *replay_->Keys(0);
    Batch info(keys.size());
    Numbers first(keys.size() * kWords);
    Numbers last(first.size());
    void* const outputs[] = {first.data(), last.data()};
    const auto n = static_cast<int64_t>(keys.size());
    const Status status = Repeat([&] {
      return replay_->Get(0, keys.data(), n, info.arrays(), outputs, kNoWait);
    });
    if (status.code() == StatusCode::kNotFound) return;  // one of them has gone
    EXPECT_TRUE(status.ok()) << status.message();
    CheckWhole(first);
    CheckWhole(last);
  }

  void OverwriteAll(int64_t value) {
    const Numbers keys = *replay_->Keys(0);
    const Numbers x(keys.size() * kWords * 2, value);
    RowValues values;
    values.stop = 2;
    values.columns = {{0, x.data()}};
    const auto n = static_cast<int64_t>(keys.size());
    EXPECT_TRUE(replay_->Overwrite(0, keys.data(), n, values, Deadline::max()).ok());
  }

  // The rows of a checkpoint.
  void SaveAndLook(Directories* directories) {
    const std::string directory = directories->New();
    const auto files = replay_->Save(directory);
    ASSERT_TRUE(files.ok()) << files.status().message();
    ReplayOptions options;
    options.columns = replay_->columns();
    options.tables = {replay_->table_options(0)};
    const auto restored = std::move(*Replay::Create(options));
    ASSERT_TRUE(restored->Restore(directory, *files).ok());
    const Numbers keys = *restored->Keys(0);
    Batch info(keys.size());
    Numbers first(keys.size() * kWords);
    Numbers last(first.size());
    void* const outputs[] = {first.data(), last.data()};
    ASSERT_TRUE(restored
                    ->Get(0, keys.data(), static_cast<int64_t>(keys.size()),
                          info.arrays(), outputs)
                    .ok());
    CheckWhole(first);
    CheckWhole(last);
  }

  std::unique_ptr<Replay> replay_;
  std::atomic<int64_t> num_torn_{0};
  std::atomic<int64_t> num_late_{0};
};

TEST_P(RacingOverwriteTest, NobodySeesHalfOfAValue) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const auto loop = [&](auto work) {
    threads.emplace_back([&stop, work] {
      for (int64_t i = 0; !stop; ++i) work(i);
    });
  };
  loop([this](int64_t) { Sample(16); });
  loop([this](int64_t) { Sample(kLargeBatch); });
  loop([this](int64_t) { LookUp(); });
  loop([this](int64_t i) { Append(40 + i); });
  Directories directories;
  loop([&](int64_t) { SaveAndLook(&directories); });
  std::vector<std::thread> writers;
  for (int64_t w = 0; w < 2; ++w) {
    writers.emplace_back([this, w] {
      for (int64_t i = 0; i < 300; ++i) OverwriteAll(1000 * w + i);
      // Until somebody had to wait.
      while (num_late_ == 0 && num_torn_ == 0) OverwriteAll(w);
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_torn_, 0);
  EXPECT_TRUE(replay_->CheckValid().ok());
}

// Of samplers without a pause one always copies: new ones wait, or an overwrite would
// wait for many of them.
TEST_P(RacingOverwriteTest, SamplersDoNotStarveAnOverwriteNorItThem) {
  constexpr int kSamplers = 6;
  constexpr int64_t kOverwrites = 200;
  constexpr int64_t kMost = 5'000;  // then samplers end, lest one waits for ever
  std::atomic<int64_t> num_samples{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> samplers;
  for (int i = 0; i < kSamplers; ++i) {
    samplers.emplace_back([&] {
      constexpr int64_t kBatch = 3'000;
      Batch info(kBatch);
      Numbers first(kBatch * kWords);
      Numbers last(first.size());
      void* const outputs[] = {first.data(), last.data()};
      while (!stop && num_samples < kMost) {
        const KeptPlace place;
        EXPECT_TRUE(
            replay_->Sample(0, kBatch, {}, info.arrays(), outputs, Deadline::max()).ok());
        ++num_samples;
      }
    });
  }
  const Numbers keys = *replay_->Keys(0);
  const Numbers x(kWords, 3);
  RowValues values;
  values.columns = {{0, x.data()}};
  while (num_samples < kSamplers) std::this_thread::yield();
  const int64_t before = num_samples;
  for (int64_t i = 0; i < kOverwrites; ++i) {
    ASSERT_EQ(*replay_->Overwrite(0, keys.data(), 1, values, Deadline::max()), 1);
  }
  const int64_t meanwhile = num_samples - before;
  EXPECT_LE(meanwhile, 2 * kSamplers * kOverwrites);
  while (num_samples < before + meanwhile + 100 && num_samples < kMost) {
    ASSERT_EQ(*replay_->Overwrite(0, keys.data(), 1, values, Deadline::max()), 1);
  }
  stop = true;
  for (std::thread& sampler : samplers) sampler.join();
}

INSTANTIATE_TEST_SUITE_P(Columns, RacingOverwriteTest,
                         testing::Values(Compression::kNone, Compression::kLz4));

}  // namespace
}  // namespace tfa
