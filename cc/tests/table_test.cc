#include "cc/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cc/tests/batch.h"

namespace tfa {
namespace {

struct Drawn : InfoArrays {
  explicit Drawn(int64_t n)
      : InfoArrays(static_cast<size_t>(n)), windows(static_cast<size_t>(n)) {}
  std::vector<Window> windows;
};

// A table over a store of one endless episode.
class TableTest : public testing::Test {
 protected:
  void Make(TableOptions options) {
    table_.reset();
    StepStore::Options store_options;
    store_options.segment_rows = 4;
    store_ = *StepStore::Create({{"x", DType::kInt64, {}}}, store_options);
    StatusOr<std::unique_ptr<Table>> table =
        Table::Create(std::move(options), store_.get(), 0);
    ASSERT_TRUE(table.ok()) << table.status().message();
    table_ = std::move(*table);
  }

  int64_t Insert(std::optional<double> priority = std::nullopt) {
    const int64_t x = num_rows_;
    const void* const columns[] = {&x};
    const RowFlags flags = {0, num_rows_++ == 0 || !store_->EpisodeOpen(0), false};
    EXPECT_TRUE(store_->Append(&flags, 1, columns).ok());
    return table_->Insert(*store_->Recent(0, 0, 1), priority);
  }

  Drawn Draw(int64_t n, double beta = 0.0, int64_t num_batches = 1) {
    EXPECT_TRUE(table_->CanSample(n));
    Drawn batch(n);
    const int64_t gather = store_->BeginGather();
    table_->Draw(n, {beta}, batch.arrays(), batch.windows.data(), num_batches);
    store_->EndGather(gather, batch.windows.data(), n);
    return batch;
  }

