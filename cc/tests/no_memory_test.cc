// What is left of a replay when there is no memory for a call: what was there before.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "cc/block_codec.h"
#include "cc/random.h"
#include "cc/replay.h"
#include "cc/tests/batch.h"
#include "cc/tests/failing_allocations.h"

namespace tfa {
namespace {

constexpr int64_t kStreams = 3;
constexpr int64_t kPixels = 256;
constexpr int64_t kUnroll = 4;

enum TableIndex { kUniform, kPrioritized, kQueue, kKept, kHeap, kUnrolls };

View RowView(int64_t column) {
  View view;
  view.column = column;
  view.start = -1;
  return view;
}

TableOptions MakeTable(const std::string& name, Pattern pattern,
                       SelectorOptions::Kind sampler) {
  TableOptions options;
  options.name = name;
  options.pattern = pattern;
  options.sampler.kind = sampler;
  options.sampler.prioritized.alpha = 0.6;
  options.remover.kind = SelectorOptions::Kind::kFifo;
  options.max_size = 150;
  options.views = {RowView(0), RowView(1)};
  return options;
}

// Tables of every kind, over two columns.
ReplayOptions Options(Compression compression, int64_t max_bytes, bool grows) {
  using Kind = SelectorOptions::Kind;
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}},
                     {"pixels", DType::kUint8, {kPixels}, compression}};
  options.num_streams = kStreams + 1;  // one for a writer of chunks
  options.segment_rows = 4;
  options.history = 6;
  options.max_bytes = max_bytes;
  const Pattern n_step = {Pattern::Kind::kNStep, 3, 1, true};
  options.tables = {
      MakeTable("uniform", n_step, Kind::kUniform),
      MakeTable("prioritized", n_step, Kind::kPrioritized),
      MakeTable("queue", {Pattern::Kind::kSequence, 2, 2, true}, Kind::kFifo),
      MakeTable("kept", {}, Kind::kWithoutReplacement),
      MakeTable("heap", {}, Kind::kMaxHeap),
      MakeTable("unrolls", {Pattern::Kind::kUnroll, kUnroll, kUnroll, true},
                Kind::kLifo),
  };
  options.tables[kUniform].insert_on_sample = "kept";
  options.tables[kQueue].max_times_sampled = 1;
  options.tables[kKept].max_size = grows ? 100 : 20;
  if (max_bytes == 0) {
    options.tables[kKept].remover.kind = Kind::kMinHeap;
    options.tables[kPrioritized].remover.kind = Kind::kPrioritized;
  }
  View steps;
  steps.kind = View::Kind::kSteps;
  steps.stop = kUnroll;
  options.tables[kUnrolls].views = {steps};
  return options;
}

// What a call gave.
struct Result {
  StatusCode code = StatusCode::kOk;
  std::vector<int64_t> numbers;
  std::vector<double> weights;
  bool operator==(const Result& other) const {
    return code == other.code && numbers == other.numbers && weights == other.weights;
  }
};

// A call with all that it writes to: made before memory gets scarce.
using Call = std::function<Status()>;
using MakeCall = std::function<Call(Replay*, Result*)>;

MakeCall AppendRows(int64_t t) {
  return [t](Replay* replay, Result*) -> Call {
    std::vector<int64_t> x;
    std::vector<uint8_t> pixels;
    std::vector<RowFlags> rows;
    for (int32_t s = 0; s < kStreams; ++s) {
      const int64_t step = (t + s) % 11;
      rows.push_back({s, step == 0 || t == 0, step == 10});
      x.push_back(100 * t + s);
      // Half of them can be compressed.
      Random random(static_cast<uint64_t>(x.back()));
      for (int64_t i = 0; i < kPixels; ++i) {
        const uint64_t pixel = i < kPixels / 2 ? random.Next() % 256 : 7;
        pixels.push_back(static_cast<uint8_t>(pixel));
      }
    }
    return [=] {
      const void* const columns[] = {x.data(), pixels.data()};
      return replay->Append(rows.data(), kStreams, columns, nullptr, Deadline::max());
    };
  };
}

