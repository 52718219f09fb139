// Eight threads on one replay, for as many seconds as the first argument says (60):
// two append rows and runs, two sample and look items up, one updates and overwrites,
// one deletes and makes items, one saves and restores, one resets, looks at everything
// and draws so much that the replay's own threads gather too. Meant for the sanitizers.
// Half of the time one column is compressed, by one more thread, within a budget of bytes. A tenth
// of the time one thread appends to such a replay, and nobody else is there to wake it:
// no append may wait longer than it was told to.
//
// Every row carries its stream and a checksum of its contents, which the samplers
// verify, so that a row read while or after it is overwritten is noticed.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cc/block_codec.h"
#include "cc/random.h"
#include "cc/replay.h"
#include "cc/tests/batch.h"

namespace tfa {
namespace {

constexpr int64_t kStreams = 4;
constexpr int64_t kBatch = 16;
constexpr int64_t kLargeBatch = 9'000;  // enough for several threads to gather it
constexpr int64_t kWords = 16;  // of a row; the last is the checksum of the others
constexpr int64_t kStack = 3;

std::atomic<bool> stop{false};
std::atomic<int64_t> num_calls{0};
std::atomic<int64_t> num_saves{0};

void Check(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "stress: %s\n", what.c_str());
  std::abort();
}

// Whether a call may have been refused while the replay was busy or reset.
void CheckAllowed(const Status& status) {
  const bool allowed = status.ok() || status.code() == StatusCode::kDeadlineExceeded ||
                       status.code() == StatusCode::kUnavailable ||
                       status.code() == StatusCode::kInvalidArgument ||
                       status.code() == StatusCode::kOutOfRange ||
                       status.code() == StatusCode::kNotFound;
  Check(allowed, status.message());
}

Deadline Soon() {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
}

uint64_t Checksum(const uint64_t* row) {
  uint64_t sum = 1;
  for (int64_t i = 0; i + 1 < kWords; ++i) sum = sum * 31 + row[i];
  return sum;
}

TableOptions MakeTable(const std::string& name, SelectorOptions::Kind sampler) {
  TableOptions table;
  table.name = name;
  table.sampler = {sampler, 0.6};
  table.remover.kind = SelectorOptions::Kind::kFifo;
  table.max_size = 500;
  table.pattern = {Pattern::Kind::kNStep, 3, 1, true};
  View last;
  last.start = -1;
  View before = last;
  before.column = 1;
  before.stack = kStack;
  table.views = {last, before};
  return table;
}

// Rows of the fourth of four steps, which may be of as many episodes.
TableOptions MakeUnrolls() {
  TableOptions table = MakeTable("unrolls", SelectorOptions::Kind::kUniform);
  table.pattern = {Pattern::Kind::kUnroll, 4, 2, true};
  for (View& view : table.views) {
    view.kind = View::Kind::kStep;
    view.start = 3;
  }
  return table;
}

ReplayOptions Options(bool compressed) {
  ReplayOptions options;
  options.columns = {{"row", DType::kUint64, {kWords}},
                     {"row again", DType::kUint64, {kWords}}};
  if (compressed) {
    options.columns[1].compression = Compression::kLz4;
    options.max_bytes = 150'000;
  }
  options.tables = {MakeTable("prioritized", SelectorOptions::Kind::kPrioritized),
                    MakeTable("bounded", SelectorOptions::Kind::kUniform),
                    MakeUnrolls()};
  options.tables[1].max_times_sampled = 4;
  options.tables[1].rate_limiter.max_diff = 200.0;
  options.num_streams = kStreams;
  options.history = 8;
  options.segment_rows = 8;
  return options;
}

struct Sampled : InfoArrays {
  explicit Sampled(int64_t n)
      : InfoArrays(Size(n)),
        n(n),
        rows(Size(n * kWords)),
        stacks(Size(n * kStack * kWords)) {}

  static size_t Size(int64_t n) { return static_cast<size_t>(n); }

