#include "cc/column.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tfa {
namespace {

TEST(ColumnTest, ARowHasTheBytesOfAllItsElements) {
  const Column scalar = {"x", DType::kFloat64, {}};
  EXPECT_EQ(scalar.num_elements(), 1);
  EXPECT_EQ(scalar.row_bytes(), 8);
  const Column image = {"x", DType::kUint16, {4, 5, 3}};
  EXPECT_EQ(image.num_elements(), 60);
  EXPECT_EQ(image.row_bytes(), 120);
  const Column nothing = {"x", DType::kInt32, {7, 0}};
  EXPECT_EQ(nothing.row_bytes(), 0);
}

TEST(ColumnTest, TypesHaveTheNamesAndSizesThatNumPyGivesThem) {
  struct Expected {
    DType dtype;
    std::string name;
    int64_t size;
  };
  const std::vector<Expected> all = {
      {DType::kBool, "bool", 1},         {DType::kInt8, "int8", 1},
      {DType::kInt16, "int16", 2},       {DType::kInt32, "int32", 4},
      {DType::kInt64, "int64", 8},       {DType::kUint8, "uint8", 1},
      {DType::kUint16, "uint16", 2},     {DType::kUint32, "uint32", 4},
      {DType::kUint64, "uint64", 8},     {DType::kFloat16, "float16", 2},
      {DType::kFloat32, "float32", 4},   {DType::kFloat64, "float64", 8},
      {DType::kBfloat16, "bfloat16", 2},
  };
  for (const Expected& each : all) {
    EXPECT_EQ(DTypeName(each.dtype), each.name);
    EXPECT_EQ(DTypeSize(each.dtype), each.size) << each.name;
  }
}

TEST(ColumnTest, ARowHasFewerThanTwoGibibytes) {
  const auto validate = [](std::vector<int64_t> shape) {
    return Column{"pixels", DType::kInt16, std::move(shape)}.Validate();
  };
  EXPECT_TRUE(validate({(1 << 30) - 1}).ok());
  EXPECT_FALSE(validate({1 << 30}).ok());
  EXPECT_FALSE(validate({1 << 15, 1 << 15}).ok());
  // The product of these is 0 modulo 2^64.
  EXPECT_FALSE(validate({int64_t{1} << 32, int64_t{1} << 32}).ok());
  const Status status = validate({3, -1});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("'pixels' has the shape (3, -1)"), std::string::npos);
}

TEST(ColumnTest, ARowWithAnExtentOfZeroIsEmptyWhateverTheOthersAre) {
  const Column column = {"x", DType::kFloat64, {0, int64_t{1} << 20, 1 << 20}};
  EXPECT_TRUE(column.Validate().ok());
  EXPECT_EQ(column.row_bytes(), 0);
}

TEST(ColumnTest, ShapesArePrintedAsNumPyPrintsThem) {
  EXPECT_EQ(ShapeString({}), "()");
  EXPECT_EQ(ShapeString({4}), "(4,)");
  EXPECT_EQ(ShapeString({84, 84, 1}), "(84, 84, 1)");
}

}  // namespace
}  // namespace tfa