// Of a writer that comes and goes, with episodes of three steps.
MakeCall AppendChunk(int64_t t) {
  return [t](Replay* replay, Result* result) -> Call {
    const Chunk chunk = {"writer", *replay->LastNumber("writer") + 1};
    if (t % 5 == 4) return [=] { return replay->CloseWriter(chunk).status(); };
    const auto n = static_cast<size_t>(3 + t % 30);
    std::vector<RowFlags> rows(n);
    for (size_t i = 0; i < n; ++i) rows[i].first = i % 4 == 0;
    for (size_t i = 0; i < n; ++i) rows[i].last = i % 4 == 3;
    const std::vector<int64_t> x(n, 10'000 + t);
    const std::vector<uint8_t> pixels(n * kPixels, static_cast<uint8_t>(t));
    result->numbers.resize(1);
    return [=]() mutable {
      const void* const columns[] = {x.data(), pixels.data()};
      const StatusOr<bool> is_new =
          replay->AppendChunk(chunk, rows.data(), static_cast<int64_t>(n), columns,
                              nullptr, Deadline::max(), t % 2 == 0);
      if (is_new.ok()) result->numbers[0] = *is_new ? 1 : 0;
      return is_new.status();
    };
  };
}

MakeCall LookUp(int64_t table) {
  return [table](Replay* replay, Result* result) -> Call {
    std::vector<int64_t> keys = *replay->Keys(table);
    keys.resize(std::min<size_t>(keys.size(), 9));
    const size_t n = keys.size();
    const auto info = std::make_shared<InfoArrays>(n);
    const auto x = std::make_shared<std::vector<int64_t>>(n);
    const auto pixels = std::make_shared<std::vector<uint8_t>>(n * kPixels);
    return [=] {
      void* const outputs[] = {x->data(), pixels->data()};
      Status status = replay->Get(table, keys.data(), static_cast<int64_t>(n),
                                  info->arrays(), outputs);
      result->numbers = *x;
      return status;
    };
  };
}

MakeCall CreateItem(int64_t table, double priority) {
  return [=](Replay* replay, Result* result) -> Call {
    result->numbers.resize(1);
    return [=] {
      const StatusOr<int64_t> key =
          replay->CreateItem(table, 1, 0, 1, priority, kNoWait);
      if (key.ok()) result->numbers[0] = *key;
      return key.status();
    };
  };
}

MakeCall SampleItems(int64_t table, size_t n, WeightOptions weights = {}) {
  return [=](Replay* replay, Result* result) -> Call {
    const auto info = std::make_shared<InfoArrays>(n);
    const auto x = std::make_shared<std::vector<int64_t>>(n * kUnroll);
    const auto pixels = std::make_shared<std::vector<uint8_t>>(n * kPixels);
    result->numbers.resize(n * (kUnroll + 2));
    result->weights.resize(n);
    return [=] {
      void* const outputs[] = {x->data(), pixels->data()};
      Status status = replay->Sample(table, static_cast<int64_t>(n), weights,
                                     info->arrays(), outputs, kNoWait);
      for (size_t i = 0; i < n; ++i) {
        result->numbers[i] = info->key[i];
        result->numbers[n + i] = (*pixels)[i * kPixels];
        result->weights[i] = info->weight[i];
      }
      std::copy(x->begin(), x->end(), result->numbers.begin() + 2 * n);
      return status;
    };
  };
}

// Keys that a table of those sizes has or had.
std::vector<int64_t> Keys(int64_t t, size_t n) {
  std::vector<int64_t> keys(n);
  for (size_t i = 0; i < n; ++i) {
    keys[i] = (t + 3 * static_cast<int64_t>(i)) % 12 | (static_cast<int64_t>(i) % 3)
                                                             << 31;
  }
  return keys;
}

MakeCall UpdatePriorities(int64_t table, int64_t t, size_t n) {
  return [=](Replay* replay, Result* result) -> Call {
    result->numbers.resize(1);
    const std::vector<int64_t> keys = Keys(t, n);
    const std::vector<double> priorities(n, 0.5 + static_cast<double>(t % 7));
    return [=] {
      const StatusOr<int64_t> written = replay->UpdatePriorities(
          table, keys.data(), priorities.data(), static_cast<int64_t>(n));
      if (written.ok()) result->numbers[0] = *written;
      return written.status();
    };
  };
}

MakeCall OverwriteValues(int64_t table, int64_t t, size_t n) {
  return [=](Replay* replay, Result* result) -> Call {
    result->numbers.resize(1);
    const std::vector<int64_t> keys = Keys(t, n);
    const std::vector<int64_t> x(n, -t);
    return [=] {
      RowValues values;
      values.columns = {{0, x.data()}};
      const StatusOr<int64_t> written = replay->Overwrite(
          table, keys.data(), static_cast<int64_t>(n), values, kNoWait);
      if (written.ok()) result->numbers[0] = *written;
      return written.status();
    };
  };
}

MakeCall DeleteItems(int64_t table, int64_t t) {
  return [=](Replay* replay, Result* result) -> Call {
    result->numbers.resize(1);
    const std::vector<int64_t> keys = Keys(t, 4);
    return [=] {
      const StatusOr<int64_t> deleted = replay->Delete(table, keys.data(), 4);
      if (deleted.ok()) result->numbers[0] = *deleted;
      return deleted.status();
    };
  };
}

MakeCall ResetAll() {
  return [](Replay* replay, Result*) -> Call {
    return [replay] { return replay->Reset(); };
  };
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
  std::string parent_ = testing::TempDir() + "no_memory_XXXXXX";
  int64_t num_ = 0;
};

MakeCall Save(Directories* directories) {
  return [directories](Replay* replay, Result*) -> Call {
    const std::string directory = directories->New();
    return [=] { return replay->Save(directory).status(); };
  };
}

MakeCall Restore(Directories* directories) {
  using Saved = std::pair<std::string, std::vector<FileSum>>;
  const auto saved = std::make_shared<std::map<Replay*, Saved>>();
  return [=](Replay* replay, Result*) -> Call {
    if (saved->count(replay) == 0) {
      const std::string directory = directories->New();
      (*saved)[replay] = {directory, *replay->Save(directory)};
    }
    return [=] {
      const Saved& from = saved->at(replay);
      return replay->Restore(from.first, from.second);
    };
  };
}

using Calls = std::vector<MakeCall>;

// Every call, many times, with ever larger batches.
Calls Program(int64_t num_rounds, Directories* directories) {
  Calls calls;
  Random random(7);
  const WeightOptions by_table = {0.4, WeightOptions::Normalizer::kTable};
  for (int64_t t = 0; t < num_rounds; ++t) {
    calls.push_back(AppendRows(t));
    if (t < 8) continue;
    calls.push_back(CreateItem(t % 8 == 0 ? kKept : kHeap, static_cast<double>(t % 5)));
    const auto n = static_cast<size_t>(1 + t / 2);
    if (t % 3 == 0) calls.push_back(AppendChunk(t / 3));
    if (t % 7 == 1) calls.push_back(OverwriteValues(kPrioritized, t, n));
    if (t % 9 == 1) calls.push_back(LookUp(t % 2 == 0 ? kUniform : kPrioritized));
    switch (random.Below(8)) {
      case 0:
        calls.push_back(SampleItems(kUniform, n));
        break;
      case 1:
        calls.push_back(SampleItems(kPrioritized, n, {0.4}));
        break;
      case 2:
        calls.push_back(SampleItems(kPrioritized, n, by_table));
        break;
      case 3:
        calls.push_back(SampleItems(kQueue, 3));
        break;
      case 4:
        calls.push_back(SampleItems(kUnrolls, 3));
        break;
      case 5:
        calls.push_back(UpdatePriorities(kPrioritized, t, 2 * n));
        break;
      case 6:
        calls.push_back(DeleteItems(t % 2 == 0 ? kUniform : kPrioritized, t));
        break;
      default:
        calls.push_back(SampleItems(t % 2 == 0 ? kKept : kHeap, 2));
    }
    if (t == 50) calls.push_back(Save(directories));
    if (t == 90) calls.push_back(Restore(directories));
    if (t % 70 == 60) {
      calls.push_back(ResetAll());
      for (int64_t i = 0; i < 8; ++i) calls.push_back(AppendRows(11 * i));
    }
  }
  return calls;
}

Result Undisturbed(const MakeCall& make, Replay* replay) {
  Result result;
  result.code = make(replay, &result)().code();
  return result;
}

// What can be seen of a replay from outside.
std::vector<double> Stats(Replay* replay) {
  std::vector<double> state;
  for (int64_t t = 0; t < replay->num_tables(); ++t) {
    const TableStats stats = *replay->Stats(t);
    for (const int64_t count : {stats.size, stats.num_inserted, stats.num_sampled,
                                stats.num_deleted, stats.num_stale_updates}) {
      state.push_back(static_cast<double>(count));
    }
    state.push_back(stats.max_priority);
  }
  return state;
}

std::vector<double> StatsAndBytes(Replay* replay) {
  EXPECT_TRUE(replay->AwaitPacked(Deadline::max()).ok());
  std::vector<double> state = Stats(replay);
  state.push_back(static_cast<double>(replay->bytes_in_use()));
  return state;
}

// Tries a call with one allocation failing after another until it succeeds; each time
// before, nothing must have changed. Returns how often it failed.
int64_t TryUntilItSucceeds(const MakeCall& make, bool forever, Replay* replay,
                           Result* result) {
  for (int64_t num_good = 0;; ++num_good) {
    const std::vector<double> before = StatsAndBytes(replay);
    *result = Result();
    const Call call = make(replay, result);
    Status status;
    try {
      const FailingAllocations failing(num_good, forever);
      status = call();
    } catch (const std::bad_alloc&) {
      status = ResourceExhaustedError("");
    }
    result->code = status.code();
    const bool out_of_memory = status.code() == StatusCode::kResourceExhausted;
    if (!out_of_memory || FailingAllocations::num_failed() == 0) return num_good;
    EXPECT_EQ(StatsAndBytes(replay), before);
    const Status valid = replay->CheckValid();
    EXPECT_TRUE(valid.ok()) << valid.message();
    if (testing::Test::HasFailure()) return num_good;
  }
}

// A replay whose tables could not set aside what 100 items take.
std::unique_ptr<Replay> MakeWithTablesThatGrow(const ReplayOptions& options) {
  FailingAllocations::FailOfSize(4000, 20'000);
  auto replay = Replay::Create(options);
  FailingAllocations::FailOfSize(1, 0);
  return std::move(*replay);
}

struct Setting {
  Compression compression;
  int64_t max_bytes;
  bool forever;  // once there is no memory, there is none
  bool grows;    // tables could not set their memory aside
};

class NoMemoryTest : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    if (GetParam().compression == Compression::kLz4 && !HasLz4()) {
      GTEST_SKIP() << "built without LZ4";
    }
  }
};

