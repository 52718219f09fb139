#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "cc/selector.h"
#include "cc/slot_array.h"

namespace tfa {
namespace {

// A doubly linked list, in the order of insertion, threaded through an array
// indexed by slot; gives one of its ends.
class OrderSelector : public Selector {
 public:
  explicit OrderSelector(bool newest_first) : newest_first_(newest_first) {}

  void Reserve(int64_t num_slots, int64_t) override { links_.Reserve(num_slots); }

  void Insert(int64_t slot, double) override {
    assert(slot >= 0);
    links_[slot] = {newest_, kNone};
    (newest_ == kNone ? oldest_ : links_[newest_].newer) = slot;
    newest_ = slot;
    end_ = std::max(end_, slot + 1);
    ++size_;
  }

  void Remove(int64_t slot) override {
    assert(size_ > 0);
    const Link link = links_[slot];
    (link.older == kNone ? oldest_ : links_[link.older].newer) = link.newer;
    (link.newer == kNone ? newest_ : links_[link.newer].older) = link.older;
    links_[slot].newer = kNone;
    --size_;
  }

  // The oldest n become the newest: they move as one chain.
  void Renew(const double* priorities, int64_t n, Random* random,
             int64_t* slots) override {
    if (newest_first_ || n > size_) {
      return Selector::Renew(priorities, n, random, slots);
    }
    int64_t rest = oldest_;
    for (int64_t i = 0; i < n; ++i) {
      slots[i] = std::exchange(rest, links_[rest].newer);
    }
    if (n == 0 || rest == kNone) return;  // all in turn: their order stays
    links_[rest].older = kNone;
    links_[newest_].newer = oldest_;
    links_[oldest_].older = newest_;
    oldest_ = rest;
    newest_ = slots[n - 1];
    links_[newest_].newer = kNone;
  }

  void Update(const int64_t*, const double*, int64_t) override {}

  void Sample(int64_t n, Random*, int64_t* slots, double* probabilities) override {
    assert(size_ > 0);
    std::fill_n(slots, n, newest_first_ ? newest_ : oldest_);
    std::fill_n(probabilities, n, 1.0);
  }

  void Probabilities(const int64_t* slots, int64_t n,
                     double* probabilities) const override {
    const int64_t chosen = newest_first_ ? newest_ : oldest_;
    std::transform(slots, slots + n, probabilities,
                   [chosen](int64_t slot) { return slot == chosen ? 1.0 : 0.0; });
  }

  double LeastProbability() override { return 1.0; }

  int64_t size() const override { return size_; }

  void Clear() override {
    links_.Clear();
    oldest_ = kNone;
    newest_ = kNone;
    size_ = 0;
    end_ = 0;
  }

  // The links by slot: listed from the oldest on, every slot would move with each
  // insert, and the next checkpoint could share nothing.
  void Save(Writer* out) const override {
    out->Put(oldest_);
    out->PutArrayOf<int64_t>(end_, [this](int64_t slot) { return links_[slot].newer; });
  }

  bool Load(Reader* in, const std::vector<double>&,
            const std::vector<bool>& live) override {
    auto slot = in->Get<int64_t>();
    const std::vector<int64_t> newer = in->GetArray<int64_t>();
    std::vector<bool> missing = live;
    missing.resize(newer.size());
    for (; slot != kNone; slot = newer[static_cast<size_t>(slot)]) {
      const auto index = static_cast<size_t>(slot);
      if (slot < 0 || index >= newer.size() || !missing[index]) return false;
      missing[index] = false;
      Insert(slot, 0.0);
    }
    return size_ == std::count(live.begin(), live.end(), true);
  }

  Status CheckValid() const override {
    int64_t count = 0;
    int64_t older = kNone;
    for (int64_t slot = oldest_; slot != kNone && count <= size_; ++count) {
      const Link& link = links_[slot];
      if (link.older != older) {
        return FailedPreconditionError("order: a link back is wrong");
      }
      older = slot;
      slot = link.newer;
    }
    if (count != size_ || older != newest_) {
      return FailedPreconditionError("order: the list does not hold every slot");
    }
    return OkStatus();
  }

 private:
  static constexpr int64_t kNone = -1;

  struct Link {
    int64_t older;
    int64_t newer;
  };

  const bool newest_first_;
  SlotArray<Link> links_;  // by slot; of live slots only
  int64_t oldest_ = kNone;
  int64_t newest_ = kNone;
  int64_t size_ = 0;
  int64_t end_ = 0;  // greater than every slot that there was
};

}  // namespace

std::unique_ptr<Selector> MakeFifoSelector() {
  return std::make_unique<OrderSelector>(false);
}

std::unique_ptr<Selector> MakeLifoSelector() {
  return std::make_unique<OrderSelector>(true);
}

}  // namespace tfa
