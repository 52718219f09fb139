#include "cc/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "cc/segment_memory.h"

namespace tfa {
namespace {

// An empty directory for each test.
class MappedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::temp_directory_path() /
                 (std::string("mapped_file_test.") + info->name());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

// No file may be larger, from construction to destruction.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*const handler_)(int);
  rlimit before_{};
};

TEST_F(MappedFileTest, PiecesAreMemoryAndTheFileHasNoName) {
  const auto file = *MappedFile::Create(directory_);
  std::vector<uint8_t*> pieces;
  constexpr size_t kBytes = 10'000;
  for (int i = 0; i < 5; ++i) {
    const StatusOr<void*> piece = file->Grow(kBytes);
    ASSERT_TRUE(piece.ok()) << piece.status().message();
    pieces.push_back(static_cast<uint8_t*>(*piece));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pieces.back()) % 64, 0U);
    std::memset(pieces.back(), i, kBytes);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(pieces[static_cast<size_t>(i)][0], i);
    EXPECT_EQ(pieces[static_cast<size_t>(i)][kBytes - 1], i);
    MappedFile::Unmap(pieces[static_cast<size_t>(i)], kBytes);
  }
}

TEST_F(MappedFileTest, ADirectoryThatIsNotThereIsNamed) {
  const Status status = MappedFile::Create(directory_ / "missing").status();
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_EQ(status.error_number(), ENOENT);
  EXPECT_NE(status.message().find(directory_ / "missing"), std::string::npos);
}

TEST_F(MappedFileTest, AFileThatCannotGrowIsAsItWas) {
  const auto file = *MappedFile::Create(directory_);
  const StatusOr<void*> first = file->Grow(4096);
  ASSERT_TRUE(first.ok());
  std::memset(*first, 7, 4096);
  {
    const FileSizeLimit limit(1 << 20);
    const Status status = file->Grow(2 << 20).status();
    EXPECT_EQ(status.code(), StatusCode::kIoError);
    EXPECT_EQ(status.error_number(), EFBIG);
    EXPECT_NE(status.message().find(directory_.string()), std::string::npos);
    EXPECT_TRUE(file->Grow(4096).ok());
  }
  EXPECT_TRUE(file->Grow(2 << 20).ok());
  EXPECT_EQ(static_cast<uint8_t*>(*first)[4095], 7);
}

TEST_F(MappedFileTest, SegmentMemoryInAFileIsTakenAndGivenBack) {
  SegmentMemory memory(6400, false, *MappedFile::Create(directory_));
  std::vector<uint8_t*> pieces;
  for (int i = 0; i < 40; ++i) {
    if (memory.num_idle() == 0) {
      ASSERT_TRUE(memory.Grow(1000).ok());
    }
    pieces.push_back(memory.Take());
    std::memset(pieces.back(), i, 6400);
  }
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(pieces[i][0], i);
    EXPECT_EQ(pieces[i][6399], i);
    memory.Give(pieces[i]);
  }
  EXPECT_EQ(memory.num_taken(), 0);
  EXPECT_GE(memory.bytes_allocated(), 40 * 6400);
}

TEST(SegmentMemoryTest, PiecesThatCanBeReleasedAre) {
  SegmentMemory memory(6400, true, nullptr);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(memory.Grow(1000).ok());
  EXPECT_EQ(memory.num_idle(), 3);
  uint8_t* const taken = memory.Take();
  memory.Release();
  EXPECT_EQ(memory.bytes_allocated(), 2 * 6400);
  EXPECT_EQ(memory.num_taken(), 1);
  memory.Give(taken);
}

}  // namespace
}  // namespace tfa
