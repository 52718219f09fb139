#include "cc/saved_state.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes RandomBytes(int64_t n, Random* random) {
  Bytes bytes(static_cast<size_t>(n));
  for (uint8_t& each : bytes) each = static_cast<uint8_t>(random->Below(256));
  return bytes;
}

TEST(ChangesTest, AppliedToTheBaseTheyGiveWhatChanged) {
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    const Bytes base = RandomBytes(static_cast<int64_t>(random.Below(300)), &random);
    Bytes now = base;
    now.resize(random.Below(300), 7);
    for (uint64_t n = random.Below(6); n > 0 && !now.empty(); --n) {
      now[random.Below(now.size())] ^= 0x40;
    }
    Bytes changes;
    const auto size = static_cast<int64_t>(now.size());
    PutChanges(base, now.data(), size, &changes);
    Bytes patched = base;
    patched.resize(now.size());
    ASSERT_TRUE(ApplyChanges(changes, patched.data(), size));
    EXPECT_EQ(patched, now);
  }
}

TEST(ChangesTest, AChangedWordTakesTwelveBytes) {
  const Bytes base(1 << 20, 1);
  Bytes now = base;
  for (size_t at = 0; at < now.size(); at += 1 << 14) now[at] = 2;
  Bytes changes;
  PutChanges(base, now.data(), 1 << 20, &changes);
  EXPECT_EQ(changes.size(), 64 * 12);
}

TEST(ChangesTest, ALongRunIsCutIntoSeveral) {
  Random random(2);
  const Bytes now = RandomBytes((2 << 20) - 3, &random);
  const auto size = static_cast<int64_t>(now.size());
  Bytes changes;
  PutChanges({}, now.data(), size, &changes);
  Bytes patched(now.size());
  ASSERT_TRUE(ApplyChanges(changes, patched.data(), size));
  EXPECT_EQ(patched, now);
}

TEST(ChangesTest, ThoseOfAnotherBlockAreRefused) {
  Bytes changes;
  const Bytes now(64, 1);
  PutChanges({}, now.data(), 64, &changes);
  Bytes block(64);
  EXPECT_FALSE(ApplyChanges(changes, block.data(), 0));
  changes.pop_back();
  EXPECT_FALSE(ApplyChanges(changes, block.data(), 64));
  changes.resize(3);
  EXPECT_FALSE(ApplyChanges(changes, block.data(), 64));
}

class SavedStateTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "saved_state_test." +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
    std::filesystem::create_directory(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string NewDirectory() {
    const std::string directory = root_ + "/" + std::to_string(num_saves_++);
    std::filesystem::create_directory(directory);
    return directory;
  }

  // Saves beside the last, reads it back, and returns how many bytes were written.
  int64_t SaveAndCheck(const Writer& state) {
    const std::string directory = NewDirectory();
    Writer out;
    auto files = SaveState(directory, last_, files_, state, &out);
    EXPECT_TRUE(files.ok()) << files.status().message();
    int64_t bytes = out.size();
    std::vector<FileSum> sums = {{"state.bin", bytes, 0}};
    for (const StateFile& each : *files) {
      sums.push_back(each.file);
      const std::string path = directory + "/" + each.file.name;
      if (std::filesystem::hard_link_count(path) == 1) bytes += each.file.bytes;
    }
    Reader in(out.data(), out.size());
    Bytes loaded;
    std::vector<StateFile> names;
    const Status status = LoadState(directory, sums, &in, &loaded, &names);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(loaded, Bytes(state.data(), state.data() + state.size()));
    EXPECT_EQ(names.size(), files->size());
    files_ = *std::move(files);
    last_ = directory;
    return bytes;
  }

  std::string root_;
  std::string last_;
  std::vector<StateFile> files_;
  int num_saves_ = 0;
};

// A small section, one of so many numbers, and another small one.
Writer StateOf(const std::vector<uint64_t>& numbers, const std::string& before = "") {
  Writer state;
  state.PutString(before);
  state.EndSection();
  state.PutArray(numbers);
  state.EndSection();
  state.Put(int32_t{5});
  return state;
}

TEST_F(SavedStateTest, ASaveOfTheSameWritesNextToNothing) {
  const std::vector<uint64_t> numbers(1'000'000, 3);
  EXPECT_GT(SaveAndCheck(StateOf(numbers)), 8'000'000);
  EXPECT_LT(SaveAndCheck(StateOf(numbers)), 1000);
  // What grows before them does not move them.
  EXPECT_LT(SaveAndCheck(StateOf(numbers, "longer than it was")), 1000);
}

TEST_F(SavedStateTest, WhatGrowsAndShrinksIsSavedAsWhatChanged) {
  std::vector<uint64_t> numbers(1'000'000, 3);
  SaveAndCheck(StateOf(numbers));
  numbers.resize(1'010'000, 4);
  EXPECT_LT(SaveAndCheck(StateOf(numbers)), 100'000);
  numbers.resize(990'000);
  EXPECT_LT(SaveAndCheck(StateOf(numbers)), 100'000);
  numbers.resize(20);
  EXPECT_LT(SaveAndCheck(StateOf(numbers)), 1000);
}

TEST_F(SavedStateTest, NoSaveInARowOfManyWritesMostOfIt) {
  Random random(3);
  std::vector<uint64_t> numbers(2'000'000);
  for (uint64_t& each : numbers) each = random.Next();
  const int64_t whole = SaveAndCheck(StateOf(numbers));
  for (int i = 0; i < 40; ++i) {
    for (int k = 0; k < 40'000; ++k) numbers[random.Below(numbers.size())] ^= 1;
    EXPECT_LT(SaveAndCheck(StateOf(numbers)), whole / 2) << i;
  }
}

TEST_F(SavedStateTest, AFileThatIsGoneOrDamagedIsWrittenAnew) {
  const std::vector<uint64_t> numbers(600'000, 3);
  SaveAndCheck(StateOf(numbers));
  ASSERT_EQ(files_.size(), 3);
  std::filesystem::remove(last_ + "/" + files_[0].file.name);
  files_[1].file.crc32c ^= 1;
  const int64_t anew = files_[0].file.bytes + files_[1].file.bytes;
  const int64_t written = SaveAndCheck(StateOf(numbers));
  EXPECT_GE(written, anew);
  EXPECT_LT(written, anew + 1000);
}

}  // namespace
}  // namespace tfa
