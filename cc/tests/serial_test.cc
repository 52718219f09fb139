#include "cc/serial.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tfa {
namespace {

Writer Example() {
  Writer out;
  out.Put(int32_t{-7});
  out.PutString("name");
  const int64_t block = out.BeginBlock();
  out.PutArray(std::vector<double>{0.5, -1.0});
  out.EndBlock(block);
  out.PutArrayOf<int16_t>(3, [](int64_t i) { return static_cast<int16_t>(i * i); });
  return out;
}

TEST(SerialTest, ValuesComeBackInOrder) {
  const Writer out = Example();
  Reader in(out.data(), out.size());
  EXPECT_EQ(in.Get<int32_t>(), -7);
  EXPECT_EQ(in.GetString(), "name");
  Reader block = in.GetBlock();
  EXPECT_EQ(block.GetArray<double>(), (std::vector<double>{0.5, -1.0}));
  EXPECT_TRUE(block.done());
  EXPECT_FALSE(in.done());
  EXPECT_EQ(in.GetArray<int16_t>(), (std::vector<int16_t>{0, 1, 4}));
  EXPECT_TRUE(in.done());
}

TEST(SerialTest, EveryTruncationIsNoticed) {
  const Writer out = Example();
  for (int64_t size = 0; size < out.size(); ++size) {
    Reader in(out.data(), size);
    in.Get<int32_t>();
    in.GetString();
    in.GetBlock();
    in.GetArray<int16_t>();
    EXPECT_FALSE(in.done()) << size;
  }
}

TEST(SerialTest, AnAbsurdLengthAllocatesNothing) {
  for (const int64_t length : {int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{9}}) {
    Writer out;
    out.Put(length);
    out.Put(int64_t{0});
    Reader in(out.data(), out.size());
    EXPECT_TRUE(in.GetArray<int64_t>().empty());
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.Get<int64_t>(), 0) << "nothing is read after a failure";
  }
}

}  // namespace
}  // namespace tfa
