#include <algorithm>

#include "cc/selector.h"
#include "cc/slot_set.h"

namespace tfa {
namespace {

// The shuffle of Fisher and Yates, a step a draw: the ranks below `num_drawn_` hold
// the slots that the epoch has had, in any order, the others those to come.
class WithoutReplacementSelector : public Selector {
 public:
  void Insert(int64_t slot, double) override { slots_.Insert(slot); }

  void Remove(int64_t slot) override {
    const int64_t rank = slots_.RankOf(slot);
    if (rank < num_drawn_) slots_.Swap(rank, --num_drawn_);
    slots_.Remove(slot);
  }

  void Update(const int64_t*, const double*, int64_t) override {}

  void Sample(int64_t n, Random* random, int64_t* slots,
              double* probabilities) override {
    for (int64_t i = 0; i < n; ++i) {
      if (num_drawn_ == size()) num_drawn_ = 0;
      const auto to_come = static_cast<uint64_t>(size() - num_drawn_);
      const auto chosen = static_cast<int64_t>(random->Below(to_come));
      slots_.Swap(num_drawn_ + chosen, num_drawn_);
      slots[i] = slots_.At(num_drawn_++);
    }
    std::fill_n(probabilities, n, LeastProbability());
  }

  void Probabilities(const int64_t*, int64_t n, double* probabilities) const override {
    std::fill_n(probabilities, n, 1.0 / static_cast<double>(size()));
  }

  double LeastProbability() override { return 1.0 / static_cast<double>(size()); }

  int64_t size() const override { return slots_.size(); }

  void Clear() override {
    slots_.Clear();
    num_drawn_ = 0;
  }

  void Save(Writer* out) const override {
    out->PutArray(slots_.members());
    out->Put(num_drawn_);
  }

  bool Load(Reader* in, const std::vector<double>&,
            const std::vector<bool>& live) override {
    std::vector<int64_t> slots;
    if (!GetLiveSlots(in, live, &slots)) return false;
    for (const int64_t slot : slots) slots_.Insert(slot);
    num_drawn_ = in->Get<int64_t>();
    return in->ok() && num_drawn_ >= 0 && num_drawn_ <= size();
  }

  Status CheckValid() const override {
    TFA_RETURN_IF_ERROR(slots_.CheckValid());
    if (num_drawn_ >= 0 && num_drawn_ <= size()) return OkStatus();
    return FailedPreconditionError("without replacement: more drawn than there are");
  }

 private:
  SlotSet slots_;
  int64_t num_drawn_ = 0;  // of this epoch, and still live
};

}  // namespace

std::unique_ptr<Selector> MakeWithoutReplacementSelector() {
  return std::make_unique<WithoutReplacementSelector>();
}

}  // namespace tfa
