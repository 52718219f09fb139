// What views show, against the rows of a list that are copied one by one.
#include "cc/gather.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "cc/block_codec.h"
#include "cc/random.h"

namespace tfa {
namespace {

using Bytes = std::vector<uint8_t>;

// Columns of sizes that are copied and prefetched in different ways.
constexpr int64_t kReward = 0;
constexpr int64_t kDiscount = 1;
constexpr int64_t kDoubleReward = 2;
constexpr int64_t kDoubleDiscount = 3;
constexpr int64_t kVectorReward = 4;
constexpr int64_t kFirstOfBytes = 5;

std::vector<Column> Columns(Compression compression) {
  std::vector<Column> columns = {{"r", DType::kFloat32, {}},
                                 {"d", DType::kFloat32, {}},
                                 {"double_r", DType::kFloat64, {}},
                                 {"double_d", DType::kFloat64, {}},
                                 {"vector_r", DType::kFloat32, {3}}};
  for (const int64_t bytes : {1, 3, 20, 100, 256, 700}) {
    columns.push_back({"bytes", DType::kUint8, {bytes}, compression});
  }
  return columns;
}

// One stream, with everything that is in it in a list beside it.
class Rows {
 public:
  Rows(int64_t n, int64_t segment_rows, int64_t stack_rows, Compression compression,
       bool recorded) {
    const std::vector<Column> columns = Columns(compression);
    StepStore::Options options;
    options.segment_rows = segment_rows;
    options.history_rows = n;
    options.stack_rows = stack_rows;
    if (recorded) options.read_singly.assign(columns.size(), true);
    store_ = *StepStore::Create(columns, options);
    for (int64_t r = 0; r < n; ++r) Append();
    PackingBuffer buffer;
    for (int32_t s = store_->StartPacking(); s >= 0; s = store_->StartPacking()) {
      store_->FinishPacking(s, store_->PackRows(s, &buffer));
    }
  }

  const StepStore& store() const { return *store_; }
  Random& random() { return random_; }
  int64_t size() const { return static_cast<int64_t>(steps_.size()); }
  const Bytes& Row(int64_t column, int64_t row) const {
    return rows_[static_cast<size_t>(row)][static_cast<size_t>(column)];
  }
  // Index of a row within its episode.
  int64_t Step(int64_t row) const { return steps_[static_cast<size_t>(row)]; }
  double Number(int64_t column, int64_t row, int64_t element) const {
    const uint8_t* const at = Row(column, row).data();
    if (store_->columns()[static_cast<size_t>(column)].dtype == DType::kFloat64) {
      return reinterpret_cast<const double*>(at)[element];
    }
    return reinterpret_cast<const float*>(at)[element];
  }
  // The window of rows [first, first + length).
  Window WindowOf(int64_t first, int64_t length) const {
    Window window = store_->Newest(0, size() - first);
    window.length = static_cast<int32_t>(length);
    return window;
  }

 private:
  void Append() {
    const bool first = !store_->EpisodeOpen(0);
    std::vector<Bytes> row;
    std::vector<const void*> columns;
    for (const Column& column : store_->columns()) {
      Bytes& bytes = row.emplace_back(static_cast<size_t>(column.row_bytes()));
      const auto value = static_cast<uint8_t>(random_.Below(256));
      for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<uint8_t>(value + i);
      }
      for (int64_t i = 0; i < column.num_elements(); ++i) {
        const double number = 0.25 + static_cast<double>(random_.Below(100)) / 128;
        const auto narrow = static_cast<float>(number);
        uint8_t* const at = bytes.data() + i * DTypeSize(column.dtype);
        if (column.dtype == DType::kFloat64) std::memcpy(at, &number, sizeof(number));
        if (column.dtype == DType::kFloat32) std::memcpy(at, &narrow, sizeof(narrow));
      }
    }
    for (const Bytes& bytes : row) columns.push_back(bytes.data());
    const RowFlags flags = {0, first, random_.Below(7) == 0};
    ASSERT_TRUE(store_->Append(&flags, 1, columns.data()).ok());
    steps_.push_back(first ? 0 : steps_.back() + 1);
    rows_.push_back(std::move(row));
  }

