#include "cc/slot_array.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tfa {
namespace {

// Some that malloc has, and some of pages of their own.
const int64_t kSizes[] = {1, 100, kHugePageBytes / 8, kHugePageBytes / 4 + 5};

TEST(SlotArrayTest, WhatWasNeverWrittenIsZero) {
  for (const int64_t size : kSizes) {
    SlotArray<int64_t> array;
    array.Reserve(size);
    EXPECT_EQ(array.capacity(), size);
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(array[i], 0);
  }
}

TEST(SlotArrayTest, ReserveKeepsWhatThereWas) {
  SlotArray<int64_t> array;
  for (const int64_t size : kSizes) {
    const int64_t before = array.capacity();
    array.Reserve(size);
    array.Reserve(1);  // nothing
    EXPECT_EQ(array.capacity(), size);
    for (int64_t i = 0; i < before; ++i) ASSERT_EQ(array[i], i + 1);
    for (int64_t i = before; i < size; ++i) ASSERT_EQ(array[i], 0);
    for (int64_t i = before; i < size; ++i) array[i] = i + 1;
  }
}

TEST(SlotArrayTest, ClearMakesEverythingZeroAgain) {
  for (const int64_t size : kSizes) {
    SlotArray<int64_t> array;
    array.Reserve(size);
    for (int64_t i = 0; i < size; ++i) array[i] = 7;
    array.Clear();
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(array[i], 0);
    array[size - 1] = 3;
    EXPECT_EQ(array[size - 1], 3);
  }
}

TEST(SlotArrayTest, MoreThanThereIsAddressSpaceForIsAnErrorThatChangesNothing) {
  SlotArray<int64_t> array;
  array.Reserve(10);
  array[9] = 4;
  EXPECT_THROW(array.Reserve(int64_t{1} << 58), std::bad_alloc);
  EXPECT_EQ(array.capacity(), 10);
  EXPECT_EQ(array[9], 4);
}

TEST(SlotArrayTest, VectorsThatAreReservedOneByOneGrowByDoubling) {
  std::vector<int> vector;
  int num_moves = 0;
  for (int i = 0; i < 1000; ++i) {
    const size_t before = vector.capacity();
    ReserveMore(&vector, 1);
    num_moves += vector.capacity() != before ? 1 : 0;
    vector.push_back(i);
    EXPECT_LE(vector.size(), vector.capacity());
  }
  EXPECT_LE(num_moves, 11);
}

}  // namespace
}  // namespace tfa
