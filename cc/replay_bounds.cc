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

// Whether the first draw of an item may insert a copy without waiting.
Status Replay::CheckTakesCopies(const Table& source, const TableOptions& into) {
  if (!std::isfinite(into.rate_limiter.max_diff)) return OkStatus();
  return InvalidArgumentError(
      "table '" + source.options().name + "': insert_on_sample names the table '" +
      into.name +
      "', whose rate limiter may stop inserts; a sample cannot wait for it, so give "
      "that table a limiter like MinSize");
}

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
    TFA_RETURN_IF_ERROR(CheckTakesCopies(*table, (*other)->options()));
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
Status Replay::CheckBudget(const StepStore& store,
                           const std::vector<TableOptions>& tables) const {
  const int64_t max_bytes = options_.max_bytes;
  if (max_bytes == 0) return OkStatus();
  for (const TableOptions& options : tables) {
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

// A queue drops nothing for want of memory, so a batch of its items must fit.
Status Replay::CheckBatchFits(int64_t table, int64_t batch_size) const {
  const Table& queue = At(table);
  const int64_t max_bytes = options_.max_bytes;
  if (max_bytes == 0 || !queue.is_queue()) return OkStatus();
  const Pattern& pattern = queue.options().pattern;
  const int64_t least = std::min(batch_size, queue.options().max_size);
  const int64_t needed = BytesOfItems(*store_, pattern, least);
  if (needed <= max_bytes) return OkStatus();
  return InvalidArgumentError("table '" + queue.options().name + "': " +
                              std::to_string(least) + " items of a batch of " +
                              std::to_string(batch_size) + " need " +
                              std::to_string(needed) + " bytes, but max_bytes is " +
                              std::to_string(max_bytes) +
                              "; raise max_bytes, or sample fewer at once");
}

// The table whose removable item has the oldest steps, or -1 if all are empty.
int64_t Replay::OldestTable(bool but_queues) const {
  int64_t oldest = -1;
  for (int64_t t = 0; t < num_tables(); ++t) {
    if (At(t).size() == 0 || (but_queues && At(t).is_queue())) continue;
    const bool older =
        oldest < 0 || At(t).RemovableSince() < At(oldest).RemovableSince();
    if (older) oldest = t;
  }
  return oldest;
}

// The largest batch that is known to be wanted of a table.
int64_t Replay::BatchOf(int64_t table) const {
  const auto t = static_cast<size_t>(table);
  return std::max(uses_[t].batch_size, refused_[t]);
}

// Removes items, those with the oldest steps first, until so many segments can be
// started. Says what must be waited for, or nothing. A queue's items are waited for
// while a batch of them can be sampled; when none can, those of other tables go.
StatusOr<std::string> Replay::MakeRoom(int64_t num_segments) {
  if (store_->options().max_bytes == 0) return std::string();
  while (num_segments > store_->NumAvailableLater()) {
    int64_t oldest = OldestTable(false);
    if (oldest < 0) return std::string();  // the store says that there is no memory
    const Table& queue = At(oldest);
    if (queue.is_queue()) {
      const std::string items = std::to_string(queue.size()) + " items of table '" +
                                queue.options().name + "'";
      if (queue.CanSample(BatchOf(oldest))) {
        return "max_bytes has no room for more steps until some of the " + items +
               " are sampled";
      }
      const int64_t batch_size = BatchOf(oldest);
      oldest = OldestTable(true);
      if (oldest < 0) {
        return ResourceExhaustedError(
            "no room for more steps: max_bytes = " +
            std::to_string(options_.max_bytes) + " is full with " + items +
            ", which are too few for a batch of " + std::to_string(batch_size) +
            "; raise max_bytes, sample fewer at once, or append fewer rows at once");
      }
    }
    At(oldest).RemoveOne();
  }
  if (num_segments <= store_->NumAvailable()) return std::string();
  return std::string(
      "samples or checkpoints being copied hold steps that max_bytes needs");
}

}  // namespace tfa