  void CheckValid() {
    Status status = table_->CheckValid();
    ASSERT_TRUE(status.ok()) << status.message();
    std::vector<int32_t> refs;
    table_->CountRefs(&refs);
    status = store_->CheckValid(refs);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  int64_t num_rows_ = 0;
  std::unique_ptr<StepStore> store_;
  std::unique_ptr<Table> table_;
};

TableOptions Options(SelectorOptions::Kind sampler, int64_t max_size) {
  TableOptions options;
  options.name = "t";
  options.sampler.kind = sampler;
  options.remover.kind = SelectorOptions::Kind::kFifo;
  options.max_size = max_size;
  return options;
}

TEST_F(TableTest, AFullTableRemovesItsOldestItem) {
  Make(Options(SelectorOptions::Kind::kFifo, 3));
  const int64_t first = Insert();
  const int64_t second = Insert();
  Insert();
  EXPECT_EQ(Draw(1).key[0], first);
  Insert();
  EXPECT_EQ(table_->size(), 3);
  EXPECT_EQ(Draw(1).key[0], second);
  CheckValid();
}

TEST_F(TableTest, KeysAreNeverThoseOfAnEarlierItem) {
  Make(Options(SelectorOptions::Kind::kUniform, 2));
  std::set<int64_t> keys;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(keys.insert(Insert()).second);
  EXPECT_GE(*keys.begin(), 0);
}

TEST_F(TableTest, StaleUpdatesAreCountedAndNeverReachTheSlotsNewOwner) {
  Make(Options(SelectorOptions::Kind::kPrioritized, 1));
  const int64_t gone = Insert(2.0);
  const int64_t here = Insert(3.0);
  ASSERT_EQ(gone & 0xffffffff, 0);
  const int64_t keys[] = {gone, here, gone};
  const double priorities[] = {7.0, 5.0, 9.0};
  Insert(4.0);  // evicts `here`
  const double priority = 6.0;
  EXPECT_EQ(*table_->UpdatePriorities(keys, priorities, 3), 0);
  EXPECT_EQ(table_->stats().num_stale_updates, 3);
  EXPECT_EQ(Draw(1).priority[0], 4.0);
  const int64_t live = Draw(1).key[0];
  EXPECT_EQ(*table_->UpdatePriorities(&live, &priority, 1), 1);
  EXPECT_EQ(Draw(1).priority[0], 6.0);
}

TEST_F(TableTest, ABadKeyOrPriorityWritesNothing) {
  Make(Options(SelectorOptions::Kind::kPrioritized, 4));
  const int64_t key = Insert(2.0);
  const double bad[] = {-1.0, std::nan(""), std::numeric_limits<double>::infinity()};
  for (const double priority : bad) {
    const int64_t keys[] = {key, key};
    const double priorities[] = {5.0, priority};
    EXPECT_EQ(table_->UpdatePriorities(keys, priorities, 2).status().code(),
              StatusCode::kInvalidArgument);
  }
  const int64_t of_shard_1 = int64_t{1} << 57;
  for (const int64_t foreign : {int64_t{-1}, of_shard_1, of_shard_1 + key}) {
    const int64_t keys[] = {key, foreign};
    const double priorities[] = {5.0, 5.0};
    EXPECT_EQ(table_->UpdatePriorities(keys, priorities, 2).status().code(),
              StatusCode::kInvalidArgument);
    EXPECT_FALSE(table_->Delete(keys, 2).ok());
  }
  EXPECT_EQ(Draw(1).priority[0], 2.0);
}

// Items that all take a few slots, one after another or several at once.
TEST_F(TableTest, NoKeyIsGivenOutTwice) {
  for (const auto remover : {SelectorOptions::Kind::kFifo, SelectorOptions::Kind::kLifo}) {
    for (const int64_t at_once : {1, 3}) {
      TableOptions options = Options(SelectorOptions::Kind::kUniform, 4);
      options.remover.kind = remover;
      Make(options);
      Insert();
      const std::vector<Window> windows(static_cast<size_t>(at_once),
                                        *store_->Recent(0, 0, 1));
      std::vector<int64_t> keys;
      while (keys.size() < 1'000'000) {
        table_->InsertAll(windows.data(), nullptr, at_once, &keys);
      }
      std::sort(keys.begin(), keys.end());
      EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
      CheckValid();
      // 2^16 items a slot, and those of a moment.
      const int64_t largest_slot = *std::max_element(
          keys.begin(), keys.end(), [](int64_t a, int64_t b) {
            return (a & 0x7fffffff) < (b & 0x7fffffff);
          });
      EXPECT_LE(largest_slot & 0x7fffffff, 1'000'000 / 65'535 + 5);
    }
  }
}

TEST_F(TableTest, OfEqualKeysTheLastPriorityCounts) {
  Make(Options(SelectorOptions::Kind::kPrioritized, 4));
  const int64_t key = Insert();
  const int64_t keys[] = {key, key};
  const double priorities[] = {5.0, 0.25};
  EXPECT_EQ(*table_->UpdatePriorities(keys, priorities, 2), 2);
  EXPECT_EQ(Draw(1).priority[0], 0.25);
}

TEST_F(TableTest, NewItemsHaveTheHighestPrioritySeen) {
  Make(Options(SelectorOptions::Kind::kFifo, 1));
  Insert();
  EXPECT_EQ(Draw(1).priority[0], 1.0);
  Insert(8.0);
  Insert();
  EXPECT_EQ(Draw(1).priority[0], 8.0);
}

TEST_F(TableTest, ImportanceWeightsFollowTheirFormula) {
  Make(Options(SelectorOptions::Kind::kPrioritized, 4));
  Insert(1.0);
  Insert(3.0);
  constexpr double kBeta = 0.7;
  const Drawn batch = Draw(100, kBeta);
  double largest = 0.0;
  for (const double p : batch.probability) {
    largest = std::max(largest, std::pow(2 * p, -kBeta));
  }
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_DOUBLE_EQ(batch.probability[i], batch.priority[i] / 4);
    EXPECT_NEAR(batch.weight[i], std::pow(2 * batch.probability[i], -kBeta) / largest,
                1e-12);
  }
  const Drawn unweighted = Draw(10, 0.0);
  EXPECT_EQ(unweighted.weight, std::vector<double>(10, 1.0));
}

TEST_F(TableTest, ImportanceWeightsAreOverTheLargestOfTheirOwnBatch) {
  TableOptions options = Options(SelectorOptions::Kind::kPrioritized, 4);
  for (const int64_t max_times_sampled : {0, 100}) {
    options.max_times_sampled = max_times_sampled;
    Make(options);
    Insert(1.0);
    Insert(3.0);
    const Drawn drawn = Draw(60, 1.0, 30);
    bool differ = false;
    for (size_t i = 0; i < 60; i += 2) {
      const double least = std::min(drawn.probability[i], drawn.probability[i + 1]);
      differ = differ || least == 0.75;  // the batch has only the likelier item
      EXPECT_DOUBLE_EQ(drawn.weight[i], least / drawn.probability[i]);
      EXPECT_DOUBLE_EQ(drawn.weight[i + 1], least / drawn.probability[i + 1]);
    }
    EXPECT_TRUE(differ);
  }
}

TEST_F(TableTest, AnItemGoesOnceItWasSampledOftenEnough) {
  TableOptions options = Options(SelectorOptions::Kind::kFifo, 10);
  options.max_times_sampled = 2;
  Make(options);
  const int64_t first = Insert();
  const int64_t second = Insert();
  EXPECT_TRUE(table_->CanSample(4));
  EXPECT_FALSE(table_->CanSample(5));
  EXPECT_NE(table_->WhyNotSample(5).find("4 draws left"), std::string::npos);
  const Drawn batch = Draw(3);
  EXPECT_EQ(batch.key, (std::vector<int64_t>{first, first, second}));
  EXPECT_EQ(batch.times_sampled, (std::vector<int32_t>{1, 2, 1}));
  EXPECT_EQ(table_->size(), 1);
  CheckValid();
}

TEST_F(TableTest, AgeCountsTheItemsInsertedSince) {
  Make(Options(SelectorOptions::Kind::kFifo, 10));
  Insert();
  EXPECT_EQ(Draw(1).age[0], 0);
  for (int i = 0; i < 5; ++i) Insert();
  EXPECT_EQ(Draw(1).age[0], 5);
}

TEST_F(TableTest, ResetForgetsItemsAndCountsButNotWhoseAKeyWas) {
  Make(Options(SelectorOptions::Kind::kUniform, 10));
  const int64_t key = Insert(5.0);
  table_->Reset();
  store_->Reset();
  EXPECT_EQ(table_->size(), 0);
  EXPECT_EQ(table_->stats().num_inserted, 0);
  EXPECT_NE(Insert(), key);
  EXPECT_EQ(Draw(1).priority[0], 1.0);
  EXPECT_EQ(*table_->Delete(&key, 1), 0);
  CheckValid();
}

TEST_F(TableTest, AfterResetsNoSlotGivesAKeyTwice) {
  Make(Options(SelectorOptions::Kind::kUniform, 3));
  std::set<int64_t> keys;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 2 + 2 * round; ++i) EXPECT_TRUE(keys.insert(Insert()).second);
    CheckValid();
    table_->Reset();
    store_->Reset();
    CheckValid();
  }
  for (const int64_t key : keys) EXPECT_EQ(*table_->Delete(&key, 1), 0);
}

TEST_F(TableTest, ATableMayBoundMoreItemsThanThereIsMemoryFor) {
  Make(Options(SelectorOptions::Kind::kPrioritized, int64_t{1} << 30));
  const int64_t key = Insert(2.0);
  for (int i = 0; i < 100; ++i) Insert();
  const double priority = 5.0;
  EXPECT_EQ(*table_->UpdatePriorities(&key, &priority, 1), 1);
  Draw(64, 0.5);
  CheckValid();
}

TEST_F(TableTest, OptionsThatCannotWorkAreRefused) {
  const auto refused = [this](const TableOptions& options) {
    return Table::Create(options, store_.get(), 0).status().code() ==
           StatusCode::kInvalidArgument;
  };
  Make(Options(SelectorOptions::Kind::kUniform, 1));
  EXPECT_TRUE(refused(Options(SelectorOptions::Kind::kUniform, 0)));
  TableOptions options = Options(SelectorOptions::Kind::kPrioritized, 1);
  options.sampler.prioritized.alpha = -1.0;
  EXPECT_TRUE(refused(options));
  options = Options(SelectorOptions::Kind::kUniform, 9);
  options.rate_limiter.min_size = 10;
  EXPECT_TRUE(refused(options));
  options = Options(SelectorOptions::Kind::kUniform, 9);
  options.max_times_sampled = -1;
  EXPECT_TRUE(refused(options));
}

TEST_F(TableTest, EveryInvariantHoldsAfterEveryRandomOperation) {
  using Kind = SelectorOptions::Kind;
  for (const Kind kind : {Kind::kUniform, Kind::kPrioritized, Kind::kFifo, Kind::kLifo,
                          Kind::kMinHeap, Kind::kMaxHeap, Kind::kWithoutReplacement}) {
    TableOptions options = Options(kind, 17);
    options.remover.kind = kind;
    Make(options);
    Random random(3);
    std::vector<int64_t> keys;
    for (int round = 0; round < 1500; ++round) {
      const uint64_t operation = random.Below(10);
      if (operation < 5 || keys.empty()) {
        keys.push_back(Insert(random.Uniform01() * 3));
      } else if (operation < 7 && table_->size() > 0) {
        Draw(static_cast<int64_t>(1 + random.Below(5)));
      } else if (operation < 9) {
        const double priority = random.Below(4) == 0 ? 0.0 : random.Uniform01();
        EXPECT_TRUE(
            table_->UpdatePriorities(&keys[random.Below(keys.size())], &priority, 1)
                .ok());
      } else {
        EXPECT_TRUE(table_->Delete(&keys[random.Below(keys.size())], 1).ok());
      }
      CheckValid();
    }
  }
}

}  // namespace
}  // namespace tfa
