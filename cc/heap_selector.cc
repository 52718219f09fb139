#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>
#include <vector>

#include "cc/selector.h"
#include "cc/slot_array.h"

namespace tfa {
namespace {

// A binary heap of slots that knows where each slot is.
class HeapSelector : public Selector {
 public:
  explicit HeapSelector(bool highest_first) : sign_(highest_first ? -1.0 : 1.0) {}

  void Reserve(int64_t num_slots, int64_t) override {
    heap_.Reserve(num_slots);
    places_.Reserve(num_slots);
  }

  void Insert(int64_t slot, double priority) override {
    assert(slot >= 0 && places_[slot] == kAbsent);
    end_ = std::max(end_, slot + 1);
    Put(size_++, {sign_ * priority, num_writes_++, slot});
    SiftUp(size() - 1);
  }

  void Remove(int64_t slot) override {
    const int64_t place = PlaceOf(slot);
    Swap(place, size() - 1);
    --size_;
    places_[slot] = kAbsent;
    if (place < size()) Restore(place);
  }

  void Update(const int64_t* slots, const double* priorities, int64_t n) override {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t place = PlaceOf(slots[i]);
      heap_[place].rank = sign_ * priorities[i];
      heap_[place].written_at = num_writes_++;
      Restore(place);
    }
  }

  void Sample(int64_t n, Random*, int64_t* slots, double* probabilities) override {
    assert(size() > 0);
    std::fill_n(slots, n, heap_[0].slot);
    std::fill_n(probabilities, n, 1.0);
  }

  void Probabilities(const int64_t* slots, int64_t n,
                     double* probabilities) const override {
    const int64_t chosen = heap_[0].slot;
    std::transform(slots, slots + n, probabilities,
                   [chosen](int64_t slot) { return slot == chosen ? 1.0 : 0.0; });
  }

  double LeastProbability() override { return 1.0; }

  int64_t size() const override { return size_; }

  void Clear() override {
    heap_.Clear();
    places_.Clear();
    size_ = 0;
    end_ = 0;
  }

  // When each slot was written, which is all that ties need. By slot, so that it stays
  // the same for those that did not change.
  void Save(Writer* out) const override {
    out->Put(num_writes_);
    out->PutArrayOf<uint64_t>(end_, [this](int64_t slot) {
      return places_[slot] == kAbsent ? 0 : heap_[PlaceOf(slot)].written_at;
    });
  }

  bool Load(Reader* in, const std::vector<double>& priorities,
            const std::vector<bool>& live) override {
    const auto num_writes = in->Get<uint64_t>();
    const std::vector<uint64_t> written_at = in->GetArray<uint64_t>();
    std::vector<std::pair<uint64_t, int64_t>> order;
    for (size_t slot = 0; slot < live.size(); ++slot) {
      if (!live[slot]) continue;
      if (slot >= written_at.size() || written_at[slot] >= num_writes) return false;
      order.emplace_back(written_at[slot], slot);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [write, slot] : order) {
      num_writes_ = write;
      Insert(slot, priorities[static_cast<size_t>(slot)]);
    }
    num_writes_ = num_writes;
    return in->ok();
  }

  Status CheckValid() const override {
    int64_t present = 0;
    for (int64_t slot = 0; slot < end_; ++slot) present += places_[slot] != kAbsent;
    if (present != size()) {
      return FailedPreconditionError("heap: places and nodes differ");
    }
    for (int64_t place = 0; place < size(); ++place) {
      const Node& node = heap_[place];
      if (PlaceOf(node.slot) != place) {
        return FailedPreconditionError("heap: a slot has a wrong place");
      }
      if (place > 0 && node < heap_[Parent(place)]) {
        return FailedPreconditionError("heap: a node precedes its parent");
      }
    }
    return OkStatus();
  }

 private:
  static constexpr int64_t kAbsent = 0;

  struct Node {
    double rank;  // the priority, its sign turned where the highest goes first
    uint64_t written_at;
    int64_t slot;

    bool operator<(const Node& other) const {
      return std::tie(rank, written_at) < std::tie(other.rank, other.written_at);
    }
  };

  static int64_t Parent(int64_t place) { return (place - 1) / 2; }

  bool Precedes(int64_t place, int64_t other) const {
    return heap_[place] < heap_[other];
  }

  void Swap(int64_t place, int64_t other) {
    const Node node = heap_[place];
    Put(place, heap_[other]);
    Put(other, node);
  }

  void Put(int64_t place, const Node& node) {
    heap_[place] = node;
    places_[node.slot] = place + 1;
  }

  int64_t PlaceOf(int64_t slot) const {
    assert(places_[slot] != kAbsent);
    return places_[slot] - 1;
  }

  void Restore(int64_t place) { SiftDown(SiftUp(place)); }

  // Returns where the node came to rest.
  int64_t SiftUp(int64_t place) {
    while (place > 0 && Precedes(place, Parent(place))) {
      Swap(place, Parent(place));
      place = Parent(place);
    }
    return place;
  }

  void SiftDown(int64_t place) {
    for (;;) {
      int64_t child = 2 * place + 1;
      if (child + 1 < size() && Precedes(child + 1, child)) ++child;
      if (child >= size() || !Precedes(child, place)) return;
      Swap(place, child);
      place = child;
    }
  }

  const double sign_;
  uint64_t num_writes_ = 0;
  SlotArray<Node> heap_;
  SlotArray<int64_t> places_;  // by slot, one more than its place; kAbsent outside
  int64_t size_ = 0;
  int64_t end_ = 0;  // greater than every slot that there was
};

}  // namespace

std::unique_ptr<Selector> MakeMinHeapSelector() {
  return std::make_unique<HeapSelector>(false);
}

std::unique_ptr<Selector> MakeMaxHeapSelector() {
  return std::make_unique<HeapSelector>(true);
}

}  // namespace tfa
