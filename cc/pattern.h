// Patterns: which items arise when a row arrives.
#ifndef TFAGENTS_CORE_CC_PATTERN_H_
#define TFAGENTS_CORE_CC_PATTERN_H_

#include <cstdint>
#include <vector>

#include "cc/status.h"

namespace tfa {

// An item to make: the `length` rows that end with the newest row.
struct PatternItem {
  int64_t length = 0;
};

// A rule that makes items out of the rows of an episode as they arrive.
//
// kNStep: rows [e-n, e] for every row e >= n; when row e ends the episode, also [s, e]
//   for every later s < e, so that every step is the first of exactly one item. With
//   `short_starts` also rows [0, e] for every row 1 <= e < n.
// kSequence: rows [s, s+length) for every s that is a multiple of period; what
//   remains at the episode's end makes one shorter item if `pad`, none otherwise.
// kEpisode: the whole episode, once it has ended; longer than `length` is an error.
// kExplicit: none; items are made by hand.
// kUnroll: `length` consecutive steps from every multiple of `period` steps on, counted
//   since the stream began and over the ends of its episodes. A step is a row that
//   does not begin an episode, with the row before it.
//
// All items end with the newest row. Every call is O(items made). A value type.
struct Pattern {
  enum class Kind { kNStep, kSequence, kEpisode, kExplicit, kUnroll };

  Kind kind = Kind::kExplicit;
  int64_t length = 1;        // kNStep: n; kSequence, kEpisode: rows; kUnroll: steps
  int64_t period = 1;        // kSequence: rows between starts; kUnroll: steps
  bool pad = true;           // kSequence
  bool short_starts = true;  // kNStep

  Status Validate() const;

  // Most rows that an item may have. An unroll has two a step where every episode is
  // one step long; with episodes of no step it would have more, and is not made.
  int64_t max_rows() const;
  // Most items that one row may make.
  int64_t max_items() const;
  // Most items that `num_rows` consecutive rows of one stream may make; kExplicit: 1.
  int64_t MostItemsOfRun(int64_t num_rows) const;
  // Most items that are made at once, with `num_rows` rows in an append: one for each
  // of as many of the `num_streams` streams, or all of one; kExplicit: 1.
  int64_t MostItems(int64_t num_rows, int64_t num_streams) const;
  // Rows between the starts of a long episode's consecutive items.
  int64_t stride() const;

  // Items that row `step` of an episode makes; `last`: it ends the episode. None for
  // kUnroll.
  int64_t Count(int64_t step, bool last) const;
  // Appends those items, earliest start first.
  void Items(int64_t step, bool last, std::vector<PatternItem>* items) const;
  // kUnroll: whether step number `num_steps` of a stream, from 1, is an item's last.
  bool EndsUnroll(int64_t num_steps) const {
    return num_steps >= length && (num_steps - length) % period == 0;
  }
  // kInvalidArgument when row `step` cannot belong to an episode.
  Status CheckStep(int64_t step) const;

 private:
  int64_t SequenceLength(int64_t step, bool last) const;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_PATTERN_H_
