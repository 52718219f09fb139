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

const char* Name(View::Kind kind) {
  switch (kind) {
    case View::Kind::kRow:
      return "Row";
    case View::Kind::kRows:
      return "Rows";
    case View::Kind::kReturn:
      return "NStepReturn";
    case View::Kind::kDiscount:
      return "NStepDiscount";
    case View::Kind::kMask:
      return "Mask";
    case View::Kind::kStep:
      return "Step";
    case View::Kind::kSteps:
      return "Steps";
    default:
      return "IsFirst";
  }
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
  for (const int64_t bound : {start, stop, stack}) {
    if (bound > -kMaxExtent && bound < kMaxExtent) continue;
    return InvalidArgumentError(std::string(Name(kind)) + " counts to " +
                                std::to_string(bound) +
                                "; it must stay between -2^31 and 2^31");
  }
  if (has_time() && (start < 0 || stop <= start)) {
    return InvalidArgumentError(std::string("a view of ") +
                                (is_of_steps() ? "steps [" : "rows [") +
                                std::to_string(start) + ", " + std::to_string(stop) +
                                ") is empty; it needs 0 <= start < stop");
  }
  if (kind == Kind::kStep && start < 0) {
    return InvalidArgumentError("a view of step " + std::to_string(start) +
                                " is empty; steps count from 0");
  }
  for (const Column& each : columns) TFA_RETURN_IF_ERROR(each.Validate());
  const Status output = Output(columns).Validate();
  if (!output.ok()) {
    return InvalidArgumentError(std::string("an output of ") + Name(kind) + ": " +
                                output.message());
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

Status View::ValidateForUnrolls(int64_t num_steps) const {
  if (!is_of_steps()) {
    return InvalidArgumentError(
        std::string(Name(kind)) +
        " is no output of unrolls, which run over the ends of episodes; theirs are "
        "Step, Steps and IsFirst");
  }
  const int64_t end = kind == Kind::kStep ? start + 1 : stop;
  if (end <= num_steps) return OkStatus();
  return InvalidArgumentError(std::string(Name(kind)) + " shows step " +
                              std::to_string(end - 1) + ", but unrolls of " +
                              std::to_string(num_steps) + " steps end with step " +
                              std::to_string(num_steps - 1));
}

Column View::Output(const std::vector<Column>& columns) const {
  if (kind == Kind::kMask) return {"mask", DType::kFloat32, {stop - start}};
  if (kind == Kind::kIsFirst) return {"is_first", DType::kBool, {stop - start}};
  const Column& source = columns[Size(kind == Kind::kDiscount ? discount : column)];
  Column output = {source.name, source.dtype, {}};
  if (has_time()) output.shape.push_back(stop - start);
  if (stack > 0) output.shape.push_back(stack);
  output.shape.insert(output.shape.end(), source.shape.begin(), source.shape.end());
  return output;
}

}  // namespace tfa
