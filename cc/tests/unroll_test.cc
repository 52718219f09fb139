// Unrolls, from the rows of streams to the arrays of a sample.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cc/random.h"
#include "cc/replay.h"
#include "cc/tests/batch.h"

namespace tfa {
namespace {

constexpr int64_t kSteps = 5;  // T
constexpr int64_t kStack = 3;

View Steps(bool before, int64_t stack = 0) {
  View view;
  view.kind = View::Kind::kSteps;
  view.stop = kSteps;
  view.stack = stack;
  view.before = before;
  return view;
}

View FirstStep() {
  View view;
  view.kind = View::Kind::kStep;
  return view;
}

View IsFirst() {
  View view;
  view.kind = View::Kind::kIsFirst;
  view.stop = kSteps;
  return view;
}

// Of each step: the row before, its own, whether the row before begins an episode, the
// stack before; and the first step's row.
TableOptions Unrolls(const std::string& name, int64_t period = kSteps) {
  TableOptions options;
  options.name = name;
  options.sampler.kind = SelectorOptions::Kind::kFifo;
  options.remover.kind = SelectorOptions::Kind::kFifo;
  options.max_size = 10'000;
  options.max_times_sampled = 1;
  options.pattern = {Pattern::Kind::kUnroll, kSteps, period, true};
  options.views = {Steps(true), Steps(false), IsFirst(), Steps(true, kStack),
                   FirstStep()};
  return options;
}

ReplayOptions Options(std::vector<TableOptions> tables, int64_t num_streams = 1) {
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}}};
  options.tables = std::move(tables);
  options.num_streams = num_streams;
  options.segment_rows = 4;
  return options;
}

std::unique_ptr<Replay> Make(std::vector<TableOptions> tables,
                             int64_t num_streams = 1) {
  return *Replay::Create(Options(std::move(tables), num_streams));
}

// What the views of `Unrolls` give of n items.
struct Unrolled : InfoArrays {
  explicit Unrolled(size_t n)
      : InfoArrays(n),
        before(n * kSteps),
        at(n * kSteps),
        is_first(n * kSteps),
        stacks(n * kSteps * kStack),
        first_step(n) {}

  std::vector<int64_t> before, at;
  std::vector<uint8_t> is_first;
  std::vector<int64_t> stacks, first_step;
};

Unrolled Sample(Replay* replay, int64_t table, int64_t n, int64_t num_batches = 1) {
  Unrolled drawn(static_cast<size_t>(n));
  void* const outputs[] = {drawn.before.data(), drawn.at.data(), drawn.is_first.data(),
                           drawn.stacks.data(), drawn.first_step.data()};
  const Status status =
      replay->Sample(table, n, {}, drawn.arrays(), outputs, kNoWait, num_batches);
  EXPECT_TRUE(status.ok()) << status.message();
  return drawn;
}

// Streams of random episodes whose row values say which row they are; keeps the steps.
class Streams {
 public:
  struct Step {
    int64_t before, at;
    bool is_first;
    int64_t stack[kStack];
  };

  Streams(int64_t num_streams, uint64_t seed) : random_(seed), streams_(num_streams) {}

  // Episodes of `mean` steps; some are abandoned, never before their first step.
  void Play(Replay* replay, int64_t ticks, uint64_t mean) {
    for (int64_t tick = 0; tick < ticks; ++tick) {
      const auto number = static_cast<int32_t>(random_.Below(streams_.size()));
      Stream& stream = streams_[static_cast<size_t>(number)];
      const bool abandons = stream.rows.size() > 1 && random_.Below(20) == 0;
      const bool first = stream.rows.empty() || abandons;
      const bool last = !first && random_.Below(mean) == 0;
      Append(replay, number, first, last);
    }
  }

