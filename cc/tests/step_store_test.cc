#include "cc/step_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

// Rows of one int64 that says which row it is, and three bytes that follow from it.
std::vector<Column> Columns() {
  return {{"id", DType::kInt64, {}}, {"bytes", DType::kUint8, {3}}};
}

std::unique_ptr<StepStore> MakeStore(const StepStore::Options& options) {
  return *StepStore::Create(Columns(), options);
}

StepStore::Options SmallSegments(int64_t history) {
  StepStore::Options options;
  options.segment_rows = 4;
  options.history_rows = history;
  return options;
}

void AppendRow(StepStore* store, const RowFlags& flags, int64_t id) {
  const auto byte = static_cast<uint8_t>(id % 251);
  const uint8_t bytes[3] = {byte, byte, byte};
  const void* const columns[] = {&id, bytes};
  ASSERT_TRUE(store->Append(&flags, 1, columns).ok());
}

int64_t IdAt(const StepStore& store, const Window& window, int64_t i) {
  int32_t segment = window.segment;
  int32_t offset = window.offset;
  store.Advance(&segment, &offset, i);
  int64_t id = 0;
  const uint8_t* const data = store.SegmentData(segment);
  const std::vector<int64_t>& columns = store.layout().offsets;
  std::memcpy(&id, data + columns[0] + offset * 8, 8);
  const uint8_t* const bytes = data + columns[1] + offset * 3;
  EXPECT_EQ(bytes[0], static_cast<uint8_t>(id % 251));
  EXPECT_EQ(bytes[2], static_cast<uint8_t>(id % 251));
  return id;
}

TEST(StepStoreTest, ColumnsOfASegmentAreAligned) {
  const auto store = MakeStore(SmallSegments(1));
  AppendRow(store.get(), {0, true, false}, 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(store->SegmentData(0)) % 64, 0U);
  EXPECT_EQ(store->layout().offsets[0] % 64, 0);
  EXPECT_EQ(store->layout().offsets[1] % 64, 0);
}

TEST(StepStoreTest, ASegmentHoldsAboutAQuarterOfAMebibyteOfRows) {
  const auto rows = [](int64_t bytes) {
    return (*StepStore::Create({{"x", DType::kUint8, {bytes}}}, {}))->segment_rows();
  };
  EXPECT_EQ(rows(7056), 32);
  EXPECT_EQ(rows(8), 1024);
  EXPECT_EQ(rows(1 << 20), 16);
}

TEST(StepStoreTest, RecentRowsAreFoundAcrossSegments) {
  const auto store = MakeStore(SmallSegments(10));
  for (int64_t id = 0; id < 30; ++id) AppendRow(store.get(), {0, id == 0, false}, id);
  const StatusOr<Window> window = store->Recent(0, 2, 7);
  ASSERT_TRUE(window.ok());
  EXPECT_EQ(window->episode_step, 21U);
  for (int64_t i = 0; i < 7; ++i) EXPECT_EQ(IdAt(*store, *window, i), 21 + i);
}

