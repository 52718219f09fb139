#include "cc/view.h"

namespace tfa {
namespace {

size_t Size(int64_t n) { return static_cast<size_t>(n); }

Status CheckFloat(const Column& column, const char* what) {
  if (column.dtype == DType::kFloat32 || column.dtype == DType::kFloat64) {
    return OkStatus();
  }
  return InvalidArgumentError(std::string(what) + " '" + column.name + "' has dtype " +
                              DTypeName(column.dtype) +
                              "; n-step sums need float32 or float64");
}

}  // namespace

Status View::Validate(const std::vector<Column>& columns) const {
  const auto count = static_cast<int64_t>(columns.size());
  if (column < 0 || column >= count || discount < 0 || discount >= count) {
    return OutOfRangeError("a view names a column that does not exist");
  }
  if (stack < 0) {
    return InvalidArgumentError("stack is " + std::to_string(stack) +
                                "; it must be >= 1, or None for no stack");
  }
  if ((kind == Kind::kRows || kind == Kind::kMask) && (start < 0 || stop <= start)) {
    return InvalidArgumentError("a view of rows [" + std::to_string(start) + ", " +
                                std::to_string(stop) +
                                ") is empty; it needs 0 <= start < stop");
  }
  if (kind != Kind::kReturn && kind != Kind::kDiscount) return OkStatus();
  const Column& d = columns[Size(discount)];
  TFA_RETURN_IF_ERROR(CheckFloat(d, "discount"));
  if (!(gamma >= 0.0 && gamma <= 1.0)) {
    return InvalidArgumentError("gamma is " + std::to_string(gamma) +
                                "; it must be in [0, 1]");
  }
  if (kind == Kind::kDiscount) return OkStatus();
  const Column& r = columns[Size(column)];
  TFA_RETURN_IF_ERROR(CheckFloat(r, "reward"));
  if (d.num_elements() != 1 && d.shape != r.shape) {
    return InvalidArgumentError("reward '" + r.name + "' has the shape " +
                                ShapeString(r.shape) + " but discount '" + d.name +
                                "' has " + ShapeString(d.shape) +
                                "; they must be equal, or the discount a scalar");
  }
  return OkStatus();
}

Column View::Output(const std::vector<Column>& columns) const {
  if (kind == Kind::kMask) return {"mask", DType::kFloat32, {stop - start}};
  const Column& source = columns[Size(kind == Kind::kDiscount ? discount : column)];
  Column output = {source.name, source.dtype, {}};
  if (kind == Kind::kRows) output.shape.push_back(stop - start);
  if (stack > 0) output.shape.push_back(stack);
  output.shape.insert(output.shape.end(), source.shape.begin(), source.shape.end());
  return output;
}

}  // namespace tfa