  void Append(Replay* replay, int32_t number, bool first, bool last) {
    Stream& stream = streams_[static_cast<size_t>(number)];
    if (first) stream.rows.clear();
    const int64_t x = 1'000'000 * number + stream.num_rows++;
    if (!first) {
      Step step = {stream.rows.back(), x, stream.rows.size() == 1, {}};
      const auto newest = static_cast<int64_t>(stream.rows.size()) - 1;
      for (int64_t k = 0; k < kStack; ++k) {
        const int64_t row = std::max<int64_t>(0, newest + 1 + k - kStack);
        step.stack[k] = stream.rows[static_cast<size_t>(row)];
      }
      stream.steps.push_back(step);
    }
    stream.rows.push_back(x);
    if (last) stream.rows.clear();
    const RowFlags row = {number, first, last};
    const void* const columns[] = {&x};
    const Status status = replay->Append(&row, 1, columns, nullptr, kNoWait);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  const std::vector<Step>& steps(int64_t stream) const {
    return streams_[static_cast<size_t>(stream)].steps;
  }

 private:
  struct Stream {
    std::vector<int64_t> rows;  // of the open episode
    std::vector<Step> steps;
    int64_t num_rows = 0;
  };
  Random random_;
  std::vector<Stream> streams_;
};

// That item i of the sample is the steps from `start` on.
void ExpectSteps(const Unrolled& drawn, size_t i,
                 const std::vector<Streams::Step>& steps, size_t start) {
  ASSERT_LE(start + kSteps, steps.size());
  EXPECT_EQ(drawn.first_step[i], steps[start].at);
  for (size_t t = 0; t < kSteps; ++t) {
    const Streams::Step& expected = steps[start + t];
    const size_t at = i * kSteps + t;
    EXPECT_EQ(drawn.before[at], expected.before);
    EXPECT_EQ(drawn.at[at], expected.at);
    EXPECT_EQ(drawn.is_first[at], expected.is_first ? 1 : 0);
    for (size_t k = 0; k < kStack; ++k) {
      EXPECT_EQ(drawn.stacks[at * kStack + k], expected.stack[k]);
    }
  }
}

TEST(UnrollTest, ConsecutiveUnrollsPartitionTheStepsOfAStream) {
  for (const uint64_t mean : {1, 2, 10}) {
    const auto replay = Make({Unrolls("u")});
    Streams streams(1, mean);
    streams.Play(replay.get(), 400, mean);
    ASSERT_TRUE(replay->CheckValid().ok()) << replay->CheckValid().message();
    const int64_t n = replay->Stats(0)->size;
    ASSERT_EQ(n, static_cast<int64_t>(streams.steps(0).size()) / kSteps);
    const Unrolled drawn = Sample(replay.get(), 0, n);
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      ExpectSteps(drawn, i, streams.steps(0), i * kSteps);
    }
  }
}

TEST(UnrollTest, StreamsAndPeriodsDoNotMix) {
  for (const int64_t period : {1, 3, 8}) {
    const auto replay = Make({Unrolls("u", period)}, 3);
    Streams streams(3, 17);
    streams.Play(replay.get(), 600, 4);
    ASSERT_TRUE(replay->CheckValid().ok()) << replay->CheckValid().message();
    const int64_t n = replay->Stats(0)->size;
    const Unrolled drawn = Sample(replay.get(), 0, n);
    size_t made[3] = {};  // by stream
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      const auto stream = static_cast<size_t>(drawn.at[i * kSteps] / 1'000'000);
      const size_t start = made[stream]++ * static_cast<size_t>(period);
      ExpectSteps(drawn, i, streams.steps(static_cast<int64_t>(stream)), start);
    }
    for (int64_t s = 0; s < 3; ++s) {
      const auto steps = static_cast<int64_t>(streams.steps(s).size());
      EXPECT_EQ(made[s], static_cast<size_t>((steps - kSteps) / period + 1));
    }
  }
}

TEST(UnrollTest, AnUnrollIsMadeTheMomentItsLastStepIsAppended) {
  const auto replay = Make({Unrolls("u")});
  Streams streams(1, 1);
  for (int64_t episode = 0; episode < kSteps; ++episode) {
    EXPECT_EQ(replay->Stats(0)->size, 0);
    streams.Append(replay.get(), 0, true, false);
    streams.Append(replay.get(), 0, false, true);  // episodes of one step
  }
  EXPECT_EQ(replay->Stats(0)->size, 1);
  ExpectSteps(Sample(replay.get(), 0, 1), 0, streams.steps(0), 0);
}

TEST(UnrollTest, OneThatAbandonedEpisodesMakeTooLongIsLeftOut) {
  const auto replay = Make({Unrolls("u")});
  Streams streams(1, 1);
  streams.Append(replay.get(), 0, true, false);
  streams.Append(replay.get(), 0, false, false);
  // 2 T rows in all are too many by one when the last step comes.
  for (int64_t i = 0; i < kSteps; ++i) streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 1; i < kSteps; ++i) streams.Append(replay.get(), 0, false, false);
  ASSERT_TRUE(replay->CheckValid().ok());
  EXPECT_EQ(replay->Stats(0)->size, 0);
  for (int64_t i = 0; i < kSteps; ++i) streams.Append(replay.get(), 0, false, false);
  ASSERT_EQ(replay->Stats(0)->size, 1);
  ExpectSteps(Sample(replay.get(), 0, 1), 0, streams.steps(0), kSteps);

  // One row less, and it fits.
  streams.Append(replay.get(), 0, false, false);
  for (int64_t i = 1; i < kSteps; ++i) streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 1; i < kSteps; ++i) streams.Append(replay.get(), 0, false, false);
  ASSERT_EQ(replay->Stats(0)->size, 1);
  ExpectSteps(Sample(replay.get(), 0, 1), 0, streams.steps(0), 2 * kSteps);
}

