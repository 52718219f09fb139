#include "cc/segment_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace tfa {
namespace {

constexpr int64_t kPieceBytes = 4096;

// Takes all pieces that are idle and writes to every byte of them.
std::vector<uint8_t*> TakeAll(SegmentMemory* memory) {
  std::vector<uint8_t*> pieces;
  while (memory->num_idle() > 0) {
    pieces.push_back(memory->Take());
    std::memset(pieces.back(), static_cast<int>(pieces.size()), kPieceBytes);
  }
  return pieces;
}

TEST(SegmentMemoryTest, EachSlabHasAsManyPiecesAsThereWere) {
  SegmentMemory memory(kPieceBytes, false, nullptr);
  for (const int64_t expected : {1, 2, 4, 8}) {
    ASSERT_TRUE(memory.Grow(1000).ok());
    EXPECT_EQ(memory.bytes_allocated(), expected * kPieceBytes);
    EXPECT_EQ(memory.num_idle(), expected);
  }
  ASSERT_TRUE(memory.Grow(3).ok());
  EXPECT_EQ(memory.bytes_allocated(), 11 * kPieceBytes);
}

TEST(SegmentMemoryTest, ASlabHasAtMost16MebibytesButAtLeastOnePiece) {
  const int64_t large = int64_t{9} << 20;
  SegmentMemory memory(large, false, nullptr);
  for (int64_t n = 1; n <= 4; ++n) {
    ASSERT_TRUE(memory.Grow(1000).ok());
    EXPECT_EQ(memory.bytes_allocated(), n * large);
  }
}

TEST(SegmentMemoryTest, PiecesAreAlignedAndDoNotOverlap) {
  SegmentMemory memory(kPieceBytes, false, nullptr);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(memory.Grow(1000).ok());
  const std::vector<uint8_t*> pieces = TakeAll(&memory);
  EXPECT_EQ(memory.num_taken(), 8);
  EXPECT_EQ(std::set<uint8_t*>(pieces.begin(), pieces.end()).size(), 8U);
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pieces[i]) % 64, 0U);
    EXPECT_EQ(pieces[i][0], i + 1);
    EXPECT_EQ(pieces[i][kPieceBytes - 1], i + 1);
  }
}

TEST(SegmentMemoryTest, APieceThatIsGivenBackIsTheNextToBeTaken) {
  SegmentMemory memory(kPieceBytes, false, nullptr);
  ASSERT_TRUE(memory.Grow(4).ok());
  ASSERT_TRUE(memory.Grow(4).ok());
  uint8_t* const first = memory.Take();
  memory.Take();
  memory.Give(first);
  EXPECT_EQ(memory.num_taken(), 1);
  EXPECT_EQ(memory.Take(), first);
  EXPECT_EQ(memory.bytes_allocated(), 2 * kPieceBytes);
}

TEST(SegmentMemoryTest, ReleasablePiecesAreAllocatedAndFreedOneByOne) {
  SegmentMemory memory(kPieceBytes, true, nullptr);
  for (int64_t n = 1; n <= 5; ++n) {
    ASSERT_TRUE(memory.Grow(1000).ok());
    EXPECT_EQ(memory.num_idle(), n);
  }
  uint8_t* const taken = memory.Take();
  memory.Release();
  memory.Release();
  EXPECT_EQ(memory.bytes_allocated(), 3 * kPieceBytes);
  EXPECT_EQ(memory.num_idle(), 2);
  EXPECT_EQ(memory.num_taken(), 1);
  memory.Give(taken);
}

TEST(SegmentMemoryTest, PiecesOfAFileAreMemoryLikeOthers) {
  StatusOr<std::unique_ptr<MappedFile>> file =
      MappedFile::Create(std::filesystem::temp_directory_path().string());
  ASSERT_TRUE(file.ok()) << file.status().message();
  SegmentMemory memory(kPieceBytes, false, *std::move(file));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(memory.Grow(1000).ok());
  const std::vector<uint8_t*> pieces = TakeAll(&memory);
  ASSERT_EQ(pieces.size(), 4U);
  for (size_t i = 0; i < pieces.size(); ++i) EXPECT_EQ(pieces[i][100], i + 1);
}

}  // namespace
}  // namespace tfa
