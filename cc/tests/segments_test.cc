#include "cc/segments.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "cc/block_codec.h"
#include "cc/column.h"
#include "cc/random.h"

namespace tfa {
namespace {

SegmentLayout Plain() { return SegmentLayout({{"x", DType::kInt64, {}}}, 4); }

SegmentLayout Packs() {
  return SegmentLayout({{"x", DType::kUint8, {4096}, Compression::kLz4}}, 4);
}

// Segments of a chain, each of which has one reference.
std::vector<int32_t> StartChain(Segments* segments, int64_t n) {
  std::vector<int32_t> chain;
  EXPECT_TRUE(segments->Reserve(n).ok());
  for (int64_t i = 0; i < n; ++i) {
    chain.push_back(segments->Start(chain.empty() ? -1 : chain.back()));
  }
  return chain;
}

std::vector<int32_t> Refs(const Segments& segments, const std::vector<int32_t>& held) {
  std::vector<int32_t> refs(static_cast<size_t>(segments.size()));
  for (const int32_t segment : held) ++refs[static_cast<size_t>(segment)];
  return refs;
}

TEST(SegmentsTest, AChainIsLinkedBothWays) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 3);
  EXPECT_EQ(segments.prev(chain[0]), -1);
  EXPECT_EQ(segments.next(chain[0]), chain[1]);
  EXPECT_EQ(segments.prev(chain[1]), chain[0]);
  EXPECT_EQ(segments.next(chain[2]), -1);
  EXPECT_LT(segments.started_at(chain[0]), segments.started_at(chain[1]));
  const std::vector<int32_t> other = StartChain(&segments, 1);
  EXPECT_EQ(segments.prev(other[0]), -1);
  EXPECT_EQ(segments.next(chain[2]), -1);
  EXPECT_EQ(segments.bytes_in_use(), 4 * layout.bytes);
}

TEST(SegmentsTest, ASegmentWithoutReferencesIsUsedAgainAsANewOne) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 2);
  const int64_t started_at = segments.started_at(chain[0]);
  segments.Ref(chain[0], 2);
  segments.Unref(chain[0]);
  segments.Unref(chain[0]);
  EXPECT_TRUE(segments.referenced(chain[0]));
  EXPECT_EQ(segments.bytes_in_use(), 2 * layout.bytes);
  segments.Unref(chain[0]);
  EXPECT_EQ(segments.bytes_in_use(), layout.bytes);
  EXPECT_TRUE(segments.CheckValid(Refs(segments, {chain[1]})).ok());
  EXPECT_EQ(StartChain(&segments, 1)[0], chain[0]);
  EXPECT_GT(segments.started_at(chain[0]), started_at);
  EXPECT_EQ(segments.next(chain[0]), -1);
  EXPECT_EQ(segments.size(), 2);
}

TEST(SegmentsTest, PinsKeepWhatReferencesLetGo) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 8 * layout.bytes, nullptr);
  const int32_t segment = StartChain(&segments, 1)[0];
  segments.Pin(segment);
  segments.Pin(segment);
  segments.Unref(segment);
  EXPECT_EQ(segments.NumAvailable(), 7);
  EXPECT_EQ(segments.NumAvailableLater(), 8);
  EXPECT_TRUE(segments.CheckValid({0}).ok());
  segments.Unpin(segment);
  EXPECT_EQ(segments.bytes_in_use(), layout.bytes);
  segments.Unpin(segment);
  EXPECT_EQ(segments.bytes_in_use(), 0);
  EXPECT_EQ(segments.NumAvailable(), 8);
  EXPECT_TRUE(segments.CheckValid({0}).ok());
}

TEST(SegmentsTest, AllReferencesMayGoAtOnce) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 3);
  segments.Ref(chain[1], 5);
  segments.Unref(chain[2]);
  segments.UnrefAll();
  EXPECT_EQ(segments.bytes_in_use(), 0);
  EXPECT_TRUE(segments.CheckValid({0, 0, 0}).ok());
}

TEST(SegmentsTest, NoMoreThanTheBoundIsAllocated) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 5 * layout.bytes + 1, nullptr);
  EXPECT_EQ(segments.NumAvailable(), 5);
  EXPECT_TRUE(segments.Reserve(9).ok());
  EXPECT_EQ(segments.bytes_allocated(), 5 * layout.bytes);
  EXPECT_EQ(segments.bytes_in_use(), 0);
}

TEST(SegmentsTest, MoreThanABlockOfHeadersStayWhereTheyAre) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 3000);
  std::memset(segments.data(chain[0]), 1, static_cast<size_t>(layout.bytes));
  for (size_t i = 1; i < chain.size(); ++i) {
    ASSERT_EQ(segments.prev(chain[i]), chain[i - 1]);
  }
  EXPECT_TRUE(segments.CheckValid(Refs(segments, chain)).ok());
}

TEST(SegmentsTest, CheckValidFindsCountsThatAreWrong) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 2);
  EXPECT_TRUE(segments.CheckValid({1, 1}).ok());
  EXPECT_FALSE(segments.CheckValid({1, 2}).ok());
  EXPECT_FALSE(segments.CheckValid({0, 1}).ok());
}

