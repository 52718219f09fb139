// Checkpoints of a replay: what is in their files.
//
// The state: epoch of the keys, writers (chunk_writers.cc), the store
// (step_store_checkpoint.cc), then each table's name and block (table_checkpoint.cc).
// state.bin: magic, version, the state as changes to what is in the files
// state-<id>.bin (saved_state.cc), and where in the files rows-<id>.bin which rows are
// (saved_rows.cc). An <id> is a random number that no other file has: a name stands for
// the same content in every checkpoint that has it.
//
// To version 3, state.bin had the state itself, and the rows were in column-<c>.bin and
// episode_step.bin. All little-endian.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "cc/replay.h"
#include "cc/saved_rows.h"
#include "cc/saved_state.h"
#include "cc/serial.h"

namespace tfa {
namespace {

constexpr uint64_t kMagic = 0x59414c5045524154;  // "TAREPLAY"
// 1 had no counts of the streams' steps; 2 no epoch, no writers and no episode_rows; 3
// nothing that checkpoints share, and segments had numbers of one checkpoint only.
constexpr uint32_t kVersion = 4;
constexpr char kState[] = "state.bin";

std::string ColumnFile(int64_t column, int64_t num_columns) {
  if (column == num_columns) return "episode_step.bin";
  return "column-" + std::to_string(column) + ".bin";
}

Status ReadRaw(const SegmentRows& each, const StepStore::ColumnRows& rows,
               std::vector<uint8_t>* scratch, FileReader* file) {
  const int64_t bytes = each.rows * rows.row_bytes;
  if (rows.stride == rows.row_bytes) return file->Read(rows.first, bytes);
  scratch->resize(static_cast<size_t>(bytes));
  TFA_RETURN_IF_ERROR(file->Read(scratch->data(), bytes));
  CopyRows(scratch->data(), rows.row_bytes, each.rows, rows.row_bytes, rows.first,
           rows.stride);
  return OkStatus();
}

// Writes all files; `*saved` are those that the next checkpoint may link.
StatusOr<std::vector<FileSum>> WriteFiles(const std::string& directory,
                                          const std::string& base,
                                          const SavedFiles& before, const Writer& state,
                                          const std::vector<SegmentRows>& segments,
                                          StepStore* store, SavedFiles* saved) {
  Writer out;
  out.Put(kMagic);
  out.Put(kVersion);
  StatusOr<std::vector<StateFile>> states =
      SaveState(directory, base, before.state, state, &out);
  if (!states.ok()) return states.status();
  StatusOr<std::vector<RowFile>> rows =
      SaveRows(directory, base, before.rows, segments, store);
  if (!rows.ok()) return rows.status();
  PutRowFiles(*rows, &out);
  FileWriter file(directory, kState);
  TFA_RETURN_IF_ERROR(file.Open());
  TFA_RETURN_IF_ERROR(file.Append(out.data(), out.size()));
  StatusOr<FileSum> sum = file.Finish();
  if (!sum.ok()) return sum.status();
  std::vector<FileSum> sums = {*sum};
  for (const StateFile& each : *states) sums.push_back(each.file);
  for (const RowFile& each : *rows) sums.push_back(each.file);
  *saved = {*std::move(states), *std::move(rows)};
  return sums;
}

Status ReadState(const std::string& directory, const std::vector<FileSum>& files,
                 std::vector<uint8_t>* state) {
  const StatusOr<FileSum> sum = FindFile(files, kState);
  if (!sum.ok()) return sum.status();
  FileReader file(directory, *sum);
  TFA_RETURN_IF_ERROR(file.Open());
  state->resize(static_cast<size_t>(sum->bytes));
  TFA_RETURN_IF_ERROR(file.Read(state->data(), sum->bytes));
  return file.Finish();
}

// The rows to version 3: of each segment in turn those of column c in column-<c>.bin.
// Reads segment by segment, so that what packs needs the memory of one.
Status ReadColumns(const std::string& directory, const std::vector<FileSum>& files,
                const std::vector<SegmentRows>& segments, StepStore* store) {
  const auto num_columns = static_cast<int64_t>(store->columns().size());
  std::vector<std::unique_ptr<FileReader>> columns;
  for (int64_t c = 0; c <= num_columns; ++c) {
    const StatusOr<FileSum> sum = FindFile(files, ColumnFile(c, num_columns));
    if (!sum.ok()) return sum.status();
    columns.push_back(std::make_unique<FileReader>(directory, *sum));
    TFA_RETURN_IF_ERROR(columns.back()->Open());
  }
  std::vector<uint8_t> scratch;
  PackingBuffer buffer;
  for (const SegmentRows& each : segments) {
    TFA_RETURN_IF_ERROR(store->StartFilling(each));
    for (int64_t c = 0; c <= num_columns; ++c) {
      TFA_RETURN_IF_ERROR(ReadRaw(each, store->RowsOf(each.segment, c), &scratch,
                                  columns[static_cast<size_t>(c)].get()));
    }
    TFA_RETURN_IF_ERROR(store->FinishFilling(each, &buffer));
  }
  for (const std::unique_ptr<FileReader>& column : columns) {
    TFA_RETURN_IF_ERROR(column->Finish());
  }
  return OkStatus();
}

std::string Names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "'" : ", '") + name + "'";
  }
  return text;
}

