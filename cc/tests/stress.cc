// Eight threads on one replay, for as many seconds as the first argument says (60):
// two append, two sample, one updates, one deletes and makes items, one saves and
// restores, one resets and looks at everything. Meant for the sanitizers.
//
// Every row carries its stream and a checksum of its contents, which the samplers
// verify, so that a row read while or after it is overwritten is noticed.
#include <unistd.h>

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

#include "cc/random.h"
#include "cc/replay.h"

namespace tfa {
namespace {

constexpr int64_t kStreams = 4;
constexpr int64_t kBatch = 16;
constexpr int64_t kWords = 16;  // of a row; the last is the checksum of the others

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
                       status.code() == StatusCode::kInvalidArgument ||
                       status.code() == StatusCode::kOutOfRange;
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
  table.views = {last};
  return table;
}

ReplayOptions Options() {
  ReplayOptions options;
  options.columns = {{"row", DType::kUint64, {kWords}}};
  options.tables = {MakeTable("prioritized", SelectorOptions::Kind::kPrioritized),
                    MakeTable("bounded", SelectorOptions::Kind::kUniform)};
  options.tables[1].max_times_sampled = 4;
  options.tables[1].rate_limiter.max_diff = 200.0;
  options.num_streams = kStreams;
  options.history = 8;
  options.segment_rows = 8;
  return options;
}

struct Batch {
  SampleArrays arrays() {
    return {key, probability, weight, priority, times_sampled, age};
  }
  int64_t key[kBatch];
  double probability[kBatch], weight[kBatch], priority[kBatch];
  int32_t times_sampled[kBatch];
  int64_t age[kBatch];
  uint64_t rows[kBatch * kWords];
};

Status Draw(Replay* replay, int64_t table, Batch* batch) {
  void* const outputs[] = {batch->rows};
  return replay->Sample(table, kBatch, {0.4}, batch->arrays(), outputs, Soon());
}

void AppendRows(Replay* replay, Random random, int64_t half) {
  const int64_t mine = kStreams / 2;
  std::vector<uint64_t> rows(static_cast<size_t>(mine * kWords));
  std::vector<RowFlags> flags(static_cast<size_t>(mine));
  for (uint64_t& word : rows) word = random.Next();
  for (int64_t i = 0; i < mine; ++i) {
    uint64_t* const row = &rows[static_cast<size_t>(i * kWords)];
    const auto stream = static_cast<int32_t>(half * mine + i);
    row[kWords - 1] = Checksum(row);
    flags[static_cast<size_t>(i)] = {stream, random.Below(10) == 0,
                                     random.Below(10) == 0};
  }
  const void* const columns[] = {rows.data()};
  CheckAllowed(replay->Append(flags.data(), mine, columns, Soon()));
}

void SampleRows(Replay* replay, int64_t table) {
  Batch batch;
  const Status status = Draw(replay, table, &batch);
  CheckAllowed(status);
  if (!status.ok()) return;
  for (int64_t i = 0; i < kBatch; ++i) {
    const uint64_t* const row = batch.rows + i * kWords;
    Check(row[kWords - 1] == Checksum(row), "a row is not what was appended");
  }
}

void UpdateSome(Replay* replay, Random random) {
  Batch batch;
  if (!Draw(replay, 0, &batch).ok()) return;
  double priorities[kBatch];
  for (double& priority : priorities) priority = random.Uniform01();
  CheckAllowed(replay->UpdatePriorities(0, batch.key, priorities, kBatch).status());
}

void DeleteAndCreate(Replay* replay, Random random) {
  Batch batch;
  const auto table = static_cast<int64_t>(random.Below(2));
  if (Draw(replay, table, &batch).ok()) {
    CheckAllowed(replay->Delete(table, batch.key, 2).status());
  }
  const auto stream = static_cast<int32_t>(random.Below(kStreams));
  CheckAllowed(replay->CreateItem(table, stream, 1, 2, 1.0, Soon()).status());
}

void SaveAndRestore(Replay* replay, const std::string& directory, bool in_place) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  const auto files = replay->Save(directory);
  Check(files.ok(), files.status().message());
  const auto other = std::move(*Replay::Create(Options()));
  Status status = other->Restore(directory, *files);
  Check(status.ok(), status.message());
  status = other->CheckValid();
  Check(status.ok(), status.message());
  for (int64_t table = 0; table < 2; ++table) SampleRows(other.get(), table);
  if (in_place) {
    status = replay->Restore(directory, *files);
    Check(status.ok(), status.message());
  }
  ++num_saves;
}

void LookAround(Replay* replay, bool reset) {
  const Status status = replay->CheckValid();
  Check(status.ok(), status.message());
  Check(replay->bytes_in_use() <= replay->bytes_allocated(), "bytes are miscounted");
  Check(replay->Stats(0)->size <= 500, "a table is too large");
  Check(replay->WhyNotSample(1, kBatch).ok(), "the replay is closed");
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

void Run(double seconds, const std::string& directory) {
  const auto owner = std::move(*Replay::Create(Options()));
  Replay* const replay = owner.get();
  std::vector<std::thread> threads;
  for (int64_t half = 0; half < 2; ++half) {
    const auto seed = static_cast<uint64_t>(half);
    threads.push_back(Repeat(
        seed, [replay, half](Random random) { AppendRows(replay, random, half); }));
    threads.push_back(
        Repeat(seed, [replay, half](Random) { SampleRows(replay, half); }));
  }
  threads.push_back(Repeat(2, [replay](Random random) { UpdateSome(replay, random); }));
  threads.push_back(
      Repeat(3, [replay](Random random) { DeleteAndCreate(replay, random); }));
  threads.push_back(Repeat(4, [replay, directory](Random random) {
    SaveAndRestore(replay, directory, random.Below(8) == 0);
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
  tfa::Run(seconds, directory);
  std::printf("%lld calls, %lld saves in %.0f s: no error\n",
              static_cast<long long>(tfa::num_calls),
              static_cast<long long>(tfa::num_saves), seconds);
  return 0;
}
