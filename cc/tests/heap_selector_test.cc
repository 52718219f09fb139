#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "cc/selector.h"
#include "cc/tests/draws.h"

namespace tfa {
namespace {

// (sign * priority, time of the write) by slot: the first is the heap's choice.
using Model = std::map<int64_t, std::pair<double, int>>;

int64_t First(const Model& model) {
  auto first = model.begin();
  for (auto at = model.begin(); at != model.end(); ++at) {
    if (at->second < first->second) first = at;
  }
  return first->first;
}

TEST(HeapSelectorTest, RandomOperationsGiveTheFirstOfABruteForceModel) {
  for (const double sign : {1.0, -1.0}) {
    const auto heap = sign > 0 ? MakeMinHeapSelector() : MakeMaxHeapSelector();
    heap->Reserve(1000, 1);
    Model model;
    Random random(1);
    for (int step = 0; step < 5000; ++step) {
      const auto slot = static_cast<int64_t>(random.Below(60));
      const double priority = static_cast<double>(random.Below(8));  // many ties
      const auto entry = std::make_pair(sign * priority, step);
      if (model.count(slot) == 0) {
        heap->Insert(slot, priority);
        model[slot] = entry;
      } else if (random.Below(3) == 0) {
        heap->Remove(slot);
        model.erase(slot);
      } else {
        Update(heap.get(), slot, priority);
        model[slot] = entry;
      }
      const Status status = heap->CheckValid();
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_EQ(heap->size(), static_cast<int64_t>(model.size()));
      if (model.empty()) continue;
      const Draws draws = Draw(heap.get(), 3, 5);
      ASSERT_EQ(draws.slots, std::vector<int64_t>(3, First(model)));
      ASSERT_EQ(draws.probabilities, std::vector<double>(3, 1.0));
    }
  }
}

TEST(HeapSelectorTest, OfEqualPrioritiesTheOneWrittenLongestAgoGoesFirst) {
  const auto heap = MakeMaxHeapSelector();
  heap->Reserve(10, 1);
  for (const int64_t slot : {4, 7, 1}) heap->Insert(slot, 2.0);
  Update(heap.get(), 4, 2.0);
  for (const int64_t slot : {7, 1, 4}) {
    EXPECT_EQ(Draw(heap.get(), 1, 5).slots[0], slot);
    heap->Remove(slot);
  }
}

}  // namespace
}  // namespace tfa