  Random random_{5};
  std::unique_ptr<StepStore> store_;
  std::vector<std::vector<Bytes>> rows_;
  std::vector<int64_t> steps_;
};

// Rows [first, first + length) of the stream.
struct Item {
  int64_t first;
  int64_t length;
};

// A row as a view shows it, alone or as a stack; zeros unless it is `present`.
Bytes Shown(const Rows& rows, const View& view, int64_t row, bool present) {
  const size_t bytes = rows.Row(view.column, 0).size();
  Bytes shown;
  const int64_t stack = std::max<int64_t>(view.stack, 1);
  for (int64_t k = row - stack + 1; k <= row; ++k) {
    if (!present) {
      shown.resize(shown.size() + bytes);
      continue;
    }
    const Bytes& one = rows.Row(view.column, std::max(k, row - rows.Step(row)));
    shown.insert(shown.end(), one.begin(), one.end());
  }
  return shown;
}

// Rows of the item that are steps: they do not begin an episode, and have one before.
std::vector<int64_t> StepsOf(const Rows& rows, const Item& item) {
  std::vector<int64_t> steps;
  for (int64_t r = item.first + 1; r < item.first + item.length; ++r) {
    if (rows.Step(r) > 0) steps.push_back(r);
  }
  return steps;
}

template <class T>
Bytes ToBytes(T value) {
  Bytes bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

Bytes ToBytes(double value, DType dtype) {
  return dtype == DType::kFloat64 ? ToBytes(value)
                                  : ToBytes(static_cast<float>(value));
}

Bytes Sum(const Rows& rows, const View& view, const Item& item) {
  const Column output = view.Output(rows.store().columns());
  Bytes shown;
  for (int64_t i = 0; i < output.num_elements(); ++i) {
    double sum = 0.0;
    double factor = 1.0;
    for (int64_t r = item.first + 1; r < item.first + item.length; ++r) {
      sum += view.kind == View::Kind::kReturn
                 ? factor * rows.Number(view.column, r, i)
                 : 0.0;
      factor *= view.gamma * rows.Number(view.discount, r, 0);
    }
    const Bytes element =
        ToBytes(view.kind == View::Kind::kReturn ? sum : factor, output.dtype);
    shown.insert(shown.end(), element.begin(), element.end());
  }
  return shown;
}

// What the view shows of the item at time t, or of all of it.
Bytes Expected(const Rows& rows, const View& view, const Item& item, int64_t t) {
  const int64_t i = view.start + t;
  const std::vector<int64_t> steps = StepsOf(rows, item);
  const bool is_step = i >= 0 && i < static_cast<int64_t>(steps.size());
  const int64_t step = is_step ? steps[static_cast<size_t>(i)] : item.first;
  switch (view.kind) {
    case View::Kind::kRow: {
      const int64_t at = view.start < 0 ? item.length + view.start : view.start;
      return Shown(rows, view, item.first + at, at >= 0 && at < item.length);
    }
    case View::Kind::kRows:
      return Shown(rows, view, item.first + i, i < item.length);
    case View::Kind::kMask:
      return ToBytes(i < item.length ? 1.0F : 0.0F);
    case View::Kind::kStep:
    case View::Kind::kSteps:
      return Shown(rows, view, step - (view.before && is_step ? 1 : 0), is_step);
    case View::Kind::kIsFirst:
      return ToBytes(is_step && rows.Step(step - 1) == 0);
    default:
      return Sum(rows, view, item);
  }
}

View MakeView(View::Kind kind, int64_t column, int64_t start, int64_t stop = 0,
              int64_t stack = 0) {
  View view;
  view.kind = kind;
  view.column = column;
  view.discount = kDiscount;
  view.start = start;
  view.stop = stop;
  view.stack = stack;
  view.gamma = 0.75;
  return view;
}

View MakeSum(View::Kind kind, int64_t column, int64_t discount) {
  View view = MakeView(kind, column, 0);
  view.discount = discount;
  return view;
}

std::vector<View> RowViews() {
  std::vector<View> views;
  const auto num_columns = static_cast<int64_t>(Columns(Compression::kNone).size());
  for (int64_t column = 0; column < num_columns; ++column) {
    for (const int64_t start : {0, 2, -1, -3}) {
      views.push_back(MakeView(View::Kind::kRow, column, start));
    }
    if (column < kFirstOfBytes) continue;
    views.push_back(MakeView(View::Kind::kRow, column, -1, 0, 4));
    views.push_back(MakeView(View::Kind::kRows, column, 1, 5));
    views.push_back(MakeView(View::Kind::kRows, column, 0, 3, 2));
    views.push_back(MakeView(View::Kind::kRows, column, 0, 4));
    views.back().time_major = true;
  }
  views.push_back(MakeView(View::Kind::kMask, 0, 1, 6));
  for (const int64_t reward : {kReward, kDoubleReward, kVectorReward}) {
    for (const int64_t discount : {kDiscount, kDoubleDiscount}) {
      views.push_back(MakeSum(View::Kind::kReturn, reward, discount));
      views.push_back(MakeSum(View::Kind::kDiscount, reward, discount));
    }
  }
  return views;
}

std::vector<View> StepViews() {
  std::vector<View> views;
  for (const bool before : {false, true}) {
    for (const bool time_major : {false, true}) {
      for (const int64_t stack : {0, 3}) {
        for (const int64_t column : {kFirstOfBytes + 1, kFirstOfBytes + 3}) {
          views.push_back(MakeView(View::Kind::kSteps, column, 1, 7, stack));
          views.back().before = before;
          views.back().time_major = time_major;
        }
      }
    }
    views.push_back(MakeView(View::Kind::kStep, kReward, 2));
    views.back().before = before;
  }
  views.push_back(MakeView(View::Kind::kIsFirst, 0, 0, 9));
  views.push_back(MakeView(View::Kind::kIsFirst, 0, 3, 6));
  views.back().time_major = true;
  return views;
}

// Gathers the items and compares every element of every view.
void CheckGather(const Rows& rows, const std::vector<View>& views,
                 const std::vector<Item>& items, int64_t num_batches = 1) {
  const std::vector<Column>& columns = rows.store().columns();
  const auto n = static_cast<int64_t>(items.size());
  std::vector<Window> windows;
  for (const Item& item : items) {
    windows.push_back(rows.WindowOf(item.first, item.length));
  }
  std::vector<Bytes> arrays;
  std::vector<void*> outputs;
  for (const View& view : views) {
    const auto bytes = static_cast<size_t>(n * view.Output(columns).row_bytes());
    arrays.emplace_back(bytes + 1, 99);
  }
  for (Bytes& array : arrays) outputs.push_back(array.data());
  Workers workers(2);
  const GatherSize size = {n, num_batches, 100};
  Gather(rows.store(), views, size, outputs.data(), &workers).Run(windows.data());
  const int64_t batch_size = n / num_batches;
  for (size_t v = 0; v < views.size(); ++v) {
    const View& view = views[v];
    const int64_t num_steps = view.has_time() ? view.stop - view.start : 1;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t t = 0; t < num_steps; ++t) {
        const Bytes expected = Expected(rows, view, items[static_cast<size_t>(i)], t);
        const int64_t batch = i / batch_size * batch_size * num_steps;
        const int64_t within = i % batch_size;
        const int64_t element = view.batch_axis() == 0 ? within * num_steps + t
                                                       : t * batch_size + within;
        const auto at = static_cast<int64_t>(expected.size()) * (batch + element);
        const auto shown = arrays[v].begin() + at;
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), shown))
            << "view " << v << " item " << i << " time " << t;
      }
    }
    ASSERT_EQ(arrays[v].back(), 99) << "view " << v << " wrote too much";
  }
}

