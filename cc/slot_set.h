#ifndef TFAGENTS_CORE_CC_SLOT_SET_H_
#define TFAGENTS_CORE_CC_SLOT_SET_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cc/cpu.h"
#include "cc/status.h"

namespace tfa {

// A set of small non-negative numbers whose members can be drawn by rank.
// Insert, Remove, Contains and At are O(1); memory is O(largest member).
// Not thread-safe.
class SlotSet {
 public:
  int64_t size() const { return static_cast<int64_t>(members_.size()); }

  bool Contains(int64_t slot) const {
    return slot >= 0 && slot < static_cast<int64_t>(ranks_.size()) &&
           ranks_[Index(slot)] != kAbsent;
  }

  // All members by rank; inserting them in this order makes the same set.
  const std::vector<int64_t>& members() const { return members_; }

  // The member of a rank; ranks change on Remove. REQUIRES: 0 <= rank < size().
  int64_t At(int64_t rank) const { return members_[Index(rank)]; }

  // Asks for what At reads of a rank.
  TFA_PREFETCHES void Prefetch(int64_t rank) const {
    __builtin_prefetch(&members_[Index(rank)]);
  }

  // REQUIRES: Contains(slot).
  int64_t RankOf(int64_t slot) const { return ranks_[Index(slot)]; }

  // Exchanges the members of two ranks. REQUIRES: both in [0, size()).
  void Swap(int64_t rank, int64_t other) {
    const int64_t slot = At(rank);
    members_[Index(rank)] = At(other);
    members_[Index(other)] = slot;
    ranks_[Index(At(rank))] = rank;
    ranks_[Index(slot)] = other;
  }

  // REQUIRES: slot >= 0 and !Contains(slot).
  void Insert(int64_t slot) {
    assert(slot >= 0 && !Contains(slot));
    if (slot >= static_cast<int64_t>(ranks_.size())) {
      ranks_.resize(Index(slot) + 1, kAbsent);
    }
    ranks_[Index(slot)] = size();
    members_.push_back(slot);
  }

  // The last member takes the rank of the removed one. REQUIRES:
  // Contains(slot).
  void Remove(int64_t slot) {
    assert(Contains(slot));
    const int64_t rank = ranks_[Index(slot)];
    const int64_t last = members_.back();
    members_[Index(rank)] = last;
    ranks_[Index(last)] = rank;
    ranks_[Index(slot)] = kAbsent;
    members_.pop_back();
  }

  void Clear() {
    for (const int64_t slot : members_) ranks_[Index(slot)] = kAbsent;
    members_.clear();
  }

  Status CheckValid() const {
    int64_t present = 0;
    for (const int64_t rank : ranks_) present += rank != kAbsent;
    if (present != size()) {
      return FailedPreconditionError("slot set: ranks and members differ");
    }
    for (int64_t rank = 0; rank < size(); ++rank) {
      if (!Contains(At(rank)) || ranks_[Index(At(rank))] != rank) {
        return FailedPreconditionError("slot set: a member has a wrong rank");
      }
    }
    return OkStatus();
  }

 private:
  static constexpr int64_t kAbsent = -1;

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  std::vector<int64_t> members_;
  std::vector<int64_t> ranks_;  // of each slot, kAbsent outside the set
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SLOT_SET_H_
