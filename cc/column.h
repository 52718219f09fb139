// Columns: the fixed-shape fields that make up a row of experience.
#ifndef TFAGENTS_CORE_CC_COLUMN_H_
#define TFAGENTS_CORE_CC_COLUMN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/status.h"

namespace tfa {

// Bounds of what is counted along an axis, such as rows, and of a row's bytes: far more
// than there is memory for, and products of two do not overflow.
inline constexpr int64_t kMaxExtent = int64_t{1} << 31;

enum class DType {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat16,
  kFloat32,
  kFloat64,
  kBfloat16,  // Last: checkpoints have the numbers of the others.
};

// How a column's rows are kept once its segment is full.
enum class Compression {
  kNone,
  kLz4,
};

// Bytes of one element.
int64_t DTypeSize(DType dtype);

// NumPy's name of the type, such as "float32".
const char* DTypeName(DType dtype);

// One field of every row: `shape` elements of `dtype`, stored without padding.
struct Column {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;
  Compression compression = Compression::kNone;

  // kInvalidArgument unless every extent is >= 0 and a row has fewer than kMaxExtent
  // bytes. REQUIRED by all else.
  Status Validate() const;
  int64_t num_elements() const;
  int64_t row_bytes() const { return num_elements() * DTypeSize(dtype); }
};

// "(2, 3)", "(4,)" or "()", as NumPy prints a shape.
std::string ShapeString(const std::vector<int64_t>& shape);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_COLUMN_H_
