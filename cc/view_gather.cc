#include "cc/view_gather.h"

#include <cstring>

#include "cc/n_step.h"

namespace tfa {
namespace {

size_t Size(int64_t n) { return static_cast<size_t>(n); }

}  // namespace

ViewGather::ViewGather(const StepStore& store, const View& view, int64_t batch_size,
                       void* output)
    : view_(view),
      column_(store, view.kind == View::Kind::kDiscount ? view.discount : view.column),
      discount_(store, view.discount),
      double_column_(IsDouble(store, view.column)),
      double_discount_(IsDouble(store, view.discount)),
      num_steps_(view.has_time() ? view.stop - view.start : 1),
      batch_size_(batch_size),
      step_stride_(view.batch_axis() == 0 ? 1 : batch_size),
      copy_(ChooseRowCopy(column_.row_bytes())),
      output_(static_cast<uint8_t*>(output)) {}

bool ViewGather::Adopt(const ViewGather& other) {
  const bool fits = discount_output_ == nullptr && view_.kind == View::Kind::kReturn &&
                    other.view_.kind == View::Kind::kDiscount &&
                    view_.discount == other.view_.discount &&
                    view_.gamma == other.view_.gamma &&
                    double_column_ == double_discount_ &&
                    column_.row_bytes() == discount_.row_bytes();
  if (fits) discount_output_ = other.output_;
  return fits;
}

void ViewGather::Reserve() {
  if (view_.kind == View::Kind::kMask || view_.kind == View::Kind::kIsFirst) return;
  column_.Reserve();
  if (IsSum()) discount_.Reserve();
}

int64_t ViewGather::item_bytes() const {
  if (view_.kind == View::Kind::kMask) {
    return num_steps_ * static_cast<int64_t>(sizeof(float));
  }
  if (view_.kind == View::Kind::kIsFirst) return num_steps_;
  return num_steps_ * element_bytes();
}

void ViewGather::Find(const ItemBlock& block, RowBlock* found) const {
  if (view_.kind == View::Kind::kMask || view_.kind == View::Kind::kIsFirst) return;
  if (IsSum()) return FindSum(block.items, block.n, found);
  if (view_.kind == View::Kind::kRow && view_.stack == 0) {
    return FindRow(block.items, block.n, found);
  }
  for (int64_t b = 0; b < block.n; ++b) {
    const LocatedWindow& item = block.items[b];
    const int64_t last = item.window.length - int64_t{1};
    const int64_t start = std::clamp<int64_t>(Start(item.window), 0, last);
    column_.Prefetch(item, start, num_steps_);
  }
}

void ViewGather::FindRow(const LocatedWindow* items, int64_t n, RowBlock* found) const {
  const int64_t from_end = view_.start < 0 ? -1 : 0;  // all bits set, or none
  int64_t num_missing = 0;
  for (int64_t b = 0; b < n; ++b) {
    const int64_t length = items[b].window.length;
    const int64_t i = view_.start + (length & from_end);
    const bool present = i >= 0 && i < length;
    found->rows[b] = present ? column_.NearRow(items[b], i) : nullptr;
    num_missing += found->rows[b] == nullptr;
  }
  found->num_missing = num_missing;
}

void ViewGather::FindSum(const LocatedWindow* items, int64_t n, RowBlock* found) const {
  for (int64_t b = 0; b < n; ++b) {
    const int64_t count = items[b].window.length - int64_t{1};
    found->rows[b] = column_.NearRows(items[b], 1, count);
    found->discounts[b] = discount_.NearRows(items[b], 1, count);
  }
}

void ViewGather::Run(const ItemBlock& block, const RowBlock& found) const {
  if (IsSum()) return RunSum(block, found);
  if (view_.kind == View::Kind::kRow && view_.stack == 0) return RunRow(block, found);
  for (int64_t b = 0; b < block.n; ++b) {
    const LocatedWindow& item = block.items[b];
    const int64_t element = ElementOf(block.begin + b);
    switch (view_.kind) {
      case View::Kind::kMask:
        RunMask(item, reinterpret_cast<float*>(output_) + element);
        break;
      case View::Kind::kIsFirst:
        RunIsFirst(item, block.steps[Size(b)], output_ + element);
        break;
      case View::Kind::kStep:
      case View::Kind::kSteps:
        RunSteps(item, block.steps[Size(b)], output_ + element * element_bytes());
        break;
      default:
        uint8_t* const out = output_ + element * element_bytes();
        view_.stack > 0 ? RunStacks(item, out) : RunRows(item, out);
    }
  }
}

void ViewGather::RunRow(const ItemBlock& block, const RowBlock& found) const {
  const int64_t bytes = column_.row_bytes();
  uint8_t* const out = output_ + block.begin * bytes;
  if (found.num_missing == 0) return copy_(found.rows, block.n, bytes, out);
  for (int64_t b = 0; b < block.n; ++b) {
    const LocatedWindow& item = block.items[b];
    const int64_t i = Start(item.window);
    if (i >= 0 && i < item.window.length) {
      std::memcpy(out + b * bytes, column_.Row(item, i), Size(bytes));
    } else {
      std::memset(out + b * bytes, 0, Size(bytes));
    }
  }
}

// `count` rows that the item, or its episode, has, `stride` bytes from one to the next.
void ViewGather::CopyRun(const LocatedWindow& item, int64_t start, int64_t count,
                         int64_t stride, uint8_t* out) const {
  const int64_t bytes = column_.row_bytes();
  const int64_t longest = stride == bytes ? count : 1;
  for (int64_t i = 0; i < count;) {
    const int64_t run = column_.Run(item, start + i, std::min(longest, count - i));
    std::memcpy(out + i * stride, column_.Row(item, start + i), Size(run * bytes));
    i += run;
  }
}

void ViewGather::RunRows(const LocatedWindow& item, uint8_t* out) const {
  const int64_t bytes = column_.row_bytes();
  const int64_t stride = step_stride_ * bytes;
  const int64_t present =
      std::clamp<int64_t>(item.window.length - view_.start, 0, num_steps_);
  CopyRun(item, view_.start, present, stride, out);
  for (int64_t t = present; t < num_steps_; ++t) {
    std::memset(out + t * stride, 0, Size(bytes));
  }
}

// The `stack` rows that end with row `i`, none from before `first`, its episode's.
void ViewGather::CopyStack(const LocatedWindow& item, int64_t i, int64_t first,
                           uint8_t* out) const {
  const int64_t bytes = column_.row_bytes();
  const int64_t oldest = i - view_.stack + 1;
  const int64_t start = std::max(oldest, first);
  for (int64_t k = oldest; k < start; ++k, out += bytes) {
    std::memcpy(out, column_.Row(item, first), Size(bytes));
  }
  CopyRun(item, start, i + 1 - start, bytes, out);
}

void ViewGather::RunStacks(const LocatedWindow& item, uint8_t* out) const {
  const int64_t bytes = element_bytes();
  const int64_t start = Start(item.window);
  const int64_t first = -static_cast<int64_t>(item.window.episode_step);
  for (int64_t t = 0; t < num_steps_; ++t, out += step_stride_ * bytes) {
    if (start + t >= 0 && start + t < item.window.length) {
      CopyStack(item, start + t, first, out);
    } else {
      std::memset(out, 0, Size(bytes));
    }
  }
}

// Copies run by run, so that the rows which begin episodes in between are left out.
void ViewGather::RunSteps(const LocatedWindow& item, const std::vector<StepRun>& runs,
                          uint8_t* out) const {
  const int64_t bytes = element_bytes();
  const int64_t stride = step_stride_ * bytes;
  int64_t t = 0;               // shown so far
  int64_t skip = view_.start;  // steps before the first that is shown
  for (const StepRun& run : runs) {
    const int64_t from = std::min(skip, run.steps);
    const int64_t count = std::min(run.steps - from, num_steps_ - t);
    const int64_t row = run.row + from + (view_.before ? 0 : 1);
    skip -= from;
    if (view_.stack == 0) {
      CopyRun(item, row, count, stride, out + t * stride);
      t += count;
      continue;
    }
    // Only the first episode may have begun before the item.
    const int64_t first =
        run.row > 0 ? run.row : -static_cast<int64_t>(item.window.episode_step);
    for (int64_t i = 0; i < count; ++i, ++t) {
      CopyStack(item, row + i, first, out + t * stride);
    }
  }
  for (; t < num_steps_; ++t) std::memset(out + t * stride, 0, Size(bytes));
}

void ViewGather::RunMask(const LocatedWindow& item, float* out) const {
  const int64_t present = item.window.length - view_.start;
  for (int64_t t = 0; t < num_steps_; ++t) {
    out[t * step_stride_] = t < present ? 1.0F : 0.0F;
  }
}

void ViewGather::RunIsFirst(const LocatedWindow& item, const std::vector<StepRun>& runs,
                            uint8_t* out) const {
  for (int64_t t = 0; t < num_steps_; ++t) out[t * step_stride_] = 0;
  int64_t t = -view_.start;
  for (const StepRun& run : runs) {
    const bool begins = run.row > 0 || item.window.episode_step == 0;
    if (begins && t >= 0 && t < num_steps_) out[t * step_stride_] = 1;
    t += run.steps;
  }
}

template <class R, class D>
void ViewGather::RunSum(const ItemBlock& block, const RowBlock& found) const {
  const int64_t at = block.begin * column_.row_bytes();
  const NStepSum<R, D> sum(column_, discount_, view_.gamma);
  if (view_.kind == View::Kind::kDiscount) {
    return sum.Run(block.items, found.rows, found.discounts, block.n, nullptr,
                   reinterpret_cast<D*>(output_ + at));
  }
  uint8_t* const factors =
      discount_output_ == nullptr ? nullptr : discount_output_ + at;
  sum.Run(block.items, found.rows, found.discounts, block.n,
          reinterpret_cast<R*>(output_ + at), reinterpret_cast<D*>(factors));
}

void ViewGather::RunSum(const ItemBlock& block, const RowBlock& found) const {
  const bool double_r =
      view_.kind == View::Kind::kDiscount ? double_discount_ : double_column_;
  if (double_r && double_discount_) return RunSum<double, double>(block, found);
  if (double_r) return RunSum<double, float>(block, found);
  if (double_discount_) return RunSum<float, double>(block, found);
  RunSum<float, float>(block, found);
}

}  // namespace tfa