  int64_t n;
  std::vector<uint64_t> rows;
  std::vector<uint64_t> stacks;
};

Status Draw(Replay* replay, int64_t table, Sampled* batch) {
  void* const outputs[] = {batch->rows.data(), batch->stacks.data()};
  return replay->Sample(table, batch->n, {0.4}, batch->arrays(), outputs, Soon());
}

// A row of each of a thread's streams, or a run of one of them.
void AppendRows(Replay* replay, Random random, int64_t half) {
  const int64_t mine = kStreams / 2;
  const bool is_run = random.Below(4) == 0;
  const int64_t n = is_run ? 1 + static_cast<int64_t>(random.Below(20)) : mine;
  std::vector<uint64_t> rows(static_cast<size_t>(n * kWords));
  std::vector<RowFlags> flags(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    uint64_t* const row = &rows[static_cast<size_t>(i * kWords)];
    std::fill(row, row + kWords / 2, random.Next());
    std::generate(row + kWords / 2, row + kWords - 1, [&] { return random.Below(4); });
    const auto stream = static_cast<int32_t>(half * mine + (is_run ? 0 : i));
    row[kWords - 1] = Checksum(row);
    RowFlags& flag = flags[static_cast<size_t>(i)];
    flag = {stream, random.Below(10) == 0, random.Below(10) == 0};
    if (is_run && i > 0) flag.first |= flags[static_cast<size_t>(i) - 1].last;
  }
  const void* const columns[] = {rows.data(), rows.data()};
  NewKeys keys;
  CheckAllowed(
      is_run ? replay->AppendSteps(flags.data(), n, columns, nullptr, Soon(), &keys)
             : replay->Append(flags.data(), n, columns, nullptr, Soon(), &keys));
}

void CheckRows(const Sampled& batch) {
  for (int64_t i = 0; i < batch.n; ++i) {
    const uint64_t* const row = batch.rows.data() + i * kWords;
    Check(row[kWords - 1] == Checksum(row), "a row is not what was appended");
    const uint64_t* const stack = batch.stacks.data() + i * kStack * kWords;
    for (int64_t k = 0; k < kStack; ++k) {
      const uint64_t* const frame = stack + k * kWords;
      Check(frame[kWords - 1] == Checksum(frame), "a frame is not what was appended");
    }
    Check(std::equal(row, row + kWords, stack + (kStack - 1) * kWords),
          "the columns differ");
  }
}

void SampleRows(Replay* replay, int64_t table, int64_t n = kBatch) {
  Sampled batch(n);
  const Status status = Draw(replay, table, &batch);
  CheckAllowed(status);
  if (status.ok()) CheckRows(batch);
}

void LookUpRows(Replay* replay, int64_t table, Random random) {
  const std::vector<int64_t> keys = *replay->Keys(table);
  if (keys.size() < kBatch) return;
  Sampled batch(kBatch);
  const int64_t* const some = keys.data() + random.Below(keys.size() - kBatch + 1);
  void* const outputs[] = {batch.rows.data(), batch.stacks.data()};
  const Status status = replay->Get(table, some, kBatch, batch.arrays(), outputs);
  CheckAllowed(status);
  if (status.ok()) CheckRows(batch);
}

void UpdateSome(Replay* replay, Random random) {
  Sampled batch(kBatch);
  if (random.Below(50) == 0) CheckAllowed(replay->SetAlpha(0, random.Uniform01()));
  if (!Draw(replay, 0, &batch).ok()) return;
  double priorities[kBatch];
  for (double& priority : priorities) priority = random.Uniform01();
  CheckAllowed(replay->UpdatePriorities(0, batch.key.data(), priorities, kBatch).status());
}

// Both columns of some items, so that they stay equal.
void OverwriteSome(Replay* replay, Random random) {
  Sampled batch(kBatch);
  if (!Draw(replay, 0, &batch).ok()) return;
  for (int64_t i = 0; i < kBatch; ++i) {
    uint64_t* const row = batch.rows.data() + i * kWords;
    std::generate(row, row + kWords - 1, [&] { return random.Next(); });
    row[kWords - 1] = Checksum(row);
  }
  RowValues values;
  values.columns = {{0, batch.rows.data()}, {1, batch.rows.data()}};
  CheckAllowed(
      replay->Overwrite(0, batch.key.data(), kBatch, values, Soon()).status());
}

void DeleteAndCreate(Replay* replay, Random random) {
  Sampled batch(kBatch);
  const auto table = static_cast<int64_t>(random.Below(2));
  if (Draw(replay, table, &batch).ok()) {
    CheckAllowed(replay->Delete(table, batch.key.data(), 2).status());
  }
  const auto stream = static_cast<int32_t>(random.Below(kStreams));
  CheckAllowed(replay->CreateItem(table, stream, 1, 2, 1.0, Soon()).status());
}

void SaveAndRestore(Replay* replay, const ReplayOptions& options,
                    const std::string& directory, bool in_place) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  const auto files = replay->Save(directory);
  Check(files.ok(), files.status().message());
  const auto other = std::move(*Replay::Create(options));
  Status status = other->Restore(directory, *files);
  Check(status.ok(), status.message());
  status = other->CheckValid();
  Check(status.ok(), status.message());
  for (int64_t table = 0; table < 3; ++table) SampleRows(other.get(), table);
  if (in_place) {
    status = replay->Restore(directory, *files);
    Check(status.ok(), status.message());
  }
  ++num_saves;
}

