#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "cc/block_codec.h"
#include "cc/column_reader.h"
#include "cc/random.h"
#include "cc/step_store.h"

namespace tfa {
namespace {

constexpr int64_t kPixels = 200;

std::vector<Column> Columns() {
  return {{"id", DType::kInt64, {}},
          {"pixels", DType::kUint8, {kPixels}, Compression::kLz4}};
}

std::unique_ptr<StepStore> MakeStore(int64_t num_streams, int64_t max_bytes) {
  StepStore::Options options;
  options.num_streams = num_streams;
  options.segment_rows = 4;
  options.history_rows = 6;
  options.stack_rows = 2;
  options.max_bytes = max_bytes;
  return *StepStore::Create(Columns(), options);
}

// Pixels all the same, but in every seventh segment of a stream.
void AppendRow(StepStore* store, const RowFlags& flags, int64_t id) {
  std::vector<uint8_t> pixels(kPixels, static_cast<uint8_t>(id % 251));
  Random noise(static_cast<uint64_t>(id));
  if (id / 4 % 7 == 0) {
    std::generate(pixels.begin() + 1, pixels.end(),
                  [&] { return static_cast<uint8_t>(noise.Below(256)); });
  }
  const void* const columns[] = {&id, pixels.data()};
  ASSERT_TRUE(store->Append(&flags, 1, columns).ok());
}

void CheckRow(const StepStore& store, const Window& window, int64_t i, int64_t id) {
  const LocatedWindow item = {window, store.SegmentData(window.segment)};
  const ColumnReader ids(store, 0);
  const ColumnReader pixels(store, 1);
  int64_t stored = 0;
  std::memcpy(&stored, ids.Row(item, i), sizeof(stored));
  ASSERT_EQ(stored, id);
  ASSERT_EQ(pixels.Row(item, i)[0], static_cast<uint8_t>(id % 251));
}

// Whether there was one to pack.
bool PackNext(StepStore* store) {
  PackingBuffer buffer;
  const int32_t segment = store->StartPacking();
  if (segment < 0) return false;
  store->FinishPacking(segment, store->PackRows(segment, &buffer));
  return true;
}

class StepStorePackingTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  }
};

TEST_F(StepStorePackingTest, AFullSegmentIsPackedOnceItHasASuccessor) {
  const auto store = MakeStore(1, 0);
  for (int64_t id = 4; id < 8; ++id) AppendRow(store.get(), {0, id == 4, false}, id);
  EXPECT_EQ(store->num_unpacked(), 0);
  EXPECT_FALSE(PackNext(store.get()));
  AppendRow(store.get(), {0, false, false}, 8);
  EXPECT_EQ(store->num_unpacked(), 1);
  EXPECT_EQ(store->bytes_in_use(), 2 * store->segment_bytes());
  EXPECT_TRUE(PackNext(store.get()));
  EXPECT_EQ(store->num_unpacked(), 0);
  EXPECT_LT(store->bytes_in_use(), 3 * store->segment_bytes() / 2);
  const Window window = *store->Recent(0, 0, 5);
  for (int64_t i = 0; i < 5; ++i) CheckRow(*store, window, i, 4 + i);
  EXPECT_TRUE(store->CheckValid({}).ok());
}

TEST_F(StepStorePackingTest, WhatAGatherReadsMovesWhenItIsDone) {
  const auto store = MakeStore(1, 0);
  for (int64_t id = 4; id < 9; ++id) AppendRow(store.get(), {0, id == 4, false}, id);
  const Window window = *store->Recent(0, 1, 4);
  store->Pin(window);
  const uint8_t* const raw = store->SegmentData(window.segment);
  EXPECT_TRUE(PackNext(store.get()));
  EXPECT_EQ(store->SegmentData(window.segment), raw);
  EXPECT_EQ(store->bytes_in_use(), 2 * store->segment_bytes());
  EXPECT_TRUE(store->CheckValid({}).ok());
  store->Unpin(window);
  EXPECT_NE(store->SegmentData(window.segment), raw);
  EXPECT_LT(store->bytes_in_use(), 2 * store->segment_bytes());
  CheckRow(*store, window, 2, 6);
  EXPECT_TRUE(store->CheckValid({}).ok());
}

