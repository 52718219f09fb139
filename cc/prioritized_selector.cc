#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>
#include <vector>

#include "cc/selector.h"
#include "cc/slot_set.h"
#include "cc/sum_tree.h"

namespace tfa {
namespace {

// Bounds of a non-zero weight: above the subnormal numbers, and low enough that
// 2^100 of them have a finite sum.
constexpr double kMinWeight = 0x1.0p-1000;
constexpr double kMaxWeight = 0x1.0p+900;

class PrioritizedSelector : public Selector {
 public:
  explicit PrioritizedSelector(double alpha) : alpha_(alpha), tree_(0) {
    assert(std::isfinite(alpha) && alpha >= 0);
  }

  void Insert(int64_t slot, double priority) override {
    slots_.Insert(slot);
    if (slot >= tree_.capacity()) {
      tree_.Grow(std::max(slot + 1, 2 * tree_.capacity()));
    }
    if (priority != inserted_priority_) {
      inserted_priority_ = priority;
      inserted_weight_ = Weight(priority);
    }
    tree_.Set(slot, inserted_weight_);
  }

  void Remove(int64_t slot) override {
    slots_.Remove(slot);
    tree_.Set(slot, 0.0);
  }

  void Update(const int64_t* slots, const double* priorities, int64_t n) override {
    scratch_.resize(static_cast<size_t>(n));
    std::transform(priorities, priorities + n, scratch_.begin(),
                   [this](double priority) { return Weight(priority); });
    tree_.Set(slots, scratch_.data(), n);
  }

  void Sample(int64_t n, Random* random, int64_t* slots,
              double* probabilities) override {
    const double total = tree_.total();
    if (total > 0) {
      SampleByWeight(n, total, random, slots, probabilities);
    } else {
      SampleUniformly(n, random, slots, probabilities);
    }
  }

  int64_t size() const override { return slots_.size(); }

  void Clear() override {
    slots_.Clear();
    tree_.Clear();
  }

  void Save(Writer* out) const override { out->PutArray(slots_.members()); }

  bool Load(Reader* in, const std::vector<double>& priorities,
            const std::vector<bool>& live) override {
    std::vector<int64_t> slots;
    if (!GetLiveSlots(in, live, &slots)) return false;
    std::vector<double> of_slots;
    of_slots.reserve(slots.size());
    for (const int64_t slot : slots) {
      slots_.Insert(slot);
      of_slots.push_back(priorities[static_cast<size_t>(slot)]);
    }
    tree_.Grow(static_cast<int64_t>(priorities.size()));
    Update(slots.data(), of_slots.data(), size());
    return true;
  }

  Status CheckValid() const override {
    TFA_RETURN_IF_ERROR(slots_.CheckValid());
    TFA_RETURN_IF_ERROR(tree_.CheckValid());
    for (int64_t slot = 0; slot < tree_.capacity(); ++slot) {
      if (tree_.Get(slot) > 0 && !slots_.Contains(slot)) {
        return FailedPreconditionError("prioritized: slot " + std::to_string(slot) +
                                       " is not live but has a weight");
      }
    }
    return OkStatus();
  }

 private:
  double Weight(double priority) const {
    if (priority == 0) return 0.0;
    const double weight = alpha_ == 1 ? priority : std::pow(priority, alpha_);
    return std::clamp(weight, kMinWeight, kMaxWeight);
  }

  void SampleByWeight(int64_t n, double total, Random* random, int64_t* slots,
                      double* probabilities) {
    scratch_.resize(static_cast<size_t>(n));
    for (double& target : scratch_) target = random->Uniform01() * total;
    tree_.Find(scratch_.data(), n, slots);
    for (int64_t i = 0; i < n; ++i) {
      probabilities[i] = tree_.Get(slots[i]) / total;
    }
  }

  void SampleUniformly(int64_t n, Random* random, int64_t* slots,
                       double* probabilities) const {
    const int64_t live = size();
    assert(live > 0);
    for (int64_t i = 0; i < n; ++i) {
      const uint64_t rank = random->Below(static_cast<uint64_t>(live));
      slots[i] = slots_.At(static_cast<int64_t>(rank));
    }
    std::fill_n(probabilities, n, 1.0 / static_cast<double>(live));
  }

  const double alpha_;
  // Of the newest slot: most are inserted at one priority, and a power is slow.
  double inserted_priority_ = 0.0;
  double inserted_weight_ = 0.0;
  SlotSet slots_;
  SumTree tree_;                 // p^alpha by slot, 0 where not live
  std::vector<double> scratch_;  // weights or targets of the running call
};

}  // namespace

std::unique_ptr<Selector> MakePrioritizedSelector(double alpha) {
  return std::make_unique<PrioritizedSelector>(alpha);
}

}  // namespace tfa
