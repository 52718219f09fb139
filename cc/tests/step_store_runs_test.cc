// Rows that are appended as runs, against the same rows one by one.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "cc/random.h"
#include "cc/step_store.h"

namespace tfa {
namespace {

// Columns of all the sizes that are copied in different ways.
std::vector<Column> Columns() {
  return {{"a", DType::kUint8, {}},   {"b", DType::kFloat32, {}},
          {"c", DType::kInt64, {}},   {"d", DType::kUint8, {16}},
          {"e", DType::kUint8, {37}}, {"f", DType::kUint8, {0}}};
}

std::unique_ptr<StepStore> MakeStore(bool recorded, int64_t max_bytes = 0) {
  StepStore::Options options;
  options.num_streams = 2;
  options.segment_rows = 8;
  options.history_rows = 20;
  options.stack_rows = 2;
  options.max_bytes = max_bytes;
  if (recorded) options.read_singly.assign(Columns().size(), true);
  return *StepStore::Create(Columns(), options);
}

// n rows of random bytes and random episodes, which go on from `open` and `step`.
struct SomeRows {
  SomeRows(int64_t n, int32_t stream, bool open, int64_t step, Random* random) {
    for (const Column& column : Columns()) {
      arrays.emplace_back(static_cast<size_t>(n * column.row_bytes()));
      for (uint8_t& byte : arrays.back()) byte = static_cast<uint8_t>(random->Next());
    }
    for (int64_t i = 0; i < n; ++i) {
      const bool first = !open || random->Below(9) == 0;
      open = random->Below(6) != 0;
      flags.push_back({stream, first, !open});
      step = first ? 0 : step;
      steps.push_back(static_cast<uint32_t>(step++));
    }
  }

  // Where row i of every column is.
  std::vector<const void*> Row(int64_t i) const {
    std::vector<const void*> row;
    const std::vector<Column> columns = Columns();
    for (size_t c = 0; c < columns.size(); ++c) {
      row.push_back(arrays[c].data() + i * columns[c].row_bytes());
    }
    return row;
  }

  void AppendTo(StepStore* store) const {
    const auto n = static_cast<int64_t>(flags.size());
    const std::vector<const void*> columns = Row(0);
    ASSERT_TRUE(store->AppendRun(flags.data(), n, steps.data(), columns.data()).ok());
  }

