#include "cc/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace tfa {
namespace {

// Below and above the size from which on memory comes in pages of its own.
const int64_t kSizes[] = {1, 100, 4096, kHugePageBytes - 1, kHugePageBytes,
                          3 * kHugePageBytes + 5};

bool IsAligned(const void* memory, int64_t to) {
  return reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(to) == 0;
}

bool IsZero(const uint8_t* bytes, int64_t n) {
  return std::all_of(bytes, bytes + n, [](uint8_t byte) { return byte == 0; });
}

TEST(MemoryTest, MemoryStartsOnACacheLineAndMuchOfItOnAHugePage) {
  for (const int64_t bytes : kSizes) {
    void* const memory = AllocateAligned(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_TRUE(IsAligned(memory, bytes < kHugePageBytes ? 64 : kHugePageBytes));
    std::memset(memory, 1, static_cast<size_t>(bytes));
    FreeAligned(memory, bytes);
  }
  FreeAligned(nullptr, 100);
}

TEST(MemoryTest, ZeroedMemoryIsZeroAndBecomesZeroAgain) {
  for (const int64_t bytes : kSizes) {
    auto* const memory = static_cast<uint8_t*>(AllocateZeroed(bytes));
    ASSERT_NE(memory, nullptr);
    EXPECT_TRUE(IsAligned(memory, 64));
    EXPECT_TRUE(IsZero(memory, bytes)) << bytes;
    std::memset(memory, 1, static_cast<size_t>(bytes));
    ZeroAgain(memory, bytes);
    EXPECT_TRUE(IsZero(memory, bytes)) << bytes;
    std::memset(memory, 2, static_cast<size_t>(bytes));
    FreeAligned(memory, bytes);
  }
}

TEST(MemoryTest, MoreThanThereCanBeIsNull) {
  EXPECT_EQ(AllocateAligned(int64_t{1} << 60), nullptr);
  EXPECT_EQ(AllocateZeroed(int64_t{1} << 60), nullptr);
}

TEST(MemoryTest, ContainersOfAlignedMemoryMayBeMovedAndCompared) {
  using Bytes = std::vector<uint8_t, AlignedAllocator<uint8_t>>;
  Bytes bytes(1000, 7);
  EXPECT_TRUE(IsAligned(bytes.data(), 64));
  const uint8_t* const data = bytes.data();
  const Bytes moved = std::move(bytes);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(moved, Bytes(1000, 7));
}

}  // namespace
}  // namespace tfa