// The tables' blocks, in the order of `options`.
Status FindTables(const std::vector<TableOptions>& options, Reader* in,
                  std::vector<Reader>* blocks) {
  std::vector<std::string> saved;
  std::vector<std::string> named;
  std::vector<Reader> found;
  for (auto n = in->Get<int64_t>(); n > 0 && in->ok(); --n) {
    saved.push_back(in->GetString());
    found.push_back(in->GetBlock());
  }
  if (!in->done()) return DataLossError("the checkpoint's tables are cut short");
  for (const TableOptions& each : options) {
    named.push_back(each.name);
    const auto at = std::find(saved.begin(), saved.end(), each.name) - saved.begin();
    if (static_cast<size_t>(at) < saved.size()) {
      blocks->push_back(found[static_cast<size_t>(at)]);
    }
  }
  if (blocks->size() == named.size() && named.size() == saved.size()) return OkStatus();
  return InvalidArgumentError("the checkpoint's tables are " + Names(saved) +
                              "; this replay's are " + Names(named));
}

}  // namespace

// The latest of the keys' epochs.
int64_t Replay::Epoch() const {
  int64_t epoch = 0;
  for (const std::unique_ptr<Table>& table : tables_) {
    epoch = std::max(epoch, table->epoch());
  }
  return epoch;
}

StatusOr<std::vector<FileSum>> Replay::Save(
    const std::string& directory, const std::string& base,
    const std::function<void()>& when_copied) try {
  std::optional<Long> is_long(std::in_place, &num_long_);
  // Before the lock, so that it is not held while their memory is given back.
  Writer state;
  std::shared_ptr<StepStore> store;
  Lock lock(mutex_);
  int64_t bytes = store_->num_segments() * 24;
  for (const std::unique_ptr<Table>& table : tables_) bytes += table->SavedBytes();
  lock.unlock();
  state.Reserve(bytes);

  lock.lock();
  TFA_RETURN_IF_ERROR(CheckOpen());
  state.Put(Epoch());
  writers_.Save(&state);
  store = store_;
  const StoreSnapshot snapshot = store->Save(&state);
  // Lets go of the rows, however the rest ends.
  const auto unpin = [&](const StoreSnapshot* saved) {
    if (!lock.owns_lock()) lock.lock();
    store->Unpin(saved->segments);
    waiters_.Notify();
  };
  const std::unique_ptr<const StoreSnapshot, decltype(unpin)> pinned(&snapshot, unpin);
  state.Put(num_tables());
  for (const std::unique_ptr<Table>& table : tables_) {
    state.PutString(table->options().name);
    const int64_t block = state.BeginBlock();
    table->Save(&state);
    state.EndBlock(block);
  }
  const std::shared_ptr<const SavedFiles> before = saved_;
  lock.unlock();
  is_long.reset();
  if (when_copied) when_copied();

  auto saved = std::make_shared<SavedFiles>();
  StatusOr<std::vector<FileSum>> sums = WriteFiles(
      directory, base, *before, state, snapshot.segments, store.get(), saved.get());
  lock.lock();
  // What was restored meanwhile has other segments.
  if (sums.ok() && store_ == store) saved_ = std::move(saved);
  return sums;
} catch (const std::bad_alloc&) {
  return ResourceExhaustedError("no memory to write a checkpoint");
}

