// Runs of rows: consecutive ones of one stream, appended at once.
#include <algorithm>
#include <string>

#include "cc/replay.h"

namespace tfa {

Status Replay::AppendSteps(const RowFlags* rows, int64_t n, const void* const* columns,
                           const double* const* priorities, Deadline deadline,
                           NewKeys* keys) {
  if (n > INT32_MAX) {
    return InvalidArgumentError("a run of " + std::to_string(n) +
                                " rows is too long; it must have fewer than 2^31");
  }
  AppendCall call = {n > 0, rows, n, columns, priorities, keys};
  return AppendRows(&call, deadline);
}

// Finds the items that a run would make, by table.
Status Replay::PlanRun(const RowFlags* rows, int64_t n) {
  TFA_RETURN_IF_ERROR(CheckNumRows(n));
  TFA_RETURN_IF_ERROR(CheckStream(rows->stream));
  TFA_RETURN_IF_ERROR(run_.Plan(*store_, rows, n));
  for (size_t t = 0; t < tables_.size(); ++t) {
    const TableOptions& options = tables_[t]->options();
    const Status status = run_.FindItems(*store_, options.pattern, &run_items_[t]);
    if (!status.ok()) {
      return InvalidArgumentError("table '" + options.name + "', stream " +
                                  std::to_string(rows->stream) + ": " +
                                  status.message());
    }
    num_items_[t] = static_cast<int64_t>(run_items_[t].size());
  }
  return AdmitItems();
}

// What is appended at once must be in memory at once.
Status Replay::CheckRunFits(int64_t num_rows, int64_t num_segments) const {
  if (options_.max_bytes == 0 || num_segments <= 1) return OkStatus();
  const int64_t most = store_->MostAvailable();
  if (num_segments <= most) return OkStatus();
  return InvalidArgumentError(
      "a run of " + std::to_string(num_rows) + " rows needs " +
      std::to_string(num_segments) + " blocks of " +
      std::to_string(store_->segment_bytes()) +
      " bytes at once, but beside what streams hold, max_bytes = " +
      std::to_string(options_.max_bytes) + " has room for " + std::to_string(most) +
      "; append shorter runs, or raise max_bytes");
}

// Makes the planned items of the n rows that were appended.
void Replay::MakeRunItems(size_t table, int64_t n, const double* priorities,
                          std::vector<int64_t>* keys) {
  const std::vector<RunItem>& items = run_items_[table];
  const auto num_items = static_cast<int64_t>(items.size());
  for (int64_t begin = 0; begin < num_items; begin += kRunItems) {
    const RunItem* const some = items.data() + begin;
    const int64_t count = std::min(kRunItems, num_items - begin);
    windows_.resize(static_cast<size_t>(count));
    store_->FindRunWindows(run_.stream(), n, some, count, windows_.data());
    if (priorities != nullptr) {
      priorities_.resize(windows_.size());
      std::transform(
          some, some + count, priorities_.begin(),
          [priorities](const RunItem& item) { return priorities[item.row]; });
    }
    tables_[table]->InsertAll(windows_.data(),
                              priorities == nullptr ? nullptr : priorities_.data(),
                              count, keys);
  }
}

// A long run, which may be a whole data set, leaves no scratch memory behind.
void Replay::FinishRun(int64_t n) {
  constexpr int64_t kLong = int64_t{1} << 16;
  store_->FinishRun(run_.stream());
  if (n <= kLong) return;
  run_ = PlannedRun();
  for (std::vector<RunItem>& items : run_items_) std::vector<RunItem>().swap(items);
}

}  // namespace tfa
