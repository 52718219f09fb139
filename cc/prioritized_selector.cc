#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cc/min_tree.h"
#include "cc/power.h"
#include "cc/selector.h"
#include "cc/slot_set.h"
#include "cc/sum_tree.h"

namespace tfa {
namespace {

// Bounds of a non-zero weight: above the subnormal numbers, and low enough that
// 2^100 of them have a finite sum.
constexpr double kMinWeight = 0x1.0p-1000;
constexpr double kMaxWeight = 0x1.0p+900;
constexpr double kBelowOne = 1 - 0x1.0p-53;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class PrioritizedSelector : public Selector {
 public:
  explicit PrioritizedSelector(const PrioritizedOptions& options)
      : options_(options), tree_(0) {
    assert(std::isfinite(options.alpha) && options.alpha >= 0);
    assert(options.uniform_mix >= 0 && options.uniform_mix <= 1);
  }

  void Insert(int64_t slot, double priority) override {
    InsertAll(&slot, &priority, 1);
  }

  void Remove(int64_t slot) override {
    slots_.Remove(slot);
    tree_.Set(slot, 0.0);
    if (minima_ != nullptr) minima_->Set(slot, kInfinity);
  }

  void InsertAll(const int64_t* slots, const double* priorities, int64_t n) override {
    if (n == 0) return;
    for (int64_t i = 0; i < n; ++i) slots_.Insert(slots[i]);
    const int64_t largest = *std::max_element(slots, slots + n);
    if (largest >= tree_.capacity()) {
      tree_.Grow(std::max(largest + 1, 2 * tree_.capacity()));
      if (minima_ != nullptr) minima_->Grow(tree_.capacity());
    }
    Update(slots, priorities, n);
  }

  void ReplaceAll(const int64_t* slots, const double* priorities, int64_t n) override {
    Update(slots, priorities, n);
  }

  void Update(const int64_t* slots, const double* priorities, int64_t n) override {
    ComputeWeights(priorities, n);
    if (n == 1) {
      tree_.Set(slots[0], scratch_[0]);
    } else {
      tree_.Set(slots, scratch_.data(), n);
    }
    if (minima_ == nullptr) return;
    for (int64_t i = 0; i < n; ++i) {
      minima_->Set(slots[i], Minimum(scratch_[static_cast<size_t>(i)]));
    }
  }

  void Sample(int64_t n, Random* random, int64_t* slots,
              double* probabilities) override {
    assert(size() > 0);
    // Where each draw falls in the mass, of which the uniform share comes first.
    scratch_.resize(static_cast<size_t>(n));
    for (double& point : scratch_) point = random->Uniform01();
    if (options_.stratified) {
      double slice = 0.0;
      const double num_slices = static_cast<double>(n);
      for (double& point : scratch_) {
        point = std::min((slice++ + point) / num_slices, kBelowOne);
      }
    }
    const double share = UniformShare();
    if (share < 1) FindByWeight(n, share, slots);
    if (share > 0) FindUniformly(n, share, slots);
    Probabilities(slots, n, probabilities);
  }

  void Probabilities(const int64_t* slots, int64_t n,
                     double* probabilities) const override {
    const double share = UniformShare();
    if (share == 1) {
      std::fill_n(probabilities, n, 1.0 / static_cast<double>(size()));
      return;
    }
    for (int64_t i = 0; i < n; ++i) {
      probabilities[i] = Probability(share, tree_.Get(slots[i]));
    }
  }

  double LeastProbability() override {
    assert(size() > 0);
    const double share = UniformShare();
    if (share == 1) return 1.0 / static_cast<double>(size());
    if (minima_ == nullptr) BuildMinima();
    return Probability(share, minima_->least());
  }

  double TotalWeight() const override { return tree_.total(); }

  std::optional<double> LeastWeight() const override {
    if (minima_ == nullptr || minima_->least() == kInfinity) return std::nullopt;
    return minima_->least();
  }

  int64_t size() const override { return slots_.size(); }

  void Clear() override {
    slots_.Clear();
    tree_.Clear();
    if (minima_ != nullptr) minima_->Clear();
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
    double least = kInfinity;
    for (int64_t slot = 0; slot < tree_.capacity(); ++slot) {
      if (slots_.Contains(slot)) {
        least = std::min(least, Minimum(tree_.Get(slot)));
      } else if (tree_.Get(slot) > 0) {
        return FailedPreconditionError("prioritized: slot " + std::to_string(slot) +
                                       " is not live but has a weight");
      }
    }
    if (minima_ == nullptr) return OkStatus();
    TFA_RETURN_IF_ERROR(minima_->CheckValid());
    if (minima_->least() == least) return OkStatus();
    return FailedPreconditionError("prioritized: the least weight is not the least");
  }

 private:
  // Puts the weights of priorities into scratch_.
  void ComputeWeights(const double* priorities, int64_t n) {
    const bool repeated = std::all_of(priorities, priorities + n,
                                      [this](double p) { return p == last_priority_; });
    if (repeated) {
      scratch_.assign(static_cast<size_t>(n), last_weight_);
      return;
    }
    scratch_.resize(static_cast<size_t>(n));
    Power(priorities, n, options_.alpha, scratch_.data());
    for (int64_t i = 0; i < n; ++i) {
      double& weight = scratch_[static_cast<size_t>(i)];
      weight = priorities[i] == 0 ? 0.0 : std::clamp(weight, kMinWeight, kMaxWeight);
    }
    last_priority_ = priorities[n - 1];
    last_weight_ = scratch_.back();
  }

  // What a live slot's weight counts for among the minima: one that is never drawn
  // does not count.
  double Minimum(double weight) const {
    return weight == 0 && options_.uniform_mix == 0 ? kInfinity : weight;
  }

  void BuildMinima() {
    minima_ = std::make_unique<MinTree>(tree_.capacity());
    for (int64_t rank = 0; rank < size(); ++rank) {
      const int64_t slot = slots_.At(rank);
      minima_->Set(slot, Minimum(tree_.Get(slot)));
    }
  }

  double UniformShare() const { return tree_.total() > 0 ? options_.uniform_mix : 1.0; }

  double Probability(double share, double weight) const {
    const double uniform = share / static_cast<double>(size());
    return uniform + (1 - share) * (weight / tree_.total());
  }

  // The slots of the points past the uniform share; any for the others.
  void FindByWeight(int64_t n, double share, int64_t* slots) {
    const double scale = tree_.total() / (1 - share);
    targets_.resize(static_cast<size_t>(n));
    std::transform(scratch_.begin(), scratch_.end(), targets_.begin(),
                   [=](double point) { return std::max(point - share, 0.0) * scale; });
    tree_.Find(targets_.data(), n, slots);
  }

  void FindUniformly(int64_t n, double share, int64_t* slots) const {
    const double scale = static_cast<double>(size()) / share;
    for (int64_t i = 0; i < n; ++i) {
      const double point = scratch_[static_cast<size_t>(i)];
      if (point >= share) continue;
      const auto rank = static_cast<int64_t>(point * scale);
      slots[i] = slots_.At(std::min(rank, size() - 1));
    }
  }

  const PrioritizedOptions options_;
  // Of the last slot: most are inserted at one priority, and a power is slow.
  double last_priority_ = 0.0;
  double last_weight_ = 0.0;
  SlotSet slots_;
  SumTree tree_;                     // p^alpha by slot, 0 where not live
  std::unique_ptr<MinTree> minima_;  // of those weights, once they were asked for
  std::vector<double> scratch_;      // weights or points of the running call
  std::vector<double> targets_;      // of the running draw
};

}  // namespace

std::unique_ptr<Selector> MakePrioritizedSelector(const PrioritizedOptions& options) {
  return std::make_unique<PrioritizedSelector>(options);
}

}  // namespace tfa
