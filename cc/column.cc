#include "cc/column.h"

#include <cstddef>

namespace tfa {
namespace {

struct TypeInfo {
  const char* name;
  int64_t size;
};

// Indexed by DType.
constexpr TypeInfo kTypes[] = {
    {"bool", 1},   {"int8", 1},    {"int16", 2},   {"int32", 4},
    {"int64", 8},  {"uint8", 1},   {"uint16", 2},  {"uint32", 4},
    {"uint64", 8}, {"float16", 2}, {"float32", 4}, {"float64", 8},
    {"bfloat16", 2},
};

}  // namespace

int64_t DTypeSize(DType dtype) { return kTypes[static_cast<size_t>(dtype)].size; }

const char* DTypeName(DType dtype) { return kTypes[static_cast<size_t>(dtype)].name; }

Status Column::Validate() const {
  int64_t bytes = DTypeSize(dtype);
  for (const int64_t extent : shape) {
    if (extent < 0) {
      return InvalidArgumentError("column '" + name + "' has the shape " +
                                  ShapeString(shape) +
                                  "; every extent must be known and >= 0");
    }
    // An extent of 0 makes the row empty, whatever the others are.
    if (bytes == 0 || extent < kMaxExtent / bytes) {
      bytes *= extent;
      continue;
    }
    return InvalidArgumentError("column '" + name + "' has the shape " +
                                ShapeString(shape) +
                                "; a row of it must have fewer than 2^31 bytes");
  }
  return OkStatus();
}

int64_t Column::num_elements() const {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

std::string ShapeString(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace tfa