TEST_P(NoMemoryTest, ACallThatFindsNoMemoryHasChangedNothing) {
  const Setting& setting = GetParam();
  const ReplayOptions options = Options(setting.compression, setting.max_bytes,
                                        setting.grows);
  const auto twin = std::move(*Replay::Create(options));
  const auto replay = setting.grows ? MakeWithTablesThatGrow(options)
                                    : std::move(*Replay::Create(options));
  ASSERT_NE(replay, nullptr);
  int64_t num_failures = 0;
  Directories directories;
  const Calls program = Program(140, &directories);
  for (size_t i = 0; i < program.size(); ++i) {
    const Result expected = Undisturbed(program[i], twin.get());
    Result result;
    num_failures +=
        TryUntilItSucceeds(program[i], setting.forever, replay.get(), &result);
    ASSERT_TRUE(result == expected) << "call " << i;
    // What there was no memory to compress stays as it is.
    if (setting.compression == Compression::kNone) {
      ASSERT_EQ(replay->bytes_in_use(), twin->bytes_in_use()) << "call " << i;
    }
    ASSERT_EQ(Stats(replay.get()), Stats(twin.get())) << "call " << i;
    ASSERT_FALSE(HasFailure()) << "call " << i;
  }
  EXPECT_GT(num_failures, 1000);
}