// Items of up to `max_length` rows of one episode each, or of several.
std::vector<Item> RandomItems(Rows* rows, int64_t n, int64_t max_length,
                              bool of_one_episode) {
  std::vector<Item> items;
  while (static_cast<int64_t>(items.size()) < n) {
    const auto below = [rows](int64_t most) {
      return static_cast<int64_t>(rows->random().Below(static_cast<uint64_t>(most)));
    };
    const int64_t length = 1 + below(max_length);
    const int64_t last = below(rows->size());
    const int64_t most = of_one_episode ? rows->Step(last) + 1 : last + 1;
    const int64_t taken = std::min(length, most);
    items.push_back({last + 1 - taken, taken});
  }
  return items;
}

TEST(GatherTest, ViewsOfRowsShowWhatWasWrittenWhereverItLies) {
  for (const bool recorded : {false, true}) {
    for (const int64_t segment_rows : {2, 16}) {
      Rows rows(200, segment_rows, 3, Compression::kNone, recorded);
      for (const int64_t n : {1, 31, 32, 33, 100}) {
        CheckGather(rows, RowViews(), RandomItems(&rows, n, 6, true));
      }
    }
  }
}

TEST(GatherTest, ViewsOfStepsGoOverTheEndsOfEpisodes) {
  for (const int64_t segment_rows : {4, 64}) {
    Rows rows(200, segment_rows, 2, Compression::kNone, false);
    for (const int64_t n : {1, 32, 70}) {
      CheckGather(rows, StepViews(), RandomItems(&rows, n, 14, false));
    }
  }
}

TEST(GatherTest, PackedRowsAreShownAsTheyWereWritten) {
  if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  Rows rows(200, 16, 3, Compression::kLz4, false);
  ASSERT_LT(rows.store().bytes_in_use(), 13 * rows.store().segment_bytes());
  CheckGather(rows, RowViews(), RandomItems(&rows, 70, 6, true));
  CheckGather(rows, StepViews(), RandomItems(&rows, 70, 14, false));
}

TEST(GatherTest, SeveralBatchesAreLaidOutOneBehindTheOther) {
  Rows rows(200, 16, 3, Compression::kNone, false);
  CheckGather(rows, RowViews(), RandomItems(&rows, 90, 6, true), 3);
  CheckGather(rows, StepViews(), RandomItems(&rows, 90, 14, false), 3);
}

// More than the bytes from which on threads share the work.
TEST(GatherTest, ManyItemsAreSharedByThreadsAndNoneIsForgotten) {
  Rows rows(200, 16, 3, Compression::kNone, false);
  const std::vector<View> views = {MakeView(View::Kind::kRow, kFirstOfBytes + 5, -1),
                                   MakeSum(View::Kind::kReturn, kReward, kDiscount)};
  CheckGather(rows, views, RandomItems(&rows, 6001, 6, true));
}

TEST(GatherTest, ASampleWithoutViewsGathersNothing) {
  Rows rows(10, 16, 3, Compression::kNone, false);
  CheckGather(rows, {}, RandomItems(&rows, 5, 3, true));
}

}  // namespace
}  // namespace tfa
