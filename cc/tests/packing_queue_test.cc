#include "cc/packing_queue.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "cc/memory.h"

namespace tfa {
namespace {

constexpr int64_t kBytes = 64;

PackedSegment SomeRows() {
  return {static_cast<uint8_t*>(AllocateAligned(kBytes)), kBytes};
}

int32_t StartAny(PackingQueue* queue) {
  return queue->Start([](int32_t, int64_t) { return true; });
}

TEST(PackingQueueTest, SegmentsAreStartedInTheOrderTheyCame) {
  PackingQueue queue;
  EXPECT_EQ(StartAny(&queue), -1);
  queue.Reserve(2);
  queue.Add(7, 100);
  queue.Add(3, 101);
  EXPECT_EQ(queue.num_unpacked(), 2);
  EXPECT_EQ(StartAny(&queue), 7);
  EXPECT_EQ(queue.num_unpacked(), 2);
  EXPECT_EQ(StartAny(&queue), 3);
  EXPECT_EQ(StartAny(&queue), -1);
  queue.Finish(3, {});
  EXPECT_EQ(queue.num_unpacked(), 1);
  queue.Finish(7, {});
  EXPECT_EQ(queue.num_unpacked(), 0);
}

TEST(PackingQueueTest, ASegmentThatIsAnotherByNowIsForgotten) {
  PackingQueue queue;
  queue.Add(7, 100);
  queue.Add(7, 200);
  queue.Add(8, 201);
  const auto is_alive = [](int32_t, int64_t started_at) { return started_at >= 200; };
  EXPECT_EQ(queue.Start(is_alive), 7);
  EXPECT_EQ(queue.num_unpacked(), 2);  // the one that was started, and segment 8
  EXPECT_EQ(queue.Start([](int32_t, int64_t) { return false; }), -1);
  EXPECT_EQ(queue.num_unpacked(), 1);
}

TEST(PackingQueueTest, PackedRowsAreHandedOverOnce) {
  PackingQueue queue;
  for (const int32_t segment : {1, 2, 3}) queue.Add(segment, segment);
  for (int i = 0; i < 3; ++i) StartAny(&queue);
  queue.Finish(1, {});  // did not get smaller
  EXPECT_FALSE(queue.has_packed());
  queue.Finish(2, SomeRows());
  queue.Finish(3, SomeRows());
  EXPECT_TRUE(queue.has_packed());
  EXPECT_TRUE(queue.Take(1).empty());
  EXPECT_EQ(queue.Take(3).bytes(), kBytes);
  EXPECT_TRUE(queue.Take(3).empty());
  EXPECT_TRUE(queue.has_packed());
  EXPECT_FALSE(queue.Take(2).empty());
  EXPECT_FALSE(queue.has_packed());
}

}  // namespace
}  // namespace tfa