INSTANTIATE_TEST_SUITE_P(
    Settings, NoMemoryTest,
    testing::Values(Setting{Compression::kNone, 0, false, false},
                    Setting{Compression::kNone, 0, true, false},
                    Setting{Compression::kNone, 0, false, true},
                    Setting{Compression::kNone, 40'000, false, false},
                    Setting{Compression::kLz4, 0, false, false},
                    Setting{Compression::kLz4, 26'000, false, true}));

TEST(NoMemoryTest, AReplayIsMadeOrThereIsNoMemoryForIt) {
  int64_t num_failures = 0;
  int64_t num_made = 0;
  for (int64_t num_good = 0;; ++num_good) {
    ReplayOptions options = Options(Compression::kNone, 0, false);
    StatusOr<std::unique_ptr<Replay>> replay = CancelledError("");
    {
      const FailingAllocations failing(num_good, false);
      replay = Replay::Create(std::move(options));
    }
    if (FailingAllocations::num_failed() == 0) break;
    if (!replay.ok()) {
      EXPECT_EQ(replay.status().code(), StatusCode::kResourceExhausted);
      ++num_failures;
      continue;
    }
    ++num_made;
    for (int64_t t = 0; t < 100; ++t) {
      EXPECT_EQ(Undisturbed(AppendRows(t), replay->get()).code, StatusCode::kOk);
    }
    EXPECT_TRUE((*replay)->CheckValid().ok());
  }
  EXPECT_GT(num_failures, 20);
  EXPECT_GT(num_made, 20);  // with a table that grows
}

TEST(NoMemoryTest, CopiesOfSampledItemsAreMadeTogetherWithTheSampleOrNotAtAll) {
  for (const int64_t max_copies : {5, 100}) {
    ReplayOptions options = Options(Compression::kNone, 0, true);
    options.tables[kKept].max_size = max_copies;
    options.tables[kKept].remover.kind = SelectorOptions::Kind::kFifo;
    const auto twin = std::move(*Replay::Create(options));
    const auto replay = MakeWithTablesThatGrow(options);
    for (int64_t t = 0; t < 300; ++t) {
      Undisturbed(AppendRows(t), twin.get());
      Undisturbed(AppendRows(t), replay.get());
      if (t % 60 != 59) continue;
      const MakeCall sample = SampleItems(kUniform, 140);
      Result result;
      EXPECT_GT(TryUntilItSucceeds(sample, false, replay.get(), &result), 0);
      EXPECT_TRUE(result == Undisturbed(sample, twin.get()));
      EXPECT_EQ(StatsAndBytes(replay.get()), StatsAndBytes(twin.get()));
    }
  }
}

TEST(NoMemoryTest, RowsThatLeaveDuringAGatherNeedNoMemory) {
  StepStore::Options options;
  options.segment_rows = 1;
  const auto store = *StepStore::Create({{"x", DType::kInt64, {}}}, options);
  std::vector<Window> windows;
  for (int64_t x = 0; x < 50; ++x) {
    const void* const columns[] = {&x};
    const RowFlags row = {0, x == 0, false};
    ASSERT_TRUE(store->Append(&row, 1, columns).ok());
    windows.push_back(*store->Recent(0, 0, 1));
    store->Ref(windows.back());
  }
  const int64_t gather = store->BeginGather();
  {
    const FailingAllocations failing(0, true);
    for (const Window& window : windows) store->Unref(window);
    EXPECT_EQ(store->bytes_in_use(), 50 * store->segment_bytes());
    store->EndGather(gather, nullptr, 0);
  }
  EXPECT_EQ(store->bytes_in_use(), store->segment_bytes());
  EXPECT_TRUE(store->CheckValid({}).ok());
}

TEST(NoMemoryTest, ABatchThatSeveralThreadsCopyComesWholeOrNotAtAll) {
  ReplayOptions options;
  options.columns = {{"pixels", DType::kUint8, {int64_t{64} << 10}}};
  options.tables = {MakeTable("t", {Pattern::Kind::kSequence, 1, 1, true},
                              SelectorOptions::Kind::kUniform)};
  options.tables[0].views = {RowView(0)};
  const std::vector<uint8_t> pixels(64 << 10, 3);
  std::vector<uint8_t> batch(100 * pixels.size());
  for (int64_t num_good = 0; num_good < 60; ++num_good) {
    const auto replay = std::move(*Replay::Create(options));  // its threads start anew
    const RowFlags row = {0, true, false};
    const void* const columns[] = {pixels.data()};
    ASSERT_TRUE(replay->Append(&row, 1, columns, nullptr, kNoWait).ok());
    InfoArrays info(100);
    void* const outputs[] = {batch.data()};
    const auto sample = [&] {
      return replay->Sample(0, 100, {}, info.arrays(), outputs, kNoWait);
    };
    batch.assign(batch.size(), 0);
    StatusCode code = StatusCode::kOk;
    {
      const FailingAllocations failing(num_good, false);
      code = sample().code();
    }
    const bool failed = code == StatusCode::kResourceExhausted;
    EXPECT_EQ(replay->Stats(0)->num_sampled, failed ? 0 : 100);
    if (failed) {
      EXPECT_GT(FailingAllocations::num_failed(), 0);
      EXPECT_TRUE(sample().ok());
    }
    EXPECT_EQ(std::count(batch.begin(), batch.end(), 3), batch.size());
    EXPECT_TRUE(replay->CheckValid().ok());
  }
}

TEST(NoMemoryTest, AThreadThatFindsNoMemoryToCompressLeavesStepsAsTheyAre) {
  if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  const auto replay = std::move(*Replay::Create(Options(Compression::kLz4, 0, false)));
  Result result;
  FailingAllocations::FailElsewhere(true);
  for (int64_t t = 0; t < 44; ++t) {
    ASSERT_TRUE(AppendRows(t)(replay.get(), &result)().ok());
  }
  ASSERT_TRUE(replay->AwaitPacked(Deadline::max()).ok());
  FailingAllocations::FailElsewhere(false);
  const int64_t raw = replay->bytes_in_use();
  for (int64_t t = 44; t < 88; ++t) {
    ASSERT_TRUE(AppendRows(t)(replay.get(), &result)().ok());
  }
  ASSERT_TRUE(replay->AwaitPacked(Deadline::max()).ok());
  EXPECT_LT(replay->bytes_in_use(), raw * 9 / 5);
  EXPECT_TRUE(replay->CheckValid().ok());
}

}  // namespace
}  // namespace tfa
