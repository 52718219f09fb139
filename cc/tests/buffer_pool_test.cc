#include "cc/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace tfa {
namespace {

TEST(BufferPoolTest, BuffersAreAlignedAndLargeEnough) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  for (const int64_t bytes : {0, 1, 63, 64, 65, 257, 1000, 1 << 20, 5 << 20}) {
    const std::unique_ptr<Buffer> buffer = pool->Acquire(bytes);
    ASSERT_NE(buffer, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0U);
    EXPECT_GE(buffer->capacity(), bytes);
    std::memset(buffer->data(), 1, static_cast<size_t>(bytes));
  }
}

TEST(BufferPoolTest, AtMostAFifthOfALargeBufferIsWasted) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  for (int64_t bytes = 1024; bytes < 100'000; bytes += 777) {
    EXPECT_LE(4 * pool->Acquire(bytes)->capacity(), 5 * bytes);
  }
}

TEST(BufferPoolTest, ABufferIsUsedAgainOnlyAfterItWasGivenBack) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  std::unique_ptr<Buffer> first = pool->Acquire(1000);
  const std::unique_ptr<Buffer> second = pool->Acquire(1000);
  void* const memory = first->data();
  EXPECT_NE(memory, second->data());
  first.reset();
  EXPECT_EQ(pool->Acquire(1000)->data(), memory);
}

TEST(BufferPoolTest, WhatIsUsedAllTheTimeIsKept) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  std::set<void*> distinct;
  for (int round = 0; round < 3 * BufferPool::kWindow; ++round) {
    std::vector<std::unique_ptr<Buffer>> buffers;
    for (int i = 0; i < 5; ++i) buffers.push_back(pool->Acquire(1024));
    for (const auto& buffer : buffers) distinct.insert(buffer->data());
    EXPECT_EQ(pool->bytes_allocated(), 5 * 1024);
  }
  EXPECT_EQ(distinct.size(), 5U);
}

TEST(BufferPoolTest, WhatOneLargeSampleTookIsGivenBack) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  pool->Acquire(1 << 20).reset();
  for (int i = 0; i < BufferPool::kWindow / 2; ++i) pool->Acquire(1024).reset();
  EXPECT_EQ(pool->bytes_allocated(), (1 << 20) + 1024);  // may still be wanted
  for (int i = 0; i < 2 * BufferPool::kWindow; ++i) pool->Acquire(1024).reset();
  EXPECT_EQ(pool->bytes_allocated(), 1024);
}

TEST(BufferPoolTest, BatchesOfGrowingSizeKeepNoSmallerOnes) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  for (int64_t i = 1; i <= 8 * BufferPool::kWindow; ++i) pool->Acquire(64 * i).reset();
  // Those of the last two windows are of sizes within a factor of 4/3: a few classes.
  EXPECT_LE(pool->bytes_allocated(), 5 * 64 * 8 * BufferPool::kWindow);
}

TEST(BufferPoolTest, TrimFreesWhatNobodyHolds) {
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  std::unique_ptr<Buffer> held = pool->Acquire(1024);
  pool->Acquire(2048).reset();
  pool->Trim();
  EXPECT_EQ(pool->bytes_allocated(), 1024);
  held.reset();
  EXPECT_EQ(pool->bytes_allocated(), 1024);
  pool->Trim();
  EXPECT_EQ(pool->bytes_allocated(), 0);
}

TEST(BufferPoolTest, ABufferOutlivesItsPool) {
  std::shared_ptr<BufferPool> pool = BufferPool::Create();
  const std::unique_ptr<Buffer> buffer = pool->Acquire(100);
  pool.reset();
  std::memset(buffer->data(), 7, 100);
  EXPECT_EQ(static_cast<uint8_t*>(buffer->data())[99], 7);
}

}  // namespace
}  // namespace tfa
