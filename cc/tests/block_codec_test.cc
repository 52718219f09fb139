#include "cc/block_codec.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "cc/random.h"

namespace tfa {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Noise(size_t n) {
  Random random(1);
  Bytes bytes(n);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Below(256));
  return bytes;
}

// What was compressed; empty when it does not fit.
Bytes Compressed(const Bytes& bytes, int64_t capacity) {
  Bytes out(static_cast<size_t>(capacity) + 1, 99);
  const int64_t size =
      Compress(bytes.data(), static_cast<int64_t>(bytes.size()), out.data(), capacity);
  EXPECT_EQ(out.back(), 99);
  out.resize(static_cast<size_t>(size));
  return out;
}

class BlockCodecTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  }
};

TEST_F(BlockCodecTest, BytesComeBackAsTheyWere) {
  Bytes mixed = Noise(5000);
  mixed.resize(20000, 3);
  for (const Bytes& bytes : {Bytes(10000, 7), mixed, Bytes(60, 5)}) {
    const Bytes compressed = Compressed(bytes, 40000);
    ASSERT_FALSE(compressed.empty());
    Bytes back(bytes.size() + 1, 99);
    Decompress(compressed.data(), static_cast<int64_t>(compressed.size()), back.data(),
               static_cast<int64_t>(bytes.size()));
    EXPECT_EQ(back.back(), 99);
    back.pop_back();
    EXPECT_EQ(back, bytes);
  }
}

TEST_F(BlockCodecTest, WhatRepeatsGetsSmallAndNoiseDoesNotFit) {
  EXPECT_LT(Compressed(Bytes(10000, 7), 10000).size(), 100U);
  EXPECT_TRUE(Compressed(Noise(10000), 10000).empty());
  // Nor does it where there is room: it is better kept as it is.
  EXPECT_TRUE(Compressed(Noise(300), 40000).empty());
}

TEST_F(BlockCodecTest, ACapacityThatIsJustEnoughIsEnough) {
  const Bytes bytes(10000, 7);
  const auto needed = static_cast<int64_t>(Compressed(bytes, 10000).size());
  EXPECT_FALSE(Compressed(bytes, needed).empty());
  EXPECT_TRUE(Compressed(bytes, needed - 1).empty());
}

}  // namespace
}  // namespace tfa
