#include "cc/run.h"

#include <algorithm>
#include <string>

namespace tfa {

Status PlannedRun::Plan(const StepStore& store, const RowFlags* rows, int64_t n) {
  rows_ = rows;
  steps_.resize(static_cast<size_t>(n));
  bool open = store.EpisodeOpen(rows->stream);
  int64_t step = store.NextStep(rows->stream);
  for (int64_t i = 0; i < n; ++i) {
    if (rows[i].first) {
      step = 0;
    } else if (!open) {
      return InvalidArgumentError(
          "row " + std::to_string(i) + " of the run finds no open episode in stream " +
          std::to_string(rows->stream) +
          "; the row that begins one must be appended with first=True");
    }
    steps_[static_cast<size_t>(i)] = static_cast<uint32_t>(step++);
    open = !rows[i].last;
  }
  return OkStatus();
}

Status PlannedRun::FindItems(const StepStore& store, const Pattern& pattern,
                             std::vector<RunItem>* items) const {
  items->clear();
  const auto n = static_cast<int32_t>(steps_.size());
  for (int32_t i = 0; i < n && pattern.kind == Pattern::Kind::kEpisode; ++i) {
    TFA_RETURN_IF_ERROR(pattern.CheckStep(steps_[static_cast<size_t>(i)]));
  }
  if (pattern.kind == Pattern::Kind::kExplicit) return OkStatus();
  if (pattern.kind == Pattern::Kind::kUnroll) {
    FindUnrolls(store, pattern, items);
    return OkStatus();
  }
  items->reserve(steps_.size());
  std::vector<PatternItem> of_row;
  for (int32_t i = 0; i < n; ++i) {
    const int64_t step = steps_[static_cast<size_t>(i)];
    if (pattern.kind == Pattern::Kind::kNStep && !rows_[i].last) {
      // By far the most frequent case, and the shortest to say.
      if (pattern.Count(step, false) == 0) continue;
      RunItem& item = items->emplace_back();
      item.row = i;
      item.length = static_cast<int32_t>(std::min(pattern.length, step) + 1);
      continue;
    }
    of_row.clear();
    pattern.Items(step, rows_[i].last, &of_row);
    for (const PatternItem& item : of_row) {
      items->push_back({i, static_cast<int32_t>(item.length)});
    }
  }
  return OkStatus();
}

void PlannedRun::FindUnrolls(const StepStore& store, const Pattern& pattern,
                             std::vector<RunItem>* items) const {
  int64_t num_steps = store.NumSteps(stream());
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (rows_[i].first || !pattern.EndsUnroll(++num_steps)) continue;
    const int64_t before = store.RowsOfSteps(stream(), pattern.length - 1,
                                             steps_.data(), static_cast<int64_t>(i));
    // One of more rows than the pattern keeps is left out.
    if (before == 0 || before >= pattern.max_rows()) continue;
    items->push_back({static_cast<int32_t>(i), static_cast<int32_t>(before + 1)});
  }
}

}  // namespace tfa
