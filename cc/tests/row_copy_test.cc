#include "cc/row_copy.h"

#include <gtest/gtest.h>

#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

TEST(RowCopyTest, RowsOfEverySizeAreCopiedAndNothingElse) {
  constexpr int64_t kRows = 5;
  Random random(1);
  std::vector<uint8_t> source(4096);
  for (uint8_t& byte : source) byte = static_cast<uint8_t>(random.Below(256));
  for (int64_t bytes = 1; bytes < 600; ++bytes) {
    std::vector<const uint8_t*> rows;
    std::vector<uint8_t> expected;
    for (int64_t i = 0; i < kRows; ++i) {
      // The last ends where the source does.
      const auto room = source.size() - static_cast<size_t>(bytes);
      const size_t at = i + 1 < kRows ? random.Below(room) : room;
      rows.push_back(source.data() + at);
      expected.insert(expected.end(), rows.back(), rows.back() + bytes);
    }
    expected.resize(expected.size() + 64, 99);
    std::vector<uint8_t> copied(expected.size(), 99);
    ChooseRowCopy(bytes)(rows.data(), kRows, bytes, copied.data());
    EXPECT_EQ(copied, expected) << bytes;
  }
}

}  // namespace
}  // namespace tfa