  std::vector<std::vector<uint8_t>> arrays;
  std::vector<RowFlags> flags;
  std::vector<uint32_t> steps;
};

// The bytes of one row of a store, and its index within its episode.
std::vector<uint8_t> RowAt(const StepStore& store, Window window, int64_t i) {
  store.Advance(&window.segment, &window.offset, i);
  const SegmentLayout& layout = store.layout();
  const uint8_t* const data = store.SegmentData(window.segment);
  std::vector<uint8_t> row = {
      static_cast<uint8_t>(store.EpisodeStep(window.segment, window.offset))};
  for (size_t c = 0; c < layout.offsets.size(); ++c) {
    const uint8_t* const at =
        data + layout.offsets[c] + window.offset * layout.strides[c];
    row.insert(row.end(), at, at + layout.row_bytes[c]);
  }
  return row;
}

TEST(StepStoreRunsTest, ARunIsAsManyAppendsOfOneRow) {
  for (const bool recorded : {false, true}) {
    const auto by_runs = MakeStore(recorded);
    const auto by_rows = MakeStore(recorded);
    Random random(1);
    for (int round = 0; round < 200; ++round) {
      const auto stream = static_cast<int32_t>(random.Below(2));
      const auto n = static_cast<int64_t>(1 + random.Below(30));
      const SomeRows run(n, stream, by_runs->EpisodeOpen(stream),
                         by_runs->NextStep(stream), &random);
      const int64_t before = by_runs->bytes_in_use() / by_runs->segment_bytes();
      const int64_t needed = by_runs->NumNeededByRun(stream, n);
      run.AppendTo(by_runs.get());
      ASSERT_EQ(by_runs->bytes_in_use() / by_runs->segment_bytes(), before + needed);
      by_runs->FinishRun(stream);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_TRUE(
            by_rows->Append(&run.flags[static_cast<size_t>(i)], 1, run.Row(i).data())
                .ok());
      }
      ASSERT_TRUE(by_runs->CheckValid({}).ok());
      ASSERT_EQ(by_runs->bytes_in_use(), by_rows->bytes_in_use());
      ASSERT_EQ(by_runs->EpisodeOpen(stream), by_rows->EpisodeOpen(stream));
      ASSERT_EQ(by_runs->NextStep(stream), by_rows->NextStep(stream));
      ASSERT_EQ(by_runs->NumSteps(stream), by_rows->NumSteps(stream));
      const int64_t history = by_rows->HistoryRows(stream);
      ASSERT_EQ(by_runs->HistoryRows(stream), history);
      for (int64_t i = 0; i < history; ++i) {
        ASSERT_EQ(RowAt(*by_runs, by_runs->Newest(stream, history), i),
                  RowAt(*by_rows, by_rows->Newest(stream, history), i));
      }
    }
  }
}

TEST(StepStoreRunsTest, WindowsOfARunAreThoseOfItsRows) {
  const auto store = MakeStore(false);
  Random random(2);
  for (int round = 0; round < 100; ++round) {
    const auto n = static_cast<int64_t>(1 + random.Below(40));
    const int64_t reachable = n + store->HistoryRows(0);
    const SomeRows run(n, 0, store->EpisodeOpen(0), store->NextStep(0), &random);
    run.AppendTo(store.get());
    std::vector<RunItem> items;
    for (int i = 0; i < 20; ++i) {
      const auto row = static_cast<int32_t>(random.Below(static_cast<uint64_t>(n)));
      const auto most = static_cast<uint64_t>(reachable - n + row + 1);
      items.push_back({row, static_cast<int32_t>(1 + random.Below(most))});
    }
    std::vector<Window> windows(items.size());
    store->FindRunWindows(0, n, items.data(), 20, windows.data());
    for (size_t i = 0; i < items.size(); ++i) {
      const int64_t first = n - items[i].row - 1 + items[i].length;
      const Window expected = store->Newest(0, first);
      ASSERT_EQ(windows[i].segment, expected.segment);
      ASSERT_EQ(windows[i].offset, expected.offset);
      ASSERT_EQ(windows[i].episode_step, expected.episode_step);
      ASSERT_EQ(windows[i].length, items[i].length);
    }
    store->FinishRun(0);
  }
}

TEST(StepStoreRunsTest, ReferencesCountTheSameManyAtATimeAsOneByOne) {
  const auto store = MakeStore(false);
  Random random(3);
  const SomeRows run(100, 0, false, 0, &random);
  run.AppendTo(store.get());
  std::vector<RunItem> items;
  for (int32_t row = 2; row < 100; ++row) items.push_back({row, 1 + row % 3});
  std::vector<Window> windows(items.size());
  const auto n = static_cast<int64_t>(items.size());
  store->FindRunWindows(0, 100, items.data(), n, windows.data());
  std::vector<int32_t> refs;
  for (const Window& window : windows) store->CountRefs(window, &refs);
  store->RefAll(windows.data(), n);
  store->FinishRun(0);
  ASSERT_TRUE(store->CheckValid(refs).ok());
  store->UnrefAll(windows.data(), n / 2);
  store->Ref(windows.back());
  refs.clear();
  for (size_t i = windows.size() / 2; i < windows.size(); ++i) {
    store->CountRefs(windows[i], &refs);
  }
  store->CountRefs(windows.back(), &refs);
  ASSERT_TRUE(store->CheckValid(refs).ok());
}

TEST(StepStoreRunsTest, WhatARunCouldUseIsAllThatTheHistoriesDoNotHold) {
  const int64_t segment_bytes = MakeStore(false)->segment_bytes();
  const auto store = MakeStore(false, 6 * segment_bytes);
  EXPECT_EQ(store->MostAvailable(), 6);
  Random random(4);
  SomeRows(9, 1, false, 0, &random).AppendTo(store.get());
  EXPECT_EQ(store->MostAvailable(), 4);
  const Window window = store->Newest(1, 9);
  store->Ref(window);  // by an item, which could go
  SomeRows(31, 1, true, 9, &random).AppendTo(store.get());
  store->FinishRun(1);  // keeps 22 rows
  EXPECT_EQ(store->MostAvailable(), 3);
  EXPECT_EQ(store->NumAvailable(), 1);
  store->Unref(window);
  EXPECT_EQ(store->NumAvailable(), 3);
}

}  // namespace
}  // namespace tfa