void LookAround(Replay* replay, bool reset) {
  const Status status = replay->CheckValid();
  Check(status.ok(), status.message());
  Check(replay->Stats(0)->size <= 500, "a table is too large");
  Check(replay->WhyNotSample(1, kBatch).ok(), "the replay is closed");
  SampleRows(replay, 0, kLargeBatch);
  SampleRows(replay, 2);
  if (reset) CheckAllowed(replay->Reset());
}

template <class Work>
std::thread Repeat(uint64_t seed, Work work) {
  return std::thread([seed, work] {
    Random random(seed);
    while (!stop) {
      random.Next();
      work(random);
      ++num_calls;
    }
  });
}

// Rows that hardly shrink, in more streams than one at times, and items of a few of them:
// many segments are forgotten before they could be compressed.
void RunOneAppender(double seconds) {
  constexpr auto kPatience = std::chrono::seconds(1);
  constexpr auto kSlack = std::chrono::seconds(5);  // of a loaded machine's scheduler
  ReplayOptions options = Options(true);
  options.segment_rows = 1;
  options.max_bytes = 100'000;
  for (TableOptions& table : options.tables) {
    table.pattern = {};
    table.rate_limiter = {};
    table.views.clear();
  }
  const auto replay = std::move(*Replay::Create(options));
  Random random(6);
  std::vector<uint64_t> rows(static_cast<size_t>(kStreams * kWords));
  const void* const columns[] = {rows.data(), rows.data()};
  RowFlags flags[kStreams];
  for (int32_t i = 0; i < kStreams; ++i) flags[i] = {i, true, false};
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (bool begun = false; Clock::now() < end; begun = true) {
    std::generate(rows.begin(), rows.end(), [&] { return random.Next(); });
    const auto n = begun ? 1 + static_cast<int64_t>(random.Below(kStreams)) : kStreams;
    const Deadline deadline = Clock::now() + kPatience;
    const Status status = replay->Append(flags, n, columns, nullptr, deadline);
    Check(Clock::now() < deadline + kSlack, "an append ignored its deadline");
    Check(status.ok(), "an append alone: " + status.message());
    for (RowFlags& row : flags) row.first = false;
    ++num_calls;
    if (random.Below(8) > 0) continue;
    const auto stream = static_cast<int32_t>(random.Below(kStreams));
    CheckAllowed(replay->CreateItem(0, stream, 0, 1, {}, kNoWait).status());
  }
  const Status valid = replay->CheckValid();
  Check(valid.ok(), valid.message());
}

void Run(double seconds, const ReplayOptions& options, const std::string& directory) {
  stop = false;
  const auto owner = std::move(*Replay::Create(options));
  Replay* const replay = owner.get();
  std::vector<std::thread> threads;
  for (int64_t half = 0; half < 2; ++half) {
    const auto seed = static_cast<uint64_t>(half);
    threads.push_back(Repeat(
        seed, [replay, half](Random random) { AppendRows(replay, random, half); }));
    threads.push_back(Repeat(seed, [replay, half](Random random) {
      SampleRows(replay, half);
      if (random.Below(8) == 0) LookUpRows(replay, half, random);
    }));
  }
  const bool compressed = options.columns[1].compression != Compression::kNone;
  threads.push_back(Repeat(2, [replay, compressed](Random random) {
    UpdateSome(replay, random);
    if (!compressed) OverwriteSome(replay, random);
  }));
  threads.push_back(
      Repeat(3, [replay](Random random) { DeleteAndCreate(replay, random); }));
  threads.push_back(Repeat(4, [replay, options, directory](Random random) {
    SaveAndRestore(replay, options, directory, random.Below(8) == 0);
  }));
  threads.push_back(Repeat(5, [replay](Random random) {
    LookAround(replay, random.Below(200) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }));
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace tfa

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 60.0;
  const auto directory = std::filesystem::temp_directory_path() /
                         ("replay_stress." + std::to_string(getpid()));
  const double alone = tfa::HasLz4() ? seconds / 10 : 0.0;
  if (tfa::HasLz4()) tfa::RunOneAppender(alone);
  const double half = tfa::HasLz4() ? (seconds - alone) / 2 : seconds;
  tfa::Run(half, tfa::Options(false), directory);
  if (tfa::HasLz4()) tfa::Run(half, tfa::Options(true), directory);
  std::printf("%lld calls, %lld saves in %.0f s: no error\n",
              static_cast<long long>(tfa::num_calls),
              static_cast<long long>(tfa::num_saves), seconds);
  return 0;
}
