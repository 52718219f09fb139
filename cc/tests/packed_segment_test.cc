#include "cc/packed_segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/block_codec.h"
#include "cc/random.h"

namespace tfa {
namespace {

constexpr int64_t kRows = 16;

Column Plain(int64_t bytes) { return {"plain", DType::kUint8, {bytes}}; }

Column Packed(int64_t bytes) {
  return {"packed", DType::kUint8, {bytes}, Compression::kLz4};
}

class PackedSegmentTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  }
};

// A raw segment in which `noise` of 4 stretches of 100 bytes are random.
std::vector<uint8_t> RawSegment(const SegmentLayout& layout, uint64_t noise,
                                Random* random) {
  std::vector<uint8_t> segment(static_cast<size_t>(layout.bytes));
  for (size_t i = 0; i < segment.size(); ++i) {
    const bool random_byte = i / 100 % 4 < noise;
    segment[i] = static_cast<uint8_t>(random_byte ? random->Below(256) : i / 1000);
  }
  std::fill_n(segment.begin() + layout.mark_offset, sizeof(int64_t), uint8_t{0});
  return segment;
}

TEST_F(PackedSegmentTest, EveryRowIsWhatItWasWhateverIsReadBefore) {
  const std::vector<Column> columns = {Packed(700), Plain(8),  Packed(40'000),
                                       Plain(3),    Packed(1), Packed(0)};
  const SegmentLayout layout(columns, kRows);
  Random random(1);
  PackingBuffer buffer;
  for (uint64_t noise = 0; noise < 3; ++noise) {
    const std::vector<uint8_t> raw = RawSegment(layout, noise, &random);
    PackedSegment packed = Pack(layout, raw.data(), &buffer);
    ASSERT_FALSE(packed.empty());
    const int64_t bytes = packed.bytes();
    EXPECT_LE(bytes, layout.bytes - layout.bytes / 8);
    uint8_t* const segment = packed.Release();
    EXPECT_EQ(layout.PackedBytes(segment), bytes);
    EXPECT_EQ(layout.PackedBytes(raw.data()), 0);
    for (const int64_t column : {0, 2, 4}) {
      const auto c = static_cast<size_t>(column);
      const int64_t row_bytes = layout.row_bytes[c];
      Unpacker unpacker(layout, column);
      for (int i = 0; i < 200; ++i) {
        const auto row = static_cast<int64_t>(random.Below(kRows));
        const uint8_t* const expected =
            raw.data() + layout.offsets[c] + row * row_bytes;
        const auto n = static_cast<size_t>(row_bytes);
        EXPECT_EQ(std::memcmp(unpacker.Row(segment, row), expected, n), 0);
        EXPECT_EQ(unpacker.Row(raw.data(), row), expected);
      }
    }
    FreeAligned(segment, bytes);
  }
}

TEST_F(PackedSegmentTest, RowsOfTheLastFewBlocksStayWhereTheyAre) {
  const SegmentLayout layout({Packed(40'000)}, kRows);
  ASSERT_EQ(layout.block_rows[0], 1);
  Random random(1);
  PackingBuffer buffer;
  const std::vector<uint8_t> raw = RawSegment(layout, 0, &random);
  PackedSegment packed = Pack(layout, raw.data(), &buffer);
  const int64_t bytes = packed.bytes();
  uint8_t* const segment = packed.Release();
  Unpacker unpacker(layout, 0);
  const uint8_t* const row = unpacker.Row(segment, 0);
  for (int64_t other = 1; other < Unpacker::kKept; ++other) {
    unpacker.Row(segment, other);
  }
  EXPECT_EQ(unpacker.Row(segment, 0), row);
  EXPECT_EQ(std::memcmp(row, raw.data() + layout.offsets[0], 40'000), 0);
  FreeAligned(segment, bytes);
}

TEST_F(PackedSegmentTest, WhatDoesNotShrinkByAnEighthIsNotPacked) {
  const SegmentLayout layout({Packed(1000)}, kRows);
  Random random(1);
  PackingBuffer buffer;
  EXPECT_TRUE(Pack(layout, RawSegment(layout, 4, &random).data(), &buffer).empty());
  EXPECT_FALSE(Pack(layout, RawSegment(layout, 2, &random).data(), &buffer).empty());
}

}  // namespace
}  // namespace tfa
