#include "cc/pattern.h"

#include <algorithm>
#include <string>

namespace tfa {

Status Pattern::Validate() const {
  if (length < 1 || length > (int64_t{1} << 30)) {
    return InvalidArgumentError(
        std::string(kind == Kind::kNStep ? "NStep's n" : "a pattern's length") +
        " is " + std::to_string(length) + "; it must be in [1, 2^30]");
  }
  // A window's length has 31 bits, and an unroll has up to two rows a step.
  if (kind == Kind::kUnroll && length > (int64_t{1} << 29)) {
    return InvalidArgumentError("an unroll of " + std::to_string(length) +
                                " steps is too long; it may have up to 2^29");
  }
  const bool has_period = kind == Kind::kSequence || kind == Kind::kUnroll;
  if (has_period && (period < 1 || period > (int64_t{1} << 30))) {
    return InvalidArgumentError("a sequence's period is " + std::to_string(period) +
                                "; it must be in [1, 2^30]");
  }
  return OkStatus();
}

int64_t Pattern::max_rows() const {
  switch (kind) {
    case Kind::kNStep:
      return length + 1;
    case Kind::kUnroll:
      return 2 * length;
    default:
      return length;
  }
}

int64_t Pattern::max_items() const { return kind == Kind::kNStep ? length : 1; }

int64_t Pattern::MostItemsOfRun(int64_t num_rows) const {
  if (kind == Kind::kExplicit) return 1;
  if (kind == Kind::kUnroll) return (num_rows + period - 1) / period;
  if (kind != Kind::kNStep) return num_rows;
  // Every row makes an item, and the end of the episode that was open n - 1 more. Of
  // those that begin in the run, one of m rows makes min(m - 3, n - 2) items more than
  // it has rows: so there are as many of n + 1 rows as fit behind the first row, and
  // one of what is left. Without short starts it makes one for each step, so fewer.
  const int64_t ended = num_rows + length - 1;
  if (length <= 2 || !short_starts) return ended;
  const int64_t left = (num_rows - 1) % (length + 1);
  return ended + (num_rows - 1) / (length + 1) * (length - 2) +
         std::max<int64_t>(left - 3, 0);
}

int64_t Pattern::MostItems(int64_t num_rows, int64_t num_streams) const {
  if (kind == Kind::kExplicit) return 1;
  return std::max(std::min(num_rows, num_streams) * max_items(),
                  MostItemsOfRun(num_rows));
}

int64_t Pattern::stride() const {
  switch (kind) {
    case Kind::kSequence:
    case Kind::kUnroll:
      return period;
    case Kind::kEpisode:
      return length;
    default:
      return 1;
  }
}

// Rows of the sequence that ends at `step`; 0 when none does.
int64_t Pattern::SequenceLength(int64_t step, bool last) const {
  const int64_t past_first = step + 1 - length;  // start of a full window
  if (past_first >= 0 && past_first % period == 0) return length;
  if (!last || !pad) return 0;
  const int64_t start = past_first < 0 ? 0 : (past_first / period + 1) * period;
  return std::max<int64_t>(step + 1 - start, 0);
}

int64_t Pattern::Count(int64_t step, bool last) const {
  switch (kind) {
    case Kind::kNStep:
      if (last) return std::min(length, step);
      return step >= (short_starts ? 1 : length) ? 1 : 0;
    case Kind::kSequence:
      return SequenceLength(step, last) > 0 ? 1 : 0;
    case Kind::kEpisode:
      return last ? 1 : 0;
    default:
      return 0;
  }
}

void Pattern::Items(int64_t step, bool last, std::vector<PatternItem>* items) const {
  const int64_t n = Count(step, last);
  if (n == 0) return;
  if (kind == Kind::kSequence) {
    items->push_back({SequenceLength(step, last)});
  } else if (kind == Kind::kEpisode) {
    items->push_back({step + 1});
  } else {
    const int64_t longest = std::min(length, step) + 1;
    for (int64_t i = 0; i < n; ++i) items->push_back({longest - i});
  }
}

Status Pattern::CheckStep(int64_t step) const {
  if (kind != Kind::kEpisode || step < length) return OkStatus();
  return InvalidArgumentError(
      "the episode has more than max_length = " + std::to_string(length) +
      " rows (this would be row " + std::to_string(step + 1) +
      "); raise Episode(max_length=...)");
}

}  // namespace tfa
