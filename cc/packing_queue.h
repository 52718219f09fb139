// Segments on their way from raw rows to packed ones.
#ifndef TFAGENTS_CORE_CC_PACKING_QUEUE_H_
#define TFAGENTS_CORE_CC_PACKING_QUEUE_H_

#include <cstdint>
#include <vector>

#include "cc/packed_segment.h"

namespace tfa {

// A segment waits here to be packed and is packed by whoever called `Start`; its packed
// rows are kept here until nobody reads the raw ones any more.
//
// The queue says nothing when a segment is freed: one that waits is recognised by when
// it was started, as its number may be another's by then.
//
// All lists are short, as appends wait for the rest; calls are O(their length). Only
// Reserve allocates. Not thread-safe.
class PackingQueue {
 public:
  // Sees to it that `n` more segments can come and go without memory being allocated.
  // std::bad_alloc.
  void Reserve(int64_t n);

  // Segments that wait to be packed, or are being packed.
  int64_t num_unpacked() const {
    return static_cast<int64_t>(waiting_.size()) + num_started_;
  }
  // Whether there are packed rows, of any segment.
  bool has_packed() const { return !packed_.empty(); }

  void Add(int32_t segment, int64_t started_at) {
    waiting_.push_back({segment, started_at});
  }
  // Takes out the first for which `is_alive(segment, started_at)`, and forgets those
  // before it; -1 when there is none.
  template <class Predicate>
  int32_t Start(Predicate is_alive) {
    while (!waiting_.empty()) {
      const Waiting next = waiting_.front();
      waiting_.erase(waiting_.begin());
      if (!is_alive(next.segment, next.started_at)) continue;
      ++num_started_;
      return next.segment;
    }
    return -1;
  }
  // Keeps what a started segment was packed to; nothing if `rows` are empty.
  void Finish(int32_t segment, PackedSegment rows);
  // Hands over the packed rows of a segment; empty if there are none.
  PackedSegment Take(int32_t segment);

 private:
  struct Waiting {
    int32_t segment;
    int64_t started_at;
  };
  struct Packed {
    int32_t segment;
    PackedSegment rows;
  };

  std::vector<Waiting> waiting_;  // in order
  int64_t num_started_ = 0;       // and not finished
  std::vector<Packed> packed_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_PACKING_QUEUE_H_
