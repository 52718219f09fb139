#ifndef TFAGENTS_CORE_CC_SLOT_SET_H_
#define TFAGENTS_CORE_CC_SLOT_SET_H_

#include <algorithm>
#include <cassert>
#include <cstdint>

#include "cc/cpu.h"
#include "cc/slot_array.h"
#include "cc/status.h"

namespace tfa {

// A set of small non-negative numbers whose members can be drawn by rank.
// Insert, Remove, Contains and At are O(1); memory is O(largest member).
// Not thread-safe.
class SlotSet {
 public:
  // Makes room for the slots below `num_slots`. std::bad_alloc when there is no memory,
  // having changed nothing.
  void Reserve(int64_t num_slots) {
    members_.Reserve(num_slots);
    ranks_.Reserve(num_slots);
  }

  int64_t size() const { return size_; }

  bool Contains(int64_t slot) const {
    return slot >= 0 && slot < end_ && ranks_[slot] != kAbsent;
  }

  // All size() members by rank; inserting them in this order makes the same set.
  const int64_t* members() const { return members_.data(); }

  // What is greater than every member that there was.
  int64_t end() const { return end_; }

  // The member of a rank; ranks change on Remove. REQUIRES: 0 <= rank < size().
  int64_t At(int64_t rank) const { return members_[rank]; }

  // Asks for what At reads of a rank.
  TFA_PREFETCHES void Prefetch(int64_t rank) const {
    __builtin_prefetch(&members_[rank]);
  }

  // REQUIRES: Contains(slot).
  int64_t RankOf(int64_t slot) const { return ranks_[slot] - 1; }

  // Exchanges the members of two ranks. REQUIRES: both in [0, size()).
  void Swap(int64_t rank, int64_t other) {
    const int64_t slot = At(rank);
    Put(rank, At(other));
    Put(other, slot);
  }

  // REQUIRES: 0 <= slot < what was reserved, and !Contains(slot).
  void Insert(int64_t slot) {
    assert(slot >= 0 && !Contains(slot));
    end_ = std::max(end_, slot + 1);
    Put(size_++, slot);
  }

  // The last member takes the rank of the removed one. REQUIRES:
  // Contains(slot).
  void Remove(int64_t slot) {
    assert(Contains(slot));
    Put(RankOf(slot), At(--size_));
    ranks_[slot] = kAbsent;
  }

  void Clear() {
    members_.Clear();
    ranks_.Clear();
    size_ = 0;
    end_ = 0;
  }

  Status CheckValid() const {
    int64_t present = 0;
    for (int64_t slot = 0; slot < end_; ++slot) present += ranks_[slot] != kAbsent;
    if (present != size()) {
      return FailedPreconditionError("slot set: ranks and members differ");
    }
    for (int64_t rank = 0; rank < size(); ++rank) {
      if (!Contains(At(rank)) || RankOf(At(rank)) != rank) {
        return FailedPreconditionError("slot set: a member has a wrong rank");
      }
    }
    return OkStatus();
  }

 private:
  static constexpr int64_t kAbsent = 0;

  void Put(int64_t rank, int64_t slot) {
    members_[rank] = slot;
    ranks_[slot] = rank + 1;
  }

  SlotArray<int64_t> members_;  // by rank
  SlotArray<int64_t> ranks_;    // by slot, one more than the rank; kAbsent outside
  int64_t size_ = 0;
  int64_t end_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SLOT_SET_H_
