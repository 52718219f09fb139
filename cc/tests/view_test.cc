#include "cc/view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "cc/gather.h"

namespace tfa {
namespace {

constexpr int64_t kReward = 1;
constexpr int64_t kDiscount = 2;
constexpr int64_t kVector = 3;

// One episode of seven rows over segments of two: column "x" is 10, 11, ..., the
// reward of row t is t and its discount 0.9, or 0 in the last row.
class ViewTest : public testing::Test {
 protected:
  void SetUp() override {
    StepStore::Options options;
    options.segment_rows = 2;
    options.history_rows = 10;
    options.stack_rows = 3;
    store_ = *StepStore::Create({{"x", DType::kInt32, {}},
                                 {"r", DType::kFloat32, {}},
                                 {"d", DType::kFloat64, {}},
                                 {"v", DType::kFloat64, {2}}},
                                options);
    for (int32_t t = 0; t < 7; ++t) {
      const int32_t x = 10 + t;
      const auto r = static_cast<float>(t);
      const double d = t == 6 ? 0.0 : 0.9;
      const double v[] = {1.0 * t, -1.0 * t};
      const void* const columns[] = {&x, &r, &d, v};
      const RowFlags flags = {0, t == 0, t == 6};
      ASSERT_TRUE(store_->Append(&flags, 1, columns).ok());
    }
  }

  // The view of the items [start, start + length) of the episode.
  template <class T>
  std::vector<T> Read(const View& view, const std::vector<std::pair<int, int>>& items) {
    EXPECT_TRUE(view.Validate(store_->columns()).ok());
    std::vector<Window> windows;
    for (const auto& [start, length] : items) {
      windows.push_back(*store_->Recent(0, 7 - start - length, length));
    }
    const Column output = view.Output(store_->columns());
    EXPECT_EQ(DTypeSize(output.dtype), static_cast<int64_t>(sizeof(T)));
    std::vector<T> values(items.size() * static_cast<size_t>(output.num_elements()));
    void* const outputs[] = {values.data()};
    const std::vector<View> views = {view};
    const GatherSize size = {static_cast<int64_t>(items.size())};
    Gather(*store_, views, size, outputs, &workers_).Run(windows.data());
    return values;
  }

  static View Make(View::Kind kind, int64_t start, int64_t stop, int64_t stack) {
    View view;
    view.kind = kind;
    view.start = start;
    view.stop = stop;
    view.stack = stack;
    return view;
  }

  std::unique_ptr<StepStore> store_;
  Workers workers_{1};
};

TEST_F(ViewTest, ARowIsCountedFromTheStartOrTheEnd) {
  const View second = Make(View::Kind::kRow, 1, 0, 0);
  EXPECT_EQ(Read<int32_t>(second, {{0, 3}, {4, 3}}), (std::vector<int32_t>{11, 15}));
  const View last = Make(View::Kind::kRow, -1, 0, 0);
  EXPECT_EQ(Read<int32_t>(last, {{0, 3}, {2, 1}}), (std::vector<int32_t>{12, 12}));
}

TEST_F(ViewTest, ARowThatTheItemDoesNotHaveIsZeros) {
  const View third = Make(View::Kind::kRow, 2, 0, 0);
  EXPECT_EQ(Read<int32_t>(third, {{0, 2}, {0, 3}}), (std::vector<int32_t>{0, 12}));
  const View third_last = Make(View::Kind::kRow, -3, 0, 0);
  EXPECT_EQ(Read<int32_t>(third_last, {{3, 2}, {3, 3}}), (std::vector<int32_t>{0, 13}));
}

TEST_F(ViewTest, RowsCrossSegmentsAndArePaddedWithZeros) {
  const View rows = Make(View::Kind::kRows, 1, 5, 0);
  EXPECT_EQ(Read<int32_t>(rows, {{0, 6}, {3, 3}}),
            (std::vector<int32_t>{11, 12, 13, 14, 14, 15, 0, 0}));
  const View mask = Make(View::Kind::kMask, 1, 5, 0);
  EXPECT_EQ(Read<float>(mask, {{0, 6}, {3, 3}}),
            (std::vector<float>{1, 1, 1, 1, 1, 1, 0, 0}));
}

TEST_F(ViewTest, AStackRepeatsTheEpisodesFirstRowAndMayPrecedeTheItem) {
  const View row = Make(View::Kind::kRow, 0, 0, 3);
  EXPECT_EQ(Read<int32_t>(row, {{0, 2}, {1, 2}, {4, 2}}),
            (std::vector<int32_t>{10, 10, 10, 10, 10, 11, 12, 13, 14}));
  const View rows = Make(View::Kind::kRows, 0, 2, 2);
  EXPECT_EQ(Read<int32_t>(rows, {{0, 2}, {5, 1}}),
            (std::vector<int32_t>{10, 10, 10, 11, 14, 15, 0, 0}));
}

TEST_F(ViewTest, NStepSumsAreDiscountedByGammaAndTheDiscounts) {
  View view;
  view.kind = View::Kind::kReturn;
  view.column = kReward;
  view.discount = kDiscount;
  view.gamma = 0.5;
  const double f = 0.5 * 0.9;
  EXPECT_EQ(Read<float>(view, {{0, 4}, {4, 3}, {2, 2}, {2, 1}}),
            (std::vector<float>{static_cast<float>(1 + f * 2 + f * f * 3),
                                static_cast<float>(5 + f * 6), 3.0F, 0.0F}));
  view.kind = View::Kind::kDiscount;
  const std::vector<double> discounts =
      Read<double>(view, {{0, 4}, {4, 3}, {2, 2}, {2, 1}});
  EXPECT_NEAR(discounts[0], f * f * f, 1e-15);
  EXPECT_EQ(discounts[1], 0.0);
  EXPECT_NEAR(discounts[2], f, 1e-15);
  EXPECT_EQ(discounts[3], 1.0);
}

TEST_F(ViewTest, AScalarDiscountServesAVectorReward) {
  View view;
  view.kind = View::Kind::kReturn;
  view.column = kVector;
  view.discount = kDiscount;
  const double expected = 1 + 0.9 * 2;
  EXPECT_EQ(Read<double>(view, {{0, 3}}), (std::vector<double>{expected, -expected}));
}

TEST_F(ViewTest, ImpossibleViewsAreRefused) {
  const std::vector<Column>& columns = store_->columns();
  EXPECT_FALSE(Make(View::Kind::kRows, 2, 2, 0).Validate(columns).ok());
  EXPECT_FALSE(Make(View::Kind::kMask, -1, 2, 0).Validate(columns).ok());
  View view;
  view.column = 4;
  EXPECT_EQ(view.Validate(columns).code(), StatusCode::kOutOfRange);
  view.kind = View::Kind::kReturn;
  view.column = 0;  // int32
  view.discount = kDiscount;
  EXPECT_EQ(view.Validate(columns).code(), StatusCode::kInvalidArgument);
  view.column = kReward;
  view.discount = kVector;
  EXPECT_EQ(view.Validate(columns).code(), StatusCode::kInvalidArgument);
  view.discount = kDiscount;
  view.gamma = 1.5;
  EXPECT_EQ(view.Validate(columns).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tfa