TEST(StepStoreTest, RowsBeyondTheHistoryOrOfTwoEpisodesMakeNoWindow) {
  const auto store = MakeStore(SmallSegments(5));
  for (int64_t id = 0; id < 20; ++id)
    AppendRow(store.get(), {0, id % 3 == 0, false}, id);
  EXPECT_EQ(store->Recent(0, 0, 6).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(store->Recent(0, 4, 2).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(store->Recent(0, -1, 1).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(store->Recent(0, 0, 3).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(store->Recent(0, 0, 2).ok());
}

// Against a walk row by row.
TEST(StepStoreTest, StepsAreCountedBackOverTheEndsOfEpisodes) {
  constexpr int64_t kHistory = 14;
  const auto store = MakeStore(SmallSegments(kHistory));
  EXPECT_EQ(store->RowsOfSteps(0, 0), 0);
  Random random(3);
  std::vector<bool> begins;  // an episode, by row
  int64_t num_steps = 0;
  for (int64_t id = 0; id < 500; ++id) {
    const bool first = !store->EpisodeOpen(0) || random.Below(8) == 0;
    AppendRow(store.get(), {0, first, random.Below(3) == 0}, id);
    begins.push_back(first);
    num_steps += first ? 0 : 1;
    ASSERT_EQ(store->NumSteps(0), num_steps);
    for (int64_t steps = 0; steps < 9; ++steps) {
      int64_t expected = 1;
      int64_t left = steps;
      for (int64_t row = id; left > 0 && row >= 0; --row, ++expected) {
        left -= begins[static_cast<size_t>(row)] ? 0 : 1;
      }
      if (left > 0 || expected > std::min(id + 1, kHistory)) expected = 0;
      ASSERT_EQ(store->RowsOfSteps(0, steps), expected) << id << " " << steps;
      if (expected == 0) continue;
      const Window window = store->Newest(0, expected);
      ASSERT_EQ(IdAt(*store, window, 0), id + 1 - expected);
      ASSERT_EQ(IdAt(*store, window, expected - 1), id);
    }
  }
}

TEST(StepStoreTest, MemoryIsReusedOnceNobodyHoldsIt) {
  const auto store = MakeStore(SmallSegments(2));
  for (int64_t id = 0; id < 1000; ++id) AppendRow(store.get(), {0, id == 0, false}, id);
  EXPECT_LE(store->bytes_allocated(), 4 * store->segment_bytes());
  EXPECT_LE(store->bytes_in_use(), 2 * store->segment_bytes());
}

TEST(StepStoreTest, RowsStayUntilEveryGatherThatMayReadThemHasEnded) {
  const auto store = MakeStore(SmallSegments(1));
  const auto append = [&store](int64_t id) {
    AppendRow(store.get(), {0, true, true}, id);
    return *store->Recent(0, 0, 1);
  };
  const auto let_go = [&store] {
    store->Reset();
    EXPECT_TRUE(store->CheckValid({}).ok());
    return store->bytes_in_use() / store->segment_bytes();
  };
  const Window old = append(7);
  const int64_t first = store->BeginGather();
  EXPECT_EQ(let_go(), 1);
  const Window recent = append(8);
  const int64_t second = store->BeginGather();
  EXPECT_EQ(let_go(), 2);
  append(9);
  EXPECT_EQ(let_go(), 3);
  EXPECT_EQ(IdAt(*store, old, 0), 7);
  EXPECT_EQ(IdAt(*store, recent, 0), 8);

  store->EndGather(first, &old, 1);  // what it alone held is free
  EXPECT_EQ(let_go(), 2);
  EXPECT_EQ(IdAt(*store, recent, 0), 8);
  const int64_t third = store->BeginGather();
  store->EndGather(second, &recent, 1);
  EXPECT_EQ(let_go(), 0);
  append(10);
  EXPECT_EQ(let_go(), 1);
  store->EndGather(third, &old, 1);
  EXPECT_EQ(let_go(), 0);
}

TEST(StepStoreTest, APinnedWindowStaysAfterAllElseHasLetGo) {
  const auto store = MakeStore(SmallSegments(1));
  AppendRow(store.get(), {0, true, true}, 7);
  const Window window = *store->Recent(0, 0, 1);
  store->Pin(window);
  for (int64_t id = 100; id < 200; ++id) {
    AppendRow(store.get(), {0, id == 100, false}, id);
  }
  store->Reset();
  EXPECT_EQ(IdAt(*store, window, 0), 7);
  EXPECT_TRUE(store->CheckValid({}).ok());
  store->Unpin(window);
  EXPECT_TRUE(store->CheckValid({}).ok());
  EXPECT_EQ(store->bytes_in_use(), 0);
}

TEST(StepStoreTest, FramesBeforeAnItemStayForItsStack) {
  StepStore::Options options = SmallSegments(1);
  options.stack_rows = 9;
  const auto store = MakeStore(options);
  for (int64_t id = 0; id < 20; ++id) AppendRow(store.get(), {0, id == 0, false}, id);
  const Window window = *store->Recent(0, 0, 1);
  store->Ref(window);
  for (int64_t id = 20; id < 100; ++id) AppendRow(store.get(), {0, false, false}, id);
  for (int64_t back = 0; back < 10; ++back) {
    EXPECT_EQ(IdAt(*store, window, -back), 19 - back);
  }
  store->Unref(window);
}

TEST(StepStoreTest, ImpossibleOptionsAreRefused) {
  const auto code = [](std::vector<Column> columns, StepStore::Options options) {
    return StepStore::Create(std::move(columns), options).status().code();
  };
  EXPECT_EQ(code({}, {}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{"x", DType::kBool, {-1}}}, {}), StatusCode::kInvalidArgument);
  StepStore::Options options;
  options.segment_rows = 3;
  EXPECT_EQ(code(Columns(), options), StatusCode::kInvalidArgument);
  options = StepStore::Options();
  options.num_streams = 0;
  EXPECT_EQ(code(Columns(), options), StatusCode::kInvalidArgument);
}

// Several streams, random episodes, random windows held and let go.
TEST(StepStoreTest, HeldRowsNeverChangeWhateverHappens) {
  struct Held {
    Window window;
    int64_t first_id;
  };
  constexpr int64_t kStreams = 3;
  StepStore::Options options = SmallSegments(6);
  options.num_streams = kStreams;
  options.stack_rows = 2;
  const auto store = MakeStore(options);
  Random random(1);
  std::deque<Held> held;
  int64_t next_id[kStreams] = {0, 1'000'000, 2'000'000};
  for (int round = 0; round < 3000; ++round) {
    const auto stream = static_cast<int32_t>(random.Below(kStreams));
    const bool first = !store->EpisodeOpen(stream) || random.Below(20) == 0;
    AppendRow(store.get(), {stream, first, random.Below(5) == 0}, next_id[stream]++);
    const auto length = static_cast<int64_t>(1 + random.Below(6));
    const StatusOr<Window> window = store->Recent(stream, 0, length);
    if (window.ok()) {
      store->Ref(*window);
      held.push_back({*window, next_id[stream] - length});
    }
    if (held.size() > 20) {
      store->Unref(held.front().window);
      held.pop_front();
    }
    std::vector<int32_t> refs;
    for (const Held& each : held) store->CountRefs(each.window, &refs);
    const Status status = store->CheckValid(refs);
    ASSERT_TRUE(status.ok()) << status.message();
    for (const Held& each : held) {
      const int64_t before = std::min<int64_t>(2, each.window.episode_step);
      for (int64_t i = -before; i < each.window.length; ++i) {
        ASSERT_EQ(IdAt(*store, each.window, i), each.first_id + i);
      }
    }
  }
}

TEST(StepStoreTest, ABudgetCountsSegmentsInUseFreeAndYetToBeAllocated) {
  StepStore::Options options = SmallSegments(8);
  options.max_bytes = 3 * MakeStore(options)->segment_bytes() + 1;
  const auto store = MakeStore(options);
  const RowFlags row = {0, false, false};
  EXPECT_EQ(store->NumAvailable(), 3);
  EXPECT_EQ(store->NumNeeded(&row, 1), 1);
  for (int64_t id = 0; id < 4; ++id) AppendRow(store.get(), {0, id == 0, false}, id);
  const Window window = *store->Recent(0, 0, 4);
  store->Pin(window);
  for (int64_t id = 4; id < 12; ++id) AppendRow(store.get(), row, id);
  EXPECT_EQ(store->NumAvailable(), 0);
  EXPECT_EQ(store->NumAvailableLater(), 1);
  EXPECT_EQ(store->NumNeeded(&row, 1), 1);
  const int64_t id = 12;
  const void* const columns[] = {&id, "abc"};
  EXPECT_EQ(store->Append(&row, 1, columns).code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(store->CheckValid({}).ok());
  store->Unpin(window);
  EXPECT_EQ(store->NumAvailable(), 1);
  EXPECT_EQ(store->NumAvailableLater(), 1);
  AppendRow(store.get(), row, 12);
  EXPECT_TRUE(store->CheckValid({}).ok());
}

}  // namespace
}  // namespace tfa