TEST(UnrollTest, OneThatIsLeftOutNeedsNoPlaceInAQueue) {
  TableOptions queue = Unrolls("u");
  queue.rate_limiter.min_diff = 0.0;
  queue.rate_limiter.max_diff = 1.0;
  ReplayOptions options = Options({queue});
  options.history = 100;  // what is too long is still to be had
  const auto replay = *Replay::Create(options);
  Streams streams(1, 1);
  streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 0; i < kSteps + 1; ++i)
    streams.Append(replay.get(), 0, false, false);
  EXPECT_FALSE(replay->WhyNotInsert(0, 1)->empty());
  for (int64_t i = 0; i < kSteps; ++i) streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 1; i < kSteps; ++i) streams.Append(replay.get(), 0, false, false);
  EXPECT_EQ(replay->Stats(0)->size, 1);
}

TEST(UnrollTest, AResetForgetsTheOpenUnroll) {
  const auto replay = Make({Unrolls("u")});
  Streams streams(1, 1);
  streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 1; i < kSteps; ++i) streams.Append(replay.get(), 0, false, false);
  ASSERT_TRUE(replay->Reset().ok());
  streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 1; i < kSteps; ++i) streams.Append(replay.get(), 0, false, false);
  EXPECT_EQ(replay->Stats(0)->size, 0);
  streams.Append(replay.get(), 0, false, false);
  EXPECT_EQ(replay->Stats(0)->size, 1);
}

// Element (batch, t, b) of arrays [N, T, B] is that of item N b + b with time second.
TEST(UnrollTest, BatchesOfATimeMajorTableHaveTheirOwnTimeAxes) {
  TableOptions by_time = Unrolls("t");
  for (View& view : by_time.views) view.time_major = true;
  const auto replay = Make({Unrolls("b"), by_time});
  Streams streams(1, 5);
  streams.Play(replay.get(), 1500, 3);
  constexpr int64_t kBatches = 3;
  constexpr int64_t kItems = 40;  // more in all than are gathered at once
  const Unrolled expected = Sample(replay.get(), 0, kBatches * kItems);
  const Unrolled drawn = Sample(replay.get(), 1, kBatches * kItems, kBatches);
  EXPECT_EQ(drawn.first_step, expected.first_step);
  for (int64_t i = 0; i < kBatches * kItems; ++i) {
    for (int64_t t = 0; t < kSteps; ++t) {
      const auto from = static_cast<size_t>(i * kSteps + t);
      const auto to =
          static_cast<size_t>((i / kItems * kSteps + t) * kItems + i % kItems);
      ASSERT_EQ(drawn.before[to], expected.before[from]);
      ASSERT_EQ(drawn.at[to], expected.at[from]);
      ASSERT_EQ(drawn.is_first[to], expected.is_first[from]);
      for (size_t k = 0; k < kStack; ++k) {
        ASSERT_EQ(drawn.stacks[to * kStack + k], expected.stacks[from * kStack + k]);
      }
    }
  }
}

TEST(UnrollTest, OutputsThatGoByRowsAreRefused) {
  const auto refusal = [](View::Kind kind) {
    TableOptions options = Unrolls("u");
    options.views[0].kind = kind;
    ReplayOptions all = Options({options});
    all.columns[0].dtype = DType::kFloat32;
    return Replay::Create(all).status().message();
  };
  for (const auto& [kind, name] : std::vector<std::pair<View::Kind, std::string>>{
           {View::Kind::kRow, "Row"},
           {View::Kind::kRows, "Rows"},
           {View::Kind::kMask, "Mask"},
           {View::Kind::kReturn, "NStepReturn"},
           {View::Kind::kDiscount, "NStepDiscount"}}) {
    EXPECT_EQ(refusal(kind),
              "table 'u': " + name +
                  " is no output of unrolls, which run over the ends of episodes; "
                  "theirs are Step, Steps and IsFirst");
  }
  TableOptions options = Unrolls("u");
  ++options.views[1].stop;
  EXPECT_EQ(Replay::Create(Options({options})).status().message(),
            "table 'u': Steps shows step 5, but unrolls of 5 steps end with step 4");
}

