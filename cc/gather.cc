#include "cc/gather.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "cc/column_reader.h"
#include "cc/n_step.h"
#include "cc/row_copy.h"

namespace tfa {
namespace {

// Items whose rows are asked for at once: enough for their misses to overlap, few
// enough for what came to stay in the first-level cache until it is copied.
constexpr int64_t kBlock = 32;

// A batch of so many bytes is worth waking other threads, which each take a few parts
// of it: one core does not use all that memory can give.
constexpr int64_t kSharedBytes = int64_t{4} << 20;
constexpr int64_t kParts = 8;
// Items so long, unless they are unpacked, come as fast as memory gives them to one.
constexpr int64_t kStreamedBytes = int64_t{256} << 10;
constexpr auto kMaskBytes = static_cast<int64_t>(sizeof(float));

size_t Size(int64_t n) { return static_cast<size_t>(n); }

// Where rows of a block's items begin; null where one is not in the item's first
// segment as it was written, or not in the item at all.
struct RowBlock {
  const uint8_t* rows[kBlock];       // of the column that is copied, or summed
  const uint8_t* discounts[kBlock];  // of a sum
  int64_t num_missing;               // null ones of what is copied
};

// One view of a sample: where it reads, and where it writes.
class ViewGather {
 public:
  ViewGather(const StepStore& store, const View& view, int64_t batch_size, void* output)
      : view_(view),
        column_(store,
                view.kind == View::Kind::kDiscount ? view.discount : view.column),
        discount_(store, view.discount),
        double_column_(IsDouble(store, view.column)),
        double_discount_(IsDouble(store, view.discount)),
        num_steps_(HasSteps() ? view.stop - view.start : 1),
        item_stride_(view.batch_axis() == 0 ? num_steps_ : 1),
        step_stride_(view.batch_axis() == 0 ? 1 : batch_size),
        copy_(ChooseRowCopy(column_.row_bytes())),
        output_(static_cast<uint8_t*>(output)) {}

  // Takes over what `other` writes, if one walk over the rows gives both.
  bool Adopt(const ViewGather& other) {
    const bool fits =
        discount_output_ == nullptr && view_.kind == View::Kind::kReturn &&
        other.view_.kind == View::Kind::kDiscount &&
        view_.discount == other.view_.discount && view_.gamma == other.view_.gamma &&
        double_column_ == double_discount_ &&
        column_.row_bytes() == discount_.row_bytes();
    if (fits) discount_output_ = other.output_;
    return fits;
  }

  // That an item takes in the output.
  int64_t item_bytes() const {
    if (view_.kind == View::Kind::kMask) return num_steps_ * kMaskBytes;
    return num_steps_ * std::max<int64_t>(view_.stack, 1) * column_.row_bytes();
  }

  // Finds what Run reads of a block of n items, and asks for it.
  void Find(const LocatedWindow* items, int64_t n, RowBlock* found) const;
  // Writes the items of a block, which are those from `begin` on of the batch.
  void Run(const LocatedWindow* items, const RowBlock& found, int64_t begin,
           int64_t n) const;

 private:
  static bool IsDouble(const StepStore& store, int64_t column) {
    return store.columns()[Size(column)].dtype == DType::kFloat64;
  }
  bool HasSteps() const {
    return view_.kind == View::Kind::kRows || view_.kind == View::Kind::kMask;
  }
  bool IsSum() const {
    return view_.kind == View::Kind::kReturn || view_.kind == View::Kind::kDiscount;
  }
  // First row of the item that is shown; it may not have it.
  int64_t Start(const Window& window) const {
    const bool from_end = view_.kind == View::Kind::kRow && view_.start < 0;
    return from_end ? window.length + view_.start : view_.start;
  }

  void FindRow(const LocatedWindow* items, int64_t n, RowBlock* found) const;
  void FindSum(const LocatedWindow* items, int64_t n, RowBlock* found) const;
  void RunRow(const LocatedWindow* items, const RowBlock& found, int64_t n,
              uint8_t* out) const;
  void RunRows(const LocatedWindow* items, int64_t n, uint8_t* out) const;
  void RunStacks(const LocatedWindow* items, int64_t n, uint8_t* out) const;
  void RunMask(const LocatedWindow* items, int64_t n, float* out) const;
  void RunSum(const LocatedWindow* items, const RowBlock& found, int64_t begin,
              int64_t n) const;
  template <class R, class D>
  void RunSum(const LocatedWindow* items, const RowBlock& found, int64_t begin,
              int64_t n) const;
  void CopyRun(const LocatedWindow& item, int64_t start, int64_t count, int64_t stride,
               uint8_t* out) const;
  void CopyStack(const LocatedWindow& item, int64_t i, uint8_t* out) const;