std::vector<std::string> Replay::SavedNames() {
  const Lock lock(mutex_);
  std::vector<std::string> names;
  for (const StateFile& each : saved_->state) names.push_back(each.file.name);
  for (const RowFile& each : saved_->rows) names.push_back(each.file.name);
  return names;
}

Status Replay::Restore(const std::string& directory,
                       const std::vector<FileSum>& files,
                       std::optional<int64_t> epoch) try {
  std::vector<uint8_t> state;
  TFA_RETURN_IF_ERROR(ReadState(directory, files, &state));
  Reader in(state.data(), static_cast<int64_t>(state.size()));
  const bool ours = in.Get<uint64_t>() == kMagic;
  const auto version = in.Get<uint32_t>();
  if (!ours || version < 1 || version > kVersion) {
    return InvalidArgumentError("'" + directory + "' is " +
                                (ours ? "of version " + std::to_string(version)
                                      : std::string("not a checkpoint of a replay")) +
                                "; this release reads versions 1 to " +
                                std::to_string(kVersion));
  }
  auto saved = std::make_shared<SavedFiles>();
  if (version > 3) {
    std::vector<uint8_t> whole;
    TFA_RETURN_IF_ERROR(LoadState(directory, files, &in, &whole, &saved->state));
    TFA_RETURN_IF_ERROR(GetRowFiles(files, &in, &saved->rows));
    if (!in.done()) return DataLossError("the checkpoint's state is longer than it is");
    state.swap(whole);
    in = Reader(state.data(), static_cast<int64_t>(state.size()));
  }
  const int64_t saved_epoch = version > 2 ? in.Get<int64_t>() : 0;
  if (!epoch.has_value()) {
    const Lock lock(mutex_);
    epoch = (std::max(saved_epoch, Epoch()) + 1) % KeySpace::kEpochs;
  }
  const KeySpace keys = {options_.shard, *epoch};
  TFA_RETURN_IF_ERROR(keys.Validate());
  ChunkWriters writers(num_streams());
  if (version > 2 && !ChunkWriters::Load(&in, num_streams(), &writers)) {
    return DataLossError("the checkpoint contradicts itself about its writers");
  }
  std::vector<SegmentRows> segments;
  StatusOr<std::unique_ptr<StepStore>> loaded = StepStore::Load(
      options_.columns, StoreOptions(options_), version, &in, &segments);
  if (!loaded.ok()) return loaded.status();
  std::shared_ptr<StepStore> store = std::move(*loaded);
  const std::vector<TableOptions> options = CurrentOptions();
  TFA_RETURN_IF_ERROR(CheckBudget(*store, options));
  std::vector<Reader> blocks;
  TFA_RETURN_IF_ERROR(FindTables(options, &in, &blocks));
  TFA_RETURN_IF_ERROR(version > 3
                          ? LoadRows(directory, saved->rows, segments, store.get())
                          : ReadColumns(directory, files, segments, store.get()));
  std::vector<std::unique_ptr<Table>> tables;
  for (size_t t = 0; t < blocks.size(); ++t) {
    StatusOr<std::unique_ptr<Table>> table =
        Table::Load(options[t], store.get(), segments, keys, version, &blocks[t]);
    if (!table.ok()) return table.status();
    tables.push_back(std::move(*table));
  }
  TFA_RETURN_IF_ERROR(ConnectTables(tables));
  store->FinishLoading(segments);

  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  writers_ = std::move(writers);
  store_.swap(store);
  tables_.swap(tables);
  saved_ = std::move(saved);
  packer_.Wake();
  waiters_.Notify();
  return OkStatus();
} catch (const std::bad_alloc&) {
  return ResourceExhaustedError("no memory to restore the checkpoint");
}

}  // namespace tfa
