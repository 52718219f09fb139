#include <algorithm>
#include <cassert>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include "cc/selector.h"

namespace tfa {
namespace {

// A binary heap of slots that knows where each slot is.
class HeapSelector : public Selector {
 public:
  explicit HeapSelector(bool highest_first) : sign_(highest_first ? -1.0 : 1.0) {}

  void Insert(int64_t slot, double priority) override {
    assert(slot >= 0);
    if (Index(slot) >= places_.size()) places_.resize(Index(slot) + 1, kAbsent);
    assert(places_[Index(slot)] == kAbsent);
    heap_.push_back({sign_ * priority, num_writes_++, slot});
    places_[Index(slot)] = size() - 1;
    SiftUp(size() - 1);
  }

  void Remove(int64_t slot) override {
    const int64_t place = places_[Index(slot)];
    assert(place != kAbsent);
    Swap(place, size() - 1);
    heap_.pop_back();
    places_[Index(slot)] = kAbsent;
    if (place < size()) Restore(place);
  }

  void Update(const int64_t* slots, const double* priorities, int64_t n) override {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t place = places_[Index(slots[i])];
      assert(place != kAbsent);
      heap_[Index(place)].rank = sign_ * priorities[i];
      heap_[Index(place)].written_at = num_writes_++;
      Restore(place);
    }
  }

  void Sample(int64_t n, Random*, int64_t* slots, double* probabilities) override {
    assert(!heap_.empty());
    std::fill_n(slots, n, heap_.front().slot);
    std::fill_n(probabilities, n, 1.0);
  }

  void Probabilities(const int64_t* slots, int64_t n,
                     double* probabilities) const override {
    const int64_t chosen = heap_.front().slot;
    std::transform(slots, slots + n, probabilities,
                   [chosen](int64_t slot) { return slot == chosen ? 1.0 : 0.0; });
  }

  double LeastProbability() override { return 1.0; }

  int64_t size() const override { return static_cast<int64_t>(heap_.size()); }

  void Clear() override {
    heap_.clear();
    std::fill(places_.begin(), places_.end(), kAbsent);
  }

  // The slots, those written longest ago first: all that ties need.
  void Save(Writer* out) const override {
    std::vector<Node> nodes = heap_;
    std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) {
      return a.written_at < b.written_at;
    });
    out->PutArrayOf<int64_t>(size(),
                             [&nodes](int64_t i) { return nodes[Index(i)].slot; });
  }

  bool Load(Reader* in, const std::vector<double>& priorities,
            const std::vector<bool>& live) override {
    std::vector<int64_t> slots;
    if (!GetLiveSlots(in, live, &slots)) return false;
    for (const int64_t slot : slots) Insert(slot, priorities[Index(slot)]);
    return true;
  }

  Status CheckValid() const override {
    int64_t present = 0;
    for (const int64_t place : places_) present += place != kAbsent;
    if (present != size()) {
      return FailedPreconditionError("heap: places and nodes differ");
    }
    for (int64_t place = 0; place < size(); ++place) {
      const Node& node = heap_[Index(place)];
      if (places_[Index(node.slot)] != place) {
        return FailedPreconditionError("heap: a slot has a wrong place");
      }
      if (place > 0 && node < heap_[Index(Parent(place))]) {
        return FailedPreconditionError("heap: a node precedes its parent");
      }
    }
    return OkStatus();
  }

 private:
  static constexpr int64_t kAbsent = -1;

  struct Node {
    double rank = 0.0;  // the priority, its sign turned where the highest goes first
    uint64_t written_at = 0;
    int64_t slot = 0;

    bool operator<(const Node& other) const {
      return std::tie(rank, written_at) < std::tie(other.rank, other.written_at);
    }
  };

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }
  static int64_t Parent(int64_t place) { return (place - 1) / 2; }

  bool Precedes(int64_t place, int64_t other) const {
    return heap_[Index(place)] < heap_[Index(other)];
  }

  void Swap(int64_t place, int64_t other) {
    std::swap(heap_[Index(place)], heap_[Index(other)]);
    places_[Index(heap_[Index(place)].slot)] = place;
    places_[Index(heap_[Index(other)].slot)] = other;
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
  std::vector<Node> heap_;
  std::vector<int64_t> places_;  // of each slot, kAbsent outside the heap
};

}  // namespace

std::unique_ptr<Selector> MakeMinHeapSelector() {
  return std::make_unique<HeapSelector>(false);
}

std::unique_ptr<Selector> MakeMaxHeapSelector() {
  return std::make_unique<HeapSelector>(true);
}

}  // namespace tfa