TEST(SegmentsTest, AFullSegmentIsPackedButTheLastOfAChainIsNot) {
  if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  const SegmentLayout layout = Packs();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 2);
  for (const int32_t segment : chain) {
    std::memset(segments.data(segment) + layout.offsets[0], 7, 4 * 4096);
  }
  EXPECT_EQ(segments.num_unpacked(), 1);
  PackingBuffer buffer;
  ASSERT_EQ(segments.StartPacking(), chain[0]);
  const uint8_t* const raw = segments.data(chain[0]);
  segments.Pin(chain[0]);
  segments.FinishPacking(chain[0], Pack(layout, raw, &buffer));
  EXPECT_EQ(segments.data(chain[0]), raw);  // someone reads it
  EXPECT_EQ(segments.BytesOf(chain[0]), layout.bytes);
  segments.Unpin(chain[0]);
  EXPECT_NE(segments.data(chain[0]), raw);
  EXPECT_LT(segments.BytesOf(chain[0]), layout.bytes / 4);
  EXPECT_EQ(segments.bytes_in_use(), layout.bytes + segments.BytesOf(chain[0]));
  EXPECT_EQ(segments.StartPacking(), -1);
  EXPECT_TRUE(segments.CheckValid(Refs(segments, chain)).ok());
}

TEST(SegmentsTest, PackedRowsOfASegmentThatIsFreeGoWithIt) {
  if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  const SegmentLayout layout = Packs();
  Segments segments(layout, 0, nullptr);
  const std::vector<int32_t> chain = StartChain(&segments, 2);
  std::memset(segments.data(chain[0]) + layout.offsets[0], 7, 4 * 4096);
  PackingBuffer buffer;
  ASSERT_EQ(segments.StartPacking(), chain[0]);
  segments.Pin(chain[0]);
  segments.FinishPacking(chain[0], Pack(layout, segments.data(chain[0]), &buffer));
  segments.Unref(chain[0]);
  segments.Unpin(chain[0]);
  // Its number is used again, and what was packed is not put into the new one's place.
  ASSERT_EQ(StartChain(&segments, 1)[0], chain[0]);
  const uint8_t* const raw = segments.data(chain[0]);
  segments.Pin(chain[0]);
  segments.Unpin(chain[0]);
  EXPECT_EQ(segments.data(chain[0]), raw);
  EXPECT_EQ(segments.bytes_in_use(), 2 * layout.bytes);
  EXPECT_TRUE(segments.CheckValid(Refs(segments, chain)).ok());
}

TEST(SegmentsTest, IdleMemoryIsFreedWhereSegmentsPack) {
  if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  const SegmentLayout layout = Packs();
  Segments segments(layout, 0, nullptr);
  StartChain(&segments, 8);
  EXPECT_EQ(segments.bytes_allocated(), 8 * layout.bytes);
  segments.UnrefAll();
  segments.ReleaseIdle();
  EXPECT_EQ(segments.bytes_allocated(), layout.bytes);
  segments.ReleaseIdle();
  EXPECT_EQ(segments.bytes_allocated(), layout.bytes);
}

// Random references, pins and gathers, with a count of each beside them.
TEST(SegmentsTest, CountsAreRightWhateverHappens) {
  const SegmentLayout layout = Plain();
  Segments segments(layout, 0, nullptr);
  Random random(1);
  std::vector<int32_t> held;
  std::vector<int32_t> pinned;
  std::vector<int64_t> gathers;
  const auto take = [&random](auto* from) {
    const size_t i = random.Below(from->size());
    const auto taken = (*from)[i];
    from->erase(from->begin() + static_cast<int64_t>(i));
    return taken;
  };
  for (int round = 0; round < 4000; ++round) {
    switch (random.Below(7)) {
      case 0:
        if (held.size() < 30) held.push_back(StartChain(&segments, 1)[0]);
        break;
      case 1:
        if (!held.empty()) held.push_back(held[random.Below(held.size())]);
        if (!held.empty()) segments.Ref(held.back());
        break;
      case 2:
        if (!held.empty()) pinned.push_back(held[random.Below(held.size())]);
        if (!held.empty()) segments.Pin(pinned.back());
        break;
      case 3:
        if (!pinned.empty()) segments.Unpin(take(&pinned));
        break;
      case 4:
        if (gathers.size() < 3) gathers.push_back(segments.BeginGather());
        break;
      case 5:
        if (!gathers.empty()) segments.EndGather(take(&gathers));
        break;
      default:
        if (!held.empty()) segments.Unref(take(&held));
    }
    const Status status = segments.CheckValid(Refs(segments, held));
    ASSERT_TRUE(status.ok()) << status.message();
  }
  while (!held.empty()) segments.Unref(take(&held));
  while (!pinned.empty()) segments.Unpin(take(&pinned));
  while (!gathers.empty()) segments.EndGather(take(&gathers));
  EXPECT_EQ(segments.bytes_in_use(), 0);
}

}  // namespace
}  // namespace tfa