  const View& view_;
  ColumnReader column_;  // what is copied, or summed
  ColumnReader discount_;
  bool double_column_;
  bool double_discount_;
  int64_t num_steps_;    // T, or 1
  int64_t item_stride_;  // elements from an item to the next, at one step
  int64_t step_stride_;  // elements from a step to the next, of one item
  RowCopy copy_;
  uint8_t* output_;
  uint8_t* discount_output_ = nullptr;  // of an adopted view
};

void ViewGather::Find(const LocatedWindow* items, int64_t n, RowBlock* found) const {
  if (view_.kind == View::Kind::kMask) return;
  if (IsSum()) return FindSum(items, n, found);
  if (view_.kind == View::Kind::kRow && view_.stack == 0) {
    return FindRow(items, n, found);
  }
  for (int64_t b = 0; b < n; ++b) {
    const int64_t last = items[b].window.length - int64_t{1};
    const int64_t start = std::clamp<int64_t>(Start(items[b].window), 0, last);
    column_.Prefetch(items[b], start, num_steps_);
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

void ViewGather::Run(const LocatedWindow* items, const RowBlock& found, int64_t begin,
                     int64_t n) const {
  if (IsSum()) return RunSum(items, found, begin, n);
  const int64_t at = begin * item_stride_;
  if (view_.kind == View::Kind::kMask) {
    return RunMask(items, n, reinterpret_cast<float*>(output_) + at);
  }
  const int64_t bytes = std::max<int64_t>(view_.stack, 1) * column_.row_bytes();
  uint8_t* const out = output_ + at * bytes;
  if (view_.stack > 0) return RunStacks(items, n, out);
  if (view_.kind == View::Kind::kRow) return RunRow(items, found, n, out);
  RunRows(items, n, out);
}

void ViewGather::RunRow(const LocatedWindow* items, const RowBlock& found, int64_t n,
                        uint8_t* out) const {
  const int64_t bytes = column_.row_bytes();
  if (found.num_missing == 0) return copy_(found.rows, n, bytes, out);
  for (int64_t b = 0; b < n; ++b) {
    const int64_t i = Start(items[b].window);
    if (i >= 0 && i < items[b].window.length) {
      std::memcpy(out + b * bytes, column_.Row(items[b], i), Size(bytes));
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

void ViewGather::RunRows(const LocatedWindow* items, int64_t n, uint8_t* out) const {
  const int64_t bytes = column_.row_bytes();
  const int64_t stride = step_stride_ * bytes;
  for (int64_t b = 0; b < n; ++b, out += item_stride_ * bytes) {
    const int64_t present =
        std::clamp<int64_t>(items[b].window.length - view_.start, 0, num_steps_);
    CopyRun(items[b], view_.start, present, stride, out);
    for (int64_t t = present; t < num_steps_; ++t) {
      std::memset(out + t * stride, 0, Size(bytes));
    }
  }
}

// The `stack` rows that end with row `i`, none from before the episode's first.
void ViewGather::CopyStack(const LocatedWindow& item, int64_t i, uint8_t* out) const {
  const int64_t bytes = column_.row_bytes();
  if (i < 0 || i >= item.window.length) {
    std::memset(out, 0, Size(view_.stack * bytes));
    return;
  }
  const int64_t oldest = i - view_.stack + 1;
  const int64_t first = -static_cast<int64_t>(item.window.episode_step);
  const int64_t start = std::max(oldest, first);
  for (int64_t k = oldest; k < start; ++k, out += bytes) {
    std::memcpy(out, column_.Row(item, first), Size(bytes));
  }
  CopyRun(item, start, i + 1 - start, bytes, out);
}

void ViewGather::RunStacks(const LocatedWindow* items, int64_t n, uint8_t* out) const {
  const int64_t bytes = view_.stack * column_.row_bytes();
  for (int64_t b = 0; b < n; ++b, out += item_stride_ * bytes) {
    const int64_t start = Start(items[b].window);
    for (int64_t t = 0; t < num_steps_; ++t) {
      CopyStack(items[b], start + t, out + t * step_stride_ * bytes);
    }
  }
}

void ViewGather::RunMask(const LocatedWindow* items, int64_t n, float* out) const {
  for (int64_t b = 0; b < n; ++b, out += item_stride_) {
    const int64_t present = items[b].window.length - view_.start;
    for (int64_t t = 0; t < num_steps_; ++t) {
      out[t * step_stride_] = t < present ? 1.0F : 0.0F;
    }
  }
}

template <class R, class D>
void ViewGather::RunSum(const LocatedWindow* items, const RowBlock& found,
                        int64_t begin, int64_t n) const {
  const int64_t at = begin * column_.row_bytes();
  const NStepSum<R, D> sum(column_, discount_, view_.gamma);
  if (view_.kind == View::Kind::kDiscount) {
    return sum.Run(items, found.rows, found.discounts, n, nullptr,
                   reinterpret_cast<D*>(output_ + at));
  }
  uint8_t* const factors =
      discount_output_ == nullptr ? nullptr : discount_output_ + at;
  sum.Run(items, found.rows, found.discounts, n, reinterpret_cast<R*>(output_ + at),
          reinterpret_cast<D*>(factors));
}

void ViewGather::RunSum(const LocatedWindow* items, const RowBlock& found,
                        int64_t begin, int64_t n) const {
  const bool double_r =
      view_.kind == View::Kind::kDiscount ? double_discount_ : double_column_;
  if (double_r && double_discount_) {
    return RunSum<double, double>(items, found, begin, n);
  }
  if (double_r) return RunSum<double, float>(items, found, begin, n);
  if (double_discount_) return RunSum<float, double>(items, found, begin, n);
  RunSum<float, float>(items, found, begin, n);
}

// The views, those that another adopted left out.
std::vector<ViewGather> Prepare(const StepStore& store, const std::vector<View>& views,
                                int64_t n, void* const* outputs) {
  std::vector<ViewGather> gathers;
  gathers.reserve(views.size());
  for (const View& view : views) gathers.emplace_back(store, view, n, *outputs++);
  std::vector<bool> adopted;
  for (const ViewGather& gather : gathers) {
    const auto adopts = [&](ViewGather& other) { return other.Adopt(gather); };
    adopted.push_back(std::any_of(gathers.begin(), gathers.end(), adopts));
  }
  std::vector<ViewGather> kept;
  kept.reserve(views.size());
  for (size_t v = 0; v < views.size(); ++v) {
    if (!adopted[v]) kept.push_back(gathers[v]);
  }
  return kept;
}

// Items [begin, end) of the batch.
void GatherItems(const StepStore& store, const std::vector<ViewGather>& gathers,
                 const Window* windows, int64_t begin, int64_t end) {
  struct Block {
    LocatedWindow items[kBlock];
    std::unique_ptr<RowBlock[]> found;  // by view
    int64_t begin = 0;
    int64_t n = 0;
  };
  Block blocks[2];
  Block* next = &blocks[0];
  Block* at_hand = &blocks[1];
  for (Block& block : blocks) block.found.reset(new RowBlock[gathers.size()]);
  const auto find = [&](int64_t from) {
    next->begin = from;
    next->n = std::clamp<int64_t>(end - from, 0, kBlock);
    for (int64_t b = 0; b < next->n; ++b) {
      const Window& window = windows[from + b];
      next->items[b] = {window, store.SegmentData(window.segment)};
    }
    RowBlock* found = next->found.get();
    for (const ViewGather& gather : gathers) {
      gather.Find(next->items, next->n, found++);
    }
  };
  find(begin);
  while (next->n > 0) {
    std::swap(next, at_hand);
    find(at_hand->begin + at_hand->n);
    const RowBlock* found = at_hand->found.get();
    for (const ViewGather& gather : gathers) {
      gather.Run(at_hand->items, *found++, at_hand->begin, at_hand->n);
    }
  }
}

}  // namespace

void Gather(const StepStore& store, const std::vector<View>& views,
            const Window* windows, int64_t n, void* const* outputs, Workers* workers) {
  if (views.empty()) return;
  const std::vector<ViewGather> gathers = Prepare(store, views, n, outputs);
  int64_t bytes = 0;  // of an item
  for (const ViewGather& gather : gathers) bytes += gather.item_bytes();
  const bool streams = bytes >= kStreamedBytes && !store.layout().packs();
  if (streams || n * bytes < kSharedBytes) {
    return GatherItems(store, gathers, windows, 0, n);
  }
  const int64_t num_parts = std::min(n, kParts * workers->num_threads());
  workers->Run(num_parts, [&](int64_t part) {
    // What is unpacked is for one thread.
    const std::vector<ViewGather> own = Prepare(store, views, n, outputs);
    GatherItems(store, own, windows, n * part / num_parts, n * (part + 1) / num_parts);
  });
}

}  // namespace tfa
