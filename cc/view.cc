#include "cc/view.h"

#include <algorithm>
#include <cstring>

namespace tfa {
namespace {

// How many items ahead of the one being copied to ask for.
constexpr int64_t kPrefetchItems = 8;
// How much of a row: the hardware follows a longer one by itself.
constexpr int64_t kPrefetchBytes = 256;
constexpr int64_t kLine = 64;

size_t Size(int64_t n) { return static_cast<size_t>(n); }

// The rows of one column of the store.
class ColumnReader {
 public:
  ColumnReader(const StepStore& store, int64_t column)
      : store_(store),
        offset_(store.column_offset(column)),
        row_bytes_(store.columns()[Size(column)].row_bytes()) {}

  int64_t row_bytes() const { return row_bytes_; }

  // Row `i` relative to the window's start; negative ones precede the item.
  const uint8_t* Row(const Window& window, int64_t i) const {
    int32_t segment = window.segment;
    int32_t offset = window.offset;
    store_.Advance(&segment, &offset, i);
    return store_.SegmentData(segment) + offset_ + offset * row_bytes_;
  }

  // Asks for row `i` ahead of its use.
  void Prefetch(const Window& window, int64_t i) const {
    const uint8_t* const row = Row(window, i);
    for (int64_t at = 0; at < std::min(row_bytes_, kPrefetchBytes); at += kLine) {
      __builtin_prefetch(row + at);
    }
  }

  // Rows from `i` on that lie one after another in memory, at most `n`.
  int64_t Run(const Window& window, int64_t i, int64_t n) const {
    const int64_t rows = store_.segment_rows();
    const int64_t at = (window.offset + i) & (rows - 1);
    return std::min(n, rows - at);
  }

 private:
  const StepStore& store_;
  const int64_t offset_;
  const int64_t row_bytes_;
};

// Copies of a size known at compile time become loads and stores.
template <int64_t kBytes>
struct FixedCopy {
  static void Copy(uint8_t* to, const uint8_t* from, int64_t /*bytes*/) {
    std::memcpy(to, from, Size(kBytes));
  }
};
struct AnyCopy {
  static void Copy(uint8_t* to, const uint8_t* from, int64_t bytes) {
    std::memcpy(to, from, Size(bytes));
  }
};

int64_t RowIndex(const View& view, const Window& window) {
  return view.start < 0 ? window.length + view.start : view.start;
}

template <class Copier>
void GatherRow(const ColumnReader& reader, const View& view, const Window* windows,
               int64_t n, uint8_t* out) {
  const int64_t bytes = reader.row_bytes();
  for (int64_t b = 0; b < n; ++b, out += bytes) {
    if (b + kPrefetchItems < n) {
      const Window& ahead = windows[b + kPrefetchItems];
      reader.Prefetch(ahead, std::clamp(RowIndex(view, ahead), int64_t{0},
                                        ahead.length - int64_t{1}));
    }
    const int64_t i = RowIndex(view, windows[b]);
    if (i >= 0 && i < windows[b].length) {
      Copier::Copy(out, reader.Row(windows[b], i), bytes);
    } else {
      std::memset(out, 0, Size(bytes));
    }
  }
}

void GatherRow(const ColumnReader& reader, const View& view, const Window* windows,
               int64_t n, uint8_t* out) {
  switch (reader.row_bytes()) {
    case 1:
      return GatherRow<FixedCopy<1>>(reader, view, windows, n, out);
    case 4:
      return GatherRow<FixedCopy<4>>(reader, view, windows, n, out);
    case 8:
      return GatherRow<FixedCopy<8>>(reader, view, windows, n, out);
    default:
      return GatherRow<AnyCopy>(reader, view, windows, n, out);
  }
}

// Where the elements of an output with a batch and a time axis lie.
struct Strides {
  Strides(const View& view, int64_t batch_size)
      : num_steps(view.kind == View::Kind::kRow ? 1 : view.stop - view.start),
        item(view.batch_axis() == 0 ? num_steps : 1),
        step(view.batch_axis() == 0 ? 1 : batch_size) {}

