#include "cc/segment_layout.h"

#include <gtest/gtest.h>

#include <vector>

namespace tfa {
namespace {

constexpr int64_t kRows = 64;

Column Plain(int64_t bytes) { return {"plain", DType::kUint8, {bytes}}; }

Column Packed(int64_t bytes) {
  return {"packed", DType::kUint8, {bytes}, Compression::kLz4};
}

Column Floats(int64_t n) { return {"floats", DType::kFloat32, {n}}; }

SegmentLayout Records(const std::vector<Column>& columns) {
  return SegmentLayout(columns, kRows, std::vector<bool>(columns.size(), true));
}

TEST(SegmentLayoutTest, SmallColumnsOfARowLieSideBySide) {
  const SegmentLayout layout = Records({Floats(5), Floats(1), Floats(1)});
  EXPECT_EQ(layout.offsets, (std::vector<int64_t>{0, 20, 24}));
  EXPECT_EQ(layout.strides, (std::vector<int64_t>{32, 32, 32}));
  EXPECT_EQ(layout.steps_offset, kRows * 32);
}

TEST(SegmentLayoutTest, ARecordThatNearlyFillsItsLinesGetsThemToItself) {
  EXPECT_EQ(Records({Floats(28)}).strides[0], 128);
  EXPECT_EQ(Records({Floats(24)}).strides[0], 96);  // a third more is too much
  EXPECT_EQ(Records({Floats(13)}).strides[0], 64);
  EXPECT_EQ(Records({Floats(1)}).strides[0], 4);
}

TEST(SegmentLayoutTest, TheMostAlignedColumnComesFirst) {
  const SegmentLayout layout = Records({
      {"flag", DType::kBool, {}},
      {"small", DType::kFloat32, {}},
      {"large", DType::kFloat64, {}},
  });
  EXPECT_EQ(layout.offsets, (std::vector<int64_t>{12, 8, 0}));
  EXPECT_EQ(layout.strides, (std::vector<int64_t>{16, 16, 16}));
}

TEST(SegmentLayoutTest, LongEmptyAndCompressedColumnsAreNotInRecords) {
  const SegmentLayout layout = Records({
      Floats(65),
      Floats(0),
      Packed(4),
      Floats(1),
  });
  EXPECT_EQ(layout.strides, layout.row_bytes);
  EXPECT_EQ(layout.offsets[3], 0);
  EXPECT_EQ(layout.offsets[0], kRows * 4);
}

TEST(SegmentLayoutTest, WhatIsReadInSuccessionLiesByItself) {
  const SegmentLayout layout({Floats(5), Floats(1), Floats(3)}, kRows,
                             {true, false, true});
  EXPECT_EQ(layout.offsets, (std::vector<int64_t>{0, kRows * 32, 20}));
  EXPECT_EQ(layout.strides, (std::vector<int64_t>{32, 4, 32}));
  const SegmentLayout plain({Floats(5), Floats(1)}, kRows);
  EXPECT_EQ(plain.strides, plain.row_bytes);
}

TEST(SegmentLayoutTest, ABlockHoldsAboutThirtyTwoKibibytes) {
  const SegmentLayout frames({Packed(84 * 84), Plain(4)}, 32);
  EXPECT_EQ(frames.block_rows[0], 4);
  EXPECT_EQ(frames.block_rows[1], 0);
  EXPECT_EQ(frames.num_blocks, 8);
  EXPECT_EQ(SegmentLayout({Packed(1 << 20)}, 16).block_rows[0], 1);
  EXPECT_EQ(SegmentLayout({Packed(4)}, 1024).block_rows[0], 1024);
}

TEST(SegmentLayoutTest, ColumnsDoNotOverlapAndBeginOnALine) {
  const std::vector<Column> columns = {Packed(100), Plain(7), Packed(3), Plain(64)};
  const SegmentLayout layout(columns, kRows);
  std::vector<int64_t> starts = layout.offsets;
  starts.push_back(layout.steps_offset);
  starts.push_back(layout.mark_offset);
  for (const int64_t start : starts) EXPECT_EQ(start % 64, 0);
  EXPECT_LT(layout.offsets[1], layout.offsets[3]);
  EXPECT_LE(layout.offsets[3] + 64 * kRows, layout.steps_offset);
  EXPECT_LE(layout.steps_offset + 4 * kRows, layout.mark_offset);
  EXPECT_LE(layout.mark_offset + 8, layout.offsets[0]);
  EXPECT_LE(layout.offsets[0] + 100 * kRows, layout.offsets[2]);
  EXPECT_LE(layout.offsets[2] + 3 * kRows, layout.bytes);
}

}  // namespace
}  // namespace tfa
