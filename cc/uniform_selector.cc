#include <algorithm>
#include <vector>

#include "cc/selector.h"
#include "cc/slot_set.h"

namespace tfa {
namespace {

class UniformSelector : public Selector {
 public:
  void Insert(int64_t slot, double) override { slots_.Insert(slot); }

  void Remove(int64_t slot) override { slots_.Remove(slot); }

  void ReplaceAll(const int64_t*, const double*, int64_t) override {}

  void Update(const int64_t*, const double*, int64_t) override {}

  void Sample(int64_t n, Random* random, int64_t* slots,
              double* probabilities) override {
    const int64_t live = size();
    for (int64_t i = 0; i < n; ++i) {
      slots[i] = static_cast<int64_t>(random->Below(static_cast<uint64_t>(live)));
      slots_.Prefetch(slots[i]);
    }
    for (int64_t i = 0; i < n; ++i) slots[i] = slots_.At(slots[i]);
    std::fill_n(probabilities, n, 1.0 / static_cast<double>(live));
  }

  void Probabilities(const int64_t*, int64_t n, double* probabilities) const override {
    std::fill_n(probabilities, n, 1.0 / static_cast<double>(size()));
  }

  double LeastProbability() override { return 1.0 / static_cast<double>(size()); }

  int64_t size() const override { return slots_.size(); }

  void Clear() override { slots_.Clear(); }

  void Save(Writer* out) const override { out->PutArray(slots_.members()); }

  bool Load(Reader* in, const std::vector<double>&,
            const std::vector<bool>& live) override {
    std::vector<int64_t> slots;
    if (!GetLiveSlots(in, live, &slots)) return false;
    for (const int64_t slot : slots) Insert(slot, 0.0);
    return true;
  }

  Status CheckValid() const override { return slots_.CheckValid(); }

 private:
  SlotSet slots_;
};

}  // namespace

std::unique_ptr<Selector> MakeUniformSelector() {
  return std::make_unique<UniformSelector>();
}

}  // namespace tfa
