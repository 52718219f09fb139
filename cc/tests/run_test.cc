#include "cc/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cc/random.h"
#include "cc/replay.h"

namespace tfa {
namespace {

const Pattern kPatterns[] = {
    {Pattern::Kind::kNStep, 1, 1, true},    {Pattern::Kind::kNStep, 2, 1, true},
    {Pattern::Kind::kNStep, 3, 1, true},    {Pattern::Kind::kNStep, 5, 1, true},
    {Pattern::Kind::kSequence, 3, 1, true}, {Pattern::Kind::kSequence, 3, 2, false},
    {Pattern::Kind::kSequence, 1, 1, true}, {Pattern::Kind::kEpisode, 1000, 1, true},
    {Pattern::Kind::kUnroll, 2, 1, true},   {Pattern::Kind::kUnroll, 3, 2, true},
    {Pattern::Kind::kUnroll, 2, 3, true},   {Pattern::Kind::kExplicit, 1, 1, true},
};

std::unique_ptr<StepStore> MakeStore(StepStore::Options options) {
  return *StepStore::Create({{"id", DType::kInt64, {}}}, options);
}

// Appends n rows that count from `id` on as a run; the first begins an episode if none
// is open.
void AppendRun(StepStore* store, int64_t n, int64_t id) {
  std::vector<RowFlags> rows(static_cast<size_t>(n));
  rows[0].first = !store->EpisodeOpen(0);
  std::vector<int64_t> ids(rows.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = id + static_cast<int64_t>(i);
  const void* const columns[] = {ids.data()};
  PlannedRun run;
  ASSERT_TRUE(run.Plan(*store, rows.data(), n).ok());
  ASSERT_TRUE(store->AppendRun(rows.data(), n, run.steps().data(), columns).ok());
}

int64_t IdAt(const StepStore& store, Window window, int64_t i) {
  store.Advance(&window.segment, &window.offset, i);
  int64_t id = 0;
  const int64_t at = store.layout().offsets[0] + window.offset * 8;
  std::memcpy(&id, store.SegmentData(window.segment) + at, sizeof(id));
  return id;
}

// The rows of a run whose flags are the bits of two numbers, of what they allow.
std::vector<RowFlags> RowsOf(int64_t n, uint64_t firsts, uint64_t lasts) {
  std::vector<RowFlags> rows(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    RowFlags& row = rows[static_cast<size_t>(i)];
    row.last = (lasts >> i & 1) != 0;
    row.first =
        (firsts >> i & 1) != 0 || (i > 0 && rows[static_cast<size_t>(i) - 1].last);
  }
  return rows;
}

TEST(RunTest, NoRunMakesMoreItemsThanThePatternSays) {
  StepStore::Options options;
  options.history_rows = 20;
  for (const Pattern& pattern : kPatterns) {
    for (int64_t n = 1; n <= 9; ++n) {
      size_t most = 0;
      for (int64_t before = 1; before <= 12; before += pattern.period) {
        const auto store = MakeStore(options);
        AppendRun(store.get(), before, 0);
        for (uint64_t lasts = 0; lasts < uint64_t{1} << n; ++lasts) {
          const std::vector<RowFlags> rows = RowsOf(n, 0, lasts);
          PlannedRun run;
          std::vector<RunItem> items;
          ASSERT_TRUE(run.Plan(*store, rows.data(), n).ok());
          ASSERT_TRUE(run.FindItems(*store, pattern, &items).ok());
          most = std::max(most, items.size());
        }
      }
      const int64_t bound = pattern.MostItemsOfRun(n);
      ASSERT_LE(static_cast<int64_t>(most), bound) << "n = " << n;
      // And that many there are, where the bound is meant to be the least.
      if (pattern.kind != Pattern::Kind::kNStep) continue;
      ASSERT_EQ(static_cast<int64_t>(most), bound)
          << pattern.length << " steps, n = " << n;
    }
  }
}

TEST(RunTest, AnAppendOfManyStreamsOrOfOneCountsWithWhatMakesMore) {
  const Pattern pattern = {Pattern::Kind::kNStep, 3, 1, true};
  EXPECT_EQ(pattern.MostItems(1, 8), 3);
  EXPECT_EQ(pattern.MostItems(8, 8), 24);
  EXPECT_EQ(pattern.MostItems(8, 1), pattern.MostItemsOfRun(8));
  EXPECT_EQ(pattern.MostItems(8, 2), pattern.MostItemsOfRun(8));
  EXPECT_EQ((Pattern{Pattern::Kind::kExplicit, 1, 1, true}.MostItems(8, 8)), 1);
}

TEST(RunTest, RowsToComeCountWithTheHistoryTheyLeave) {
  StepStore::Options options;
  options.history_rows = 4;
  const auto store = MakeStore(options);
  AppendRun(store.get(), 3, 0);
  store->FinishRun(0);
  const uint32_t coming[] = {3, 4, 0, 1};
  EXPECT_EQ(store->RowsOfSteps(0, 2), 3);
  EXPECT_EQ(store->RowsOfSteps(0, 2, coming, 2), 3);
  EXPECT_EQ(store->RowsOfSteps(0, 3, coming, 2), 4);
  EXPECT_EQ(store->RowsOfSteps(0, 4, coming, 2), 0);  // five rows
  EXPECT_EQ(store->RowsOfSteps(0, 2, coming, 4), 4);  // over the end of an episode
  EXPECT_EQ(store->RowsOfSteps(0, 3, coming, 4), 0);
}

TEST(RunTest, WindowsOfARunReachBackOverSegmentsThatHistoryWouldLetGo) {
  StepStore::Options options;
  options.segment_rows = 4;
  options.history_rows = 3;
  const auto store = MakeStore(options);
  AppendRun(store.get(), 6, 0);
  store->FinishRun(0);
  AppendRun(store.get(), 30, 6);
  std::vector<RunItem> items;
  for (int32_t row = 0; row < 30; ++row) items.push_back({row, 1 + row % 3});
  std::vector<Window> windows(items.size());
  store->FindRunWindows(0, 30, items.data(), 30, windows.data());
  store->RefAll(windows.data(), 30);
  store->FinishRun(0);
  for (size_t i = 0; i < windows.size(); ++i) {
    const int64_t last = windows[i].length - 1;
    EXPECT_EQ(windows[i].length, items[i].length);
    EXPECT_EQ(IdAt(*store, windows[i], last), 6 + items[i].row);
    EXPECT_EQ(IdAt(*store, windows[i], 0), 6 + items[i].row - last);
    EXPECT_EQ(windows[i].episode_step, static_cast<uint32_t>(6 + items[i].row - last));
  }
  std::vector<int32_t> refs;
  for (const Window& window : windows) store->CountRefs(window, &refs);
  Status status = store->CheckValid(refs);
  EXPECT_TRUE(status.ok()) << status.message();
  store->UnrefAll(windows.data(), 30);
  status = store->CheckValid({});
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(store->bytes_in_use(), store->segment_bytes());
}

TEST(RunTest, ReferencesOfManyWindowsAreThoseOfEach) {
  StepStore::Options options;
  options.segment_rows = 4;
  options.history_rows = 60;
  options.stack_rows = 2;
  const auto store = MakeStore(options);
  AppendRun(store.get(), 60, 0);
  Random random(3);
  std::vector<Window> windows;
  for (int i = 0; i < 200; ++i) {
    const auto length = static_cast<int64_t>(random.Below(6)) + 1;
    const auto back = static_cast<int64_t>(random.Below(50));
    for (uint64_t n = random.Below(4); n > 0; --n) {
      windows.push_back(*store->Recent(0, back, length));
    }
  }
  const auto n = static_cast<int64_t>(windows.size());
  store->RefAll(windows.data(), n);
  std::vector<int32_t> refs;
  for (const Window& window : windows) store->CountRefs(window, &refs);
  Status status = store->CheckValid(refs);
  EXPECT_TRUE(status.ok()) << status.message();
  store->UnrefAll(windows.data(), n);
  status = store->CheckValid({});
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(RunTest, ARunThatFailsHasChangedNothing) {
  ReplayOptions options;
  options.columns = {{"x", DType::kInt64, {}}};
  options.segment_rows = 4;
  options.max_bytes = 8 * 192;
  TableOptions table;
  table.name = "t";
  table.remover.kind = SelectorOptions::Kind::kFifo;
  table.max_size = 100;
  table.pattern = {Pattern::Kind::kNStep, 2, 1, true};
  options.tables = {table};
  const auto replay = *Replay::Create(options);
  const std::vector<int64_t> x(100);
  const void* const columns[] = {x.data()};
  std::vector<RowFlags> rows(100);
  rows[0].first = true;
  NewKeys keys;
  EXPECT_EQ(
      replay->AppendSteps(rows.data(), 100, columns, nullptr, kNoWait, &keys).code(),
      StatusCode::kInvalidArgument);
  rows[3].last = true;
  EXPECT_EQ(replay->AppendSteps(rows.data(), 10, columns, nullptr, kNoWait).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(replay->Stats(0)->num_inserted, 0);
  EXPECT_EQ(replay->bytes_in_use(), 0);
  ASSERT_TRUE(
      replay->AppendSteps(rows.data(), 4, columns, nullptr, kNoWait, &keys).ok());
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].size(), 4U);
  EXPECT_EQ(*replay->Keys(0), keys[0]);
  const Status status = replay->CheckValid();
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace tfa