  int64_t num_steps;  // T
  int64_t item;       // elements from an item to the next, at one step
  int64_t step;       // elements from a step to the next, of one item
};

// `count` rows of the window from `start` on, zeros where it has none; `step` bytes
// from one to the next.
void CopyRows(const ColumnReader& reader, const Window& window, int64_t start,
              int64_t count, int64_t step, uint8_t* out) {
  const int64_t bytes = reader.row_bytes();
  const int64_t present =
      std::clamp<int64_t>(window.length - start, 0, count);  // REQUIRES: start >= 0
  const int64_t longest_run = step == bytes ? present : 1;
  for (int64_t i = 0; i < present;) {
    const int64_t most = std::min(longest_run, present - i);
    const int64_t run = reader.Run(window, start + i, most);
    std::memcpy(out + i * step, reader.Row(window, start + i), Size(run * bytes));
    i += run;
  }
  for (int64_t i = present; i < count; ++i) {
    std::memset(out + i * step, 0, Size(bytes));
  }
}

// The `stack` rows that end with row `i`, none from before the episode's first.
void CopyStack(const ColumnReader& reader, const Window& window, int64_t i,
               int64_t stack, uint8_t* out) {
  const int64_t bytes = reader.row_bytes();
  if (i < 0 || i >= window.length) {
    std::memset(out, 0, Size(stack * bytes));
    return;
  }
  const int64_t first = -static_cast<int64_t>(window.episode_step);
  for (int64_t k = 0; k < stack; ++k) {
    const int64_t row = std::max(first, i - stack + 1 + k);
    std::memcpy(out + k * bytes, reader.Row(window, row), Size(bytes));
  }
}

void GatherStacks(const ColumnReader& reader, const View& view, const Window* windows,
                  int64_t n, uint8_t* out) {
  const bool single = view.kind == View::Kind::kRow;
  const Strides strides(view, n);
  const int64_t bytes = view.stack * reader.row_bytes();
  for (int64_t b = 0; b < n; ++b) {
    const int64_t start = single ? RowIndex(view, windows[b]) : view.start;
    for (int64_t t = 0; t < strides.num_steps; ++t) {
      const int64_t at = b * strides.item + t * strides.step;
      CopyStack(reader, windows[b], start + t, view.stack, out + at * bytes);
    }
  }
}

// Sums in double, one element of the reward at a time; R and D are the types of the
// rewards and discounts. A scalar discount serves every element of a vector reward.
template <class R, class D>
class NStepSum {
 public:
  NStepSum(const StepStore& store, const View& view)
      : view_(view),
        is_return_(view.kind == View::Kind::kReturn),
        rewards_(store, is_return_ ? view.column : view.discount),
        discounts_(store, view.discount),
        size_(rewards_.row_bytes() / static_cast<int64_t>(sizeof(R))),
        discount_size_(discounts_.row_bytes() / static_cast<int64_t>(sizeof(D))) {}

  void Run(const Window* windows, int64_t n, void* out) const {
    auto* to = static_cast<R*>(out);
    for (int64_t b = 0; b < n; ++b) {
      if (b + kPrefetchItems < n) {
        const Window& ahead = windows[b + kPrefetchItems];
        rewards_.Prefetch(ahead, ahead.length - 1);
        discounts_.Prefetch(ahead, ahead.length - 1);
      }
      for (int64_t i = 0; i < size_; ++i) {
        *to++ = static_cast<R>(Element(windows[b], i));
      }
    }
  }

 private:
  double Element(const Window& window, int64_t i) const {
    double sum = 0.0;
    double factor = 1.0;  // gamma^{t-1} prod_{j<t} d_j
    for (int64_t t = 1; t < window.length;) {
      const int64_t run = rewards_.Run(window, t, window.length - t);
      const R* r = reinterpret_cast<const R*>(rewards_.Row(window, t)) + i;
      const D* d = reinterpret_cast<const D*>(discounts_.Row(window, t));
      if (discount_size_ > 1) d += i;
      t += run;
      for (int64_t k = 0; k < run; ++k, r += size_, d += discount_size_) {
        sum += factor * static_cast<double>(*r);
        factor *= view_.gamma * static_cast<double>(*d);
      }
    }
    return is_return_ ? sum : factor;
  }

  const View& view_;
  const bool is_return_;
  const ColumnReader rewards_;
  const ColumnReader discounts_;
  const int64_t size_;
  const int64_t discount_size_;
};

void GatherNStep(const StepStore& store, const View& view, const Window* windows,
                 int64_t n, void* out) {
  const auto is_double = [&store](int64_t column) {
    return store.columns()[Size(column)].dtype == DType::kFloat64;
  };
  const bool double_d = is_double(view.discount);
  const bool double_r =
      view.kind == View::Kind::kReturn ? is_double(view.column) : double_d;
  if (double_r && double_d) {
    NStepSum<double, double>(store, view).Run(windows, n, out);
  } else if (double_r) {
    NStepSum<double, float>(store, view).Run(windows, n, out);
  } else if (double_d) {
    NStepSum<float, double>(store, view).Run(windows, n, out);
  } else {
    NStepSum<float, float>(store, view).Run(windows, n, out);
  }
}

void GatherMask(const View& view, const Window* windows, int64_t n, void* out) {
  auto* const mask = static_cast<float*>(out);
  const Strides strides(view, n);
  for (int64_t b = 0; b < n; ++b) {
    const int64_t present = windows[b].length - view.start;
    for (int64_t t = 0; t < strides.num_steps; ++t) {
      mask[b * strides.item + t * strides.step] = t < present ? 1.0F : 0.0F;
    }
  }
}

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

void Gather(const StepStore& store, const View& view, const Window* windows, int64_t n,
            void* out) {
  auto* bytes = static_cast<uint8_t*>(out);
  if (view.kind == View::Kind::kMask) return GatherMask(view, windows, n, out);
  if (view.kind == View::Kind::kReturn || view.kind == View::Kind::kDiscount) {
    return GatherNStep(store, view, windows, n, out);
  }
  const ColumnReader reader(store, view.column);
  if (view.stack > 0) return GatherStacks(reader, view, windows, n, bytes);
  if (view.kind == View::Kind::kRow) return GatherRow(reader, view, windows, n, bytes);
  const Strides strides(view, n);
  const int64_t row_bytes = reader.row_bytes();
  for (int64_t b = 0; b < n; ++b) {
    CopyRows(reader, windows[b], view.start, strides.num_steps,
             strides.step * row_bytes, bytes + b * strides.item * row_bytes);
  }
}

}  // namespace tfa
