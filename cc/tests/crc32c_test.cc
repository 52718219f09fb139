#include "cc/crc32c.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Crc32cTest, PublishedValues) {
  const std::vector<uint8_t> zeros(32, 0x00);
  const std::vector<uint8_t> ones(32, 0xff);
  const std::string digits = "123456789";
  for (const auto crc32c : {Crc32c, Crc32cPortable}) {
    EXPECT_EQ(crc32c(0, zeros.data(), 32), 0x8a9136aau);
    EXPECT_EQ(crc32c(0, ones.data(), 32), 0x62a8ab43u);
    EXPECT_EQ(crc32c(0, digits.data(), 9), 0xe3069283u);
    EXPECT_EQ(crc32c(0, digits.data(), 0), 0u);
  }
}

TEST(Crc32cTest, PiecesGiveTheSumOfTheWhole) {
  Random random(0);
  std::vector<uint8_t> data(1000);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random.Next());
  const uint32_t whole = Crc32cPortable(0, data.data(), 1000);
  for (int64_t cut = 0; cut <= 1000; cut += 7) {
    const uint32_t first = Crc32c(0, data.data(), cut);
    EXPECT_EQ(Crc32c(first, data.data() + cut, 1000 - cut), whole);
  }
}

}  // namespace
}  // namespace tfa
