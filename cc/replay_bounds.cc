// What ties a replay's tables together: shared memory and copied items.
#include <algorithm>
#include <cmath>

#include "cc/replay.h"

namespace tfa {
namespace {

int64_t BytesOfItems(const StepStore& store, const Pattern& pattern,
                     int64_t num_items) {
  const StepStore::Options& options = store.options();
  const int64_t rows_per_segment = store.segment_rows();
  const int64_t held = options.history_rows + options.stack_rows;
  const int64_t rows =
      (num_items - 1) * pattern.stride() + pattern.max_rows() + options.stack_rows;
  const int64_t full = (rows + rows_per_segment - 1) / rows_per_segment;
  // At worst a stream's oldest and newest segments are held for one row each.
  const int64_t edges =
      options.num_streams * (2 + (held + rows_per_segment - 1) / rows_per_segment);
  return (full + edges) * store.segment_bytes();
}

// Tables that copies of unrolls reach, also by way of others, must all show them.
Status CheckCopies(const std::vector<std::unique_ptr<Table>>& tables) {
  for (const std::unique_ptr<Table>& source : tables) {
    const Pattern& pattern = source->options().pattern;
    if (pattern.kind != Pattern::Kind::kUnroll) continue;
    const Table* at = source->insert_on_sample();
    // Tables may copy into each other in a circle.
    for (size_t i = 0; at != nullptr && i < tables.size(); ++i) {
      const Status shows = at->options().ValidateForUnrolls(pattern.length);
      if (!shows.ok()) {
        return InvalidArgumentError("table '" + at->options().name +
                                    "', which gets copies of unrolls from '" +
                                    source->options().name + "': " + shows.message());
      }
      at = at->insert_on_sample();
    }
  }
  return OkStatus();
}

}  // namespace

// Looks up which table each table copies its items into.
Status Replay::ConnectTables(const std::vector<std::unique_ptr<Table>>& tables) {
  for (const std::unique_ptr<Table>& table : tables) {
    const std::string& name = table->options().insert_on_sample;
    if (name.empty()) continue;
    const auto other = std::find_if(
        tables.begin(), tables.end(), [&](const std::unique_ptr<Table>& candidate) {
          return candidate != table && candidate->options().name == name;
        });
    const std::string where = "table '" + table->options().name +
                              "': insert_on_sample names the table '" + name + "', ";
    if (other == tables.end()) {
      return InvalidArgumentError(where + "but there is no other table of that name");
    }
    if (std::isfinite((*other)->options().rate_limiter.max_diff)) {
      return InvalidArgumentError(
          where + "whose rate limiter may stop inserts; a sample cannot wait for it, " +
          "so give that table a limiter like MinSize");
    }
    const Pattern& into = (*other)->options().pattern;
    const Pattern& from = table->options().pattern;
    if (into.kind == Pattern::Kind::kUnroll &&
        (from.kind != into.kind || from.length != into.length)) {
      return InvalidArgumentError(where + "which takes only unrolls of " +
                                  std::to_string(into.length) + " steps");
    }
    table->InsertOnSample(other->get());
  }
  return CheckCopies(tables);
}

int64_t Replay::ProjectedBytes(int64_t table) const {
  const Lock lock(mutex_);
  const TableOptions& options = table_options(table);
  return BytesOfItems(*store_, options.pattern, options.max_size);
}

// With max_bytes, each table must come to be sampled, and items must leave in an
// order that empties whole segments.
Status Replay::CheckBudget(const StepStore& store) const {
  const int64_t max_bytes = options_.max_bytes;
  if (max_bytes == 0) return OkStatus();
  for (const TableOptions& options : options_.tables) {
    const int64_t min_size = options.rate_limiter.min_size;
    const int64_t needed = BytesOfItems(store, options.pattern, min_size);
    if (max_bytes < needed) {
      return InvalidArgumentError(
          "max_bytes is " + std::to_string(max_bytes) + ", but table '" + options.name +
          "' needs " + std::to_string(needed) + ": " +
          std::to_string(options_.num_streams) + " streams and min_size " +
          std::to_string(min_size) + " items in blocks of " +
          std::to_string(store.segment_rows()) + " rows, " +
          std::to_string(store.segment_bytes()) +
          " bytes each; raise max_bytes, or lower segment_rows");
    }
    if (options.remover.kind == SelectorOptions::Kind::kFifo) continue;
    return InvalidArgumentError(
        "table '" + options.name +
        "': with max_bytes the remover must be Fifo; others "
        "would empty the table before a block of steps is free");
  }
  return OkStatus();
}

// Removes items, those with the oldest steps first, until so many segments can be
// started; false when that must wait for gathers or saves in progress.
bool Replay::MakeRoom(int64_t num_segments) {
  if (store_->options().max_bytes == 0) return true;
  while (num_segments > store_->NumAvailableLater()) {
    Table* oldest = nullptr;
    for (const std::unique_ptr<Table>& table : tables_) {
      if (table->size() == 0) continue;
      const bool older =
          oldest == nullptr || table->RemovableSince() < oldest->RemovableSince();
      if (older) oldest = table.get();
    }
    if (oldest == nullptr) return true;  // the store says that there is no memory
    oldest->RemoveOne();
  }
  return num_segments <= store_->NumAvailable();
}

}  // namespace tfa