TEST_F(StepStorePackingTest, WhatIsFreedWhileItWaitsOrIsPackedIsFree) {
  const auto store = MakeStore(1, 0);
  for (int64_t id = 4; id < 9; ++id) AppendRow(store.get(), {0, id == 4, false}, id);
  store->Reset();
  EXPECT_EQ(store->StartPacking(), -1);
  EXPECT_EQ(store->num_unpacked(), 0);
  for (int64_t id = 4; id < 9; ++id) AppendRow(store.get(), {0, id == 4, false}, id);
  const int32_t segment = store->StartPacking();
  ASSERT_GE(segment, 0);
  store->Reset();
  EXPECT_EQ(store->bytes_in_use(), store->segment_bytes());
  EXPECT_TRUE(store->CheckValid({}).ok());
  PackingBuffer buffer;
  store->FinishPacking(segment, store->PackRows(segment, &buffer));
  EXPECT_EQ(store->bytes_in_use(), 0);
  EXPECT_TRUE(store->CheckValid({}).ok());
}

TEST_F(StepStorePackingTest, ABudgetCountsWhatIsPackedAsWhatItTakes) {
  const int64_t segment_bytes = MakeStore(1, 0)->segment_bytes();
  const auto store = MakeStore(1, 5 * segment_bytes);
  std::deque<Window> held;
  int64_t id = 4;
  AppendRow(store.get(), {0, true, false}, id);
  while (store->NumAvailable() > 0) {
    AppendRow(store.get(), {0, false, false}, ++id);
    held.push_back(*store->Recent(0, 0, 1));
    store->Ref(held.back());
    while (PackNext(store.get())) continue;
    EXPECT_LE(store->bytes_allocated(), 5 * segment_bytes);
  }
  EXPECT_GT(id / 4, 10);  // segments in the place of five
  std::vector<int32_t> refs;
  for (const Window& window : held) store->CountRefs(window, &refs);
  EXPECT_TRUE(store->CheckValid(refs).ok());
  for (const Window& window : held) store->Unref(window);
}

// Several streams, random episodes, windows held and pinned, and packing in between.
TEST_F(StepStorePackingTest, HeldRowsNeverChangeWhateverHappens) {
  struct Held {
    Window window;
    int64_t first_id;
    bool pinned;
  };
  constexpr int64_t kStreams = 3;
  const auto store = MakeStore(kStreams, 0);
  Random random(1);
  std::deque<Held> held;
  PackingBuffer buffer;
  int64_t next_id[kStreams] = {0, 1'000'000, 2'000'000};
  int32_t packing = -1;
  for (int round = 0; round < 3000; ++round) {
    const auto stream = static_cast<int32_t>(random.Below(kStreams));
    const bool first = !store->EpisodeOpen(stream) || random.Below(20) == 0;
    AppendRow(store.get(), {stream, first, random.Below(5) == 0}, next_id[stream]++);
    const auto length = static_cast<int64_t>(1 + random.Below(6));
    const StatusOr<Window> window = store->Recent(stream, 0, length);
    if (window.ok()) {
      const bool pinned = random.Below(4) == 0;
      store->Ref(*window);
      if (pinned) store->Pin(*window);
      held.push_back({*window, next_id[stream] - length, pinned});
    }
    if (held.size() > 40) {
      store->Unref(held.front().window);
      if (held.front().pinned) store->Unpin(held.front().window);
      held.pop_front();
    }
    if (packing >= 0 && random.Below(2) == 0) {
      store->FinishPacking(packing, store->PackRows(packing, &buffer));
      packing = -1;
    }
    if (packing < 0) packing = store->StartPacking();
    std::vector<int32_t> refs;
    for (const Held& each : held) store->CountRefs(each.window, &refs);
    const Status status = store->CheckValid(refs);
    ASSERT_TRUE(status.ok()) << status.message();
    if (held.empty()) continue;
    const Held& each = held[random.Below(held.size())];
    const int64_t before = std::min<int64_t>(2, each.window.episode_step);
    for (int64_t i = -before; i < each.window.length; ++i) {
      CheckRow(*store, each.window, i, each.first_id + i);
    }
  }
}

}  // namespace
}  // namespace tfa
