#include "cc/column_reader.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "cc/block_codec.h"

namespace tfa {
namespace {

constexpr int64_t kRows = 40;

// Row i of one episode, over segments of 8 rows, holds the number i and 99 more bytes.
std::unique_ptr<StepStore> MakeStore(Compression compression, bool recorded) {
  StepStore::Options options;
  options.segment_rows = 8;
  options.history_rows = kRows;
  if (recorded) options.read_singly = {true, true};
  const std::vector<Column> columns = {{"id", DType::kInt64, {}},
                                       {"bytes", DType::kUint8, {100}, compression}};
  auto store = *StepStore::Create(columns, options);
  for (int64_t id = 0; id < kRows; ++id) {
    const std::vector<uint8_t> bytes(100, static_cast<uint8_t>(id));
    const RowFlags flags = {0, id == 0, false};
    const void* const row[] = {&id, bytes.data()};
    EXPECT_TRUE(store->Append(&flags, 1, row).ok());
  }
  PackingBuffer buffer;
  for (int32_t s = store->StartPacking(); s >= 0; s = store->StartPacking()) {
    store->FinishPacking(s, store->PackRows(s, &buffer));
  }
  return store;
}

// The window of rows [first, first + length).
LocatedWindow Locate(const StepStore& store, int64_t first, int64_t length) {
  const Window window = *store.Recent(0, kRows - first - length, length);
  return {window, store.SegmentData(window.segment)};
}

int64_t Id(const uint8_t* row) {
  int64_t id = 0;
  std::memcpy(&id, row, sizeof(id));
  return id;
}

TEST(ColumnReaderTest, RowsBeforeWithinAndBehindASegmentAreFound) {
  for (const bool recorded : {false, true}) {
    const auto store = MakeStore(Compression::kNone, recorded);
    const ColumnReader ids(*store, 0);
    const ColumnReader bytes(*store, 1);
    const LocatedWindow item = Locate(*store, 13, 20);
    for (int64_t i = -13; i < 20; ++i) {
      EXPECT_EQ(Id(ids.Row(item, i)), 13 + i);
      EXPECT_EQ(bytes.Row(item, i)[99], 13 + i);
    }
  }
}

TEST(ColumnReaderTest, NearRowsAreThoseOfTheWindowsFirstSegment) {
  const auto store = MakeStore(Compression::kNone, false);
  const ColumnReader ids(*store, 0);
  const LocatedWindow item = Locate(*store, 13, 20);  // three rows end its segment
  EXPECT_EQ(ids.NearRow(item, 2), ids.Row(item, 2));
  EXPECT_EQ(ids.NearRow(item, 3), nullptr);
  EXPECT_EQ(ids.NearRows(item, 1, 2), ids.Row(item, 1));
  EXPECT_EQ(ids.NearRows(item, 1, 3), nullptr);
  EXPECT_EQ(ids.NearRows(item, 0, 0), nullptr);
}

TEST(ColumnReaderTest, RunsEndWhereASegmentDoes) {
  const auto store = MakeStore(Compression::kNone, false);
  const ColumnReader ids(*store, 0);
  const LocatedWindow item = Locate(*store, 13, 20);
  EXPECT_EQ(ids.stride(), ids.row_bytes());
  EXPECT_EQ(ids.Run(item, 0, 20), 3);
  EXPECT_EQ(ids.Run(item, 0, 2), 2);
  EXPECT_EQ(ids.Run(item, 3, 17), 8);
  EXPECT_EQ(ids.Run(item, 12, 8), 7);
  EXPECT_EQ(ids.Run(item, -3, 20), 6);
}

TEST(ColumnReaderTest, RowsOfRecordsDoNotLieOneAfterAnother) {
  const auto store = MakeStore(Compression::kNone, true);
  const ColumnReader ids(*store, 0);
  const LocatedWindow item = Locate(*store, 13, 20);
  EXPECT_GT(ids.stride(), ids.row_bytes());
  EXPECT_EQ(ids.Run(item, 0, 20), 1);
  EXPECT_EQ(ids.Row(item, 1) - ids.Row(item, 0), ids.stride());
  EXPECT_EQ(ids.NearRows(item, 0, 3), ids.Row(item, 0));
}

TEST(ColumnReaderTest, PackedRowsAreNeverNear) {
  if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  const auto store = MakeStore(Compression::kLz4, false);
  ColumnReader ids(*store, 0);
  ColumnReader bytes(*store, 1);
  ids.Reserve();
  bytes.Reserve();
  const LocatedWindow item = Locate(*store, 13, 20);
  EXPECT_NE(ids.NearRow(item, 0), nullptr);  // this column is not packed
  EXPECT_EQ(bytes.NearRow(item, 0), nullptr);
  EXPECT_EQ(bytes.NearRows(item, 0, 2), nullptr);
  for (int64_t i = -13; i < 20; ++i) EXPECT_EQ(bytes.Row(item, i)[50], 13 + i);
}

}  // namespace
}  // namespace tfa