TEST(UnrollTest, OnlyUnrollsEnterATableOfUnrolls) {
  ReplayOptions options = Options({Unrolls("u")});
  options.history = 100;
  const auto replay = *Replay::Create(options);
  Streams streams(1, 1);
  streams.Append(replay.get(), 0, true, false);
  for (int64_t i = 1; i < 9; ++i) streams.Append(replay.get(), 0, false, false);
  EXPECT_EQ(replay->CreateItem(0, 0, 0, kSteps, {}, kNoWait).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(replay->CreateItem(0, 0, 0, kSteps + 1, {}, kNoWait).ok());
  EXPECT_TRUE(replay->CheckValid().ok());
}

TEST(UnrollTest, CopiesGoWhereTheyCanBeShown) {
  const auto create = [](std::vector<TableOptions> tables) {
    return Replay::Create(Options(std::move(tables))).status();
  };
  TableOptions from = Unrolls("u");
  from.insert_on_sample = "copies";
  TableOptions to = Unrolls("copies");
  EXPECT_TRUE(create({from, to}).ok());
  to.pattern.kind = Pattern::Kind::kExplicit;
  EXPECT_TRUE(create({from, to}).ok());
  to.insert_on_sample = "more";
  TableOptions more = to;
  more.name = "more";
  more.insert_on_sample = "copies";  // a circle
  EXPECT_TRUE(create({from, to, more}).ok());
  more.views[0].kind = View::Kind::kRows;
  EXPECT_EQ(create({from, to, more}).code(), StatusCode::kInvalidArgument);

  TableOptions rows = Unrolls("rows");
  rows.pattern = {Pattern::Kind::kSequence, kSteps + 1, 1, true};
  rows.insert_on_sample = "copies";
  EXPECT_EQ(create({rows, Unrolls("copies")}).code(), StatusCode::kInvalidArgument);
}

TEST(UnrollTest, ARestoredReplayGoesOnInTheMiddleOfItsUnrolls) {
  const std::string directory = testing::TempDir() + "unroll_test";
  for (int64_t ticks = 30; ticks < 60; ++ticks) {
    std::filesystem::remove_all(directory);
    std::filesystem::create_directory(directory);
    const auto saved = Make({Unrolls("u")}, 2);
    Streams streams(2, 9);
    streams.Play(saved.get(), ticks, 3);
    const StatusOr<std::vector<FileSum>> files = saved->Save(directory);
    ASSERT_TRUE(files.ok()) << files.status().message();
    const auto restored = Make({Unrolls("u")}, 2);
    ASSERT_TRUE(restored->Restore(directory, *files).ok());
    Streams twin = streams;
    streams.Play(saved.get(), 100, 3);
    twin.Play(restored.get(), 100, 3);
    ASSERT_TRUE(restored->CheckValid().ok()) << restored->CheckValid().message();
    const int64_t n = saved->Stats(0)->size;
    ASSERT_EQ(restored->Stats(0)->size, n);
    const Unrolled expected = Sample(saved.get(), 0, n);
    const Unrolled drawn = Sample(restored.get(), 0, n);
    EXPECT_EQ(drawn.at, expected.at);
    EXPECT_EQ(drawn.before, expected.before);
    EXPECT_EQ(drawn.is_first, expected.is_first);
  }
  std::filesystem::remove_all(directory);
}

TEST(UnrollTest, ACheckpointWhoseItemsTheTableCannotShowIsRefused) {
  const std::string directory = testing::TempDir() + "unroll_test_misfit";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  const auto saved = Make({Unrolls("u")});
  Streams streams(1, 9);
  streams.Play(saved.get(), 100, 3);
  const StatusOr<std::vector<FileSum>> files = saved->Save(directory);
  ASSERT_TRUE(files.ok());

  const auto restore = [&](const TableOptions& table) {
    return Make({table})->Restore(directory, *files);
  };
  EXPECT_TRUE(restore(Unrolls("u")).ok());
  TableOptions other = Unrolls("u");
  other.pattern = {Pattern::Kind::kSequence, kSteps + 1, 1, true};
  EXPECT_TRUE(restore(other).ok());
  other.views = {View()};
  EXPECT_EQ(restore(other).message(),
            "table 'u': an item runs over the end of an episode, which only outputs of "
            "Step, Steps and IsFirst can show");
  other = Unrolls("u");
  other.views = {FirstStep()};
  --other.pattern.length;
  EXPECT_EQ(restore(other).message(),
            "table 'u': an item has 5 steps, but its unrolls have 4");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace tfa
