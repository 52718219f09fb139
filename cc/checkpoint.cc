// Checkpoints of a replay: what is in their files.
//
// state.bin: magic, version, epoch of the keys, writers (chunk_writers.cc), the store
// (step_store_checkpoint.cc), then each table's name and block (table_checkpoint.cc).
// column-<c>.bin: of each segment in turn the written rows of column c;
// episode_step.bin: the rows' index within their episode, uint32. All little-endian.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "cc/column_reader.h"
#include "cc/replay.h"
#include "cc/serial.h"

namespace tfa {
namespace {

constexpr uint64_t kMagic = 0x59414c5045524154;  // "TAREPLAY"
// 1 had no counts of the streams' steps; 2 no epoch, no writers and no episode_rows.
constexpr uint32_t kVersion = 3;
constexpr char kState[] = "state.bin";

std::string ColumnFile(int64_t column, int64_t num_columns) {
  if (column == num_columns) return "episode_step.bin";
  return "column-" + std::to_string(column) + ".bin";
}

// Rows are written as they were appended, whatever form they are kept in.
Status WritePacked(const SegmentRows& each, int64_t column, const StepStore& store,
                   FileWriter* file) {
  const ColumnReader reader(store, column);
  const LocatedWindow rows = {{each.segment, 0, each.rows, 0},
                              store.SegmentData(each.segment)};
  for (int64_t i = 0; i < each.rows;) {
    const int64_t run = reader.Run(rows, i, each.rows - i);
    TFA_RETURN_IF_ERROR(file->Append(reader.Row(rows, i), run * reader.row_bytes()));
    i += run;
  }
  return OkStatus();
}

// Copies n rows of which each begins some bytes after the one before.
void CopyRows(const uint8_t* from, int64_t from_stride, int64_t n, int64_t row_bytes,
              uint8_t* to, int64_t to_stride) {
  for (int64_t i = 0; i < n; ++i, from += from_stride, to += to_stride) {
    std::memcpy(to, from, static_cast<size_t>(row_bytes));
  }
}

Status WriteRaw(const SegmentRows& each, const StepStore::ColumnRows& rows,
                std::vector<uint8_t>* scratch, FileWriter* file) {
  const int64_t bytes = each.rows * rows.row_bytes;
  if (rows.stride == rows.row_bytes) return file->Append(rows.first, bytes);
  scratch->resize(static_cast<size_t>(bytes));
  CopyRows(rows.first, rows.stride, each.rows, rows.row_bytes, scratch->data(),
           rows.row_bytes);
  return file->Append(scratch->data(), bytes);
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

StatusOr<FileSum> WriteColumn(const std::string& directory,
                              const std::vector<SegmentRows>& segments, int64_t column,
                              StepStore* store) {
  const auto num_columns = static_cast<int64_t>(store->columns().size());
  const bool packs = column < num_columns && store->layout().packs(column);
  FileWriter file(directory, ColumnFile(column, num_columns));
  TFA_RETURN_IF_ERROR(file.Open());
  std::vector<uint8_t> scratch;
  for (const SegmentRows& each : segments) {
    if (packs) {
      TFA_RETURN_IF_ERROR(WritePacked(each, column, *store, &file));
    } else {
      TFA_RETURN_IF_ERROR(
          WriteRaw(each, store->RowsOf(each.segment, column), &scratch, &file));
    }
  }
  return file.Finish();
}

Status WriteFiles(const std::string& directory, const Writer& state,
                  const std::vector<SegmentRows>& segments, StepStore* store,
                  std::vector<FileSum>* sums) {
  FileWriter file(directory, kState);
  TFA_RETURN_IF_ERROR(file.Open());
  TFA_RETURN_IF_ERROR(file.Append(state.data(), state.size()));
  StatusOr<FileSum> sum = file.Finish();
  if (!sum.ok()) return sum.status();
  sums->push_back(*sum);
  const auto num_columns = static_cast<int64_t>(store->columns().size());
  for (int64_t c = 0; c <= num_columns; ++c) {
    StatusOr<FileSum> column = WriteColumn(directory, segments, c, store);
    if (!column.ok()) return column.status();
    sums->push_back(*column);
  }
  return OkStatus();
}

StatusOr<FileSum> Find(const std::vector<FileSum>& files, const std::string& name) {
  const auto found =
      std::find_if(files.begin(), files.end(),
                   [&name](const FileSum& each) { return each.name == name; });
  if (found != files.end()) return *found;
  return DataLossError("the checkpoint's manifest does not name " + name);
}

Status ReadState(const std::string& directory, const std::vector<FileSum>& files,
                 std::vector<uint8_t>* state) {
  const StatusOr<FileSum> sum = Find(files, kState);
  if (!sum.ok()) return sum.status();
  FileReader file(directory, *sum);
  TFA_RETURN_IF_ERROR(file.Open());
  state->resize(static_cast<size_t>(sum->bytes));
  TFA_RETURN_IF_ERROR(file.Read(state->data(), sum->bytes));
  return file.Finish();
}

// Reads segment by segment, so that what packs needs the memory of one.
Status ReadRows(const std::string& directory, const std::vector<FileSum>& files,
                const std::vector<SegmentRows>& segments, StepStore* store) {
  const auto num_columns = static_cast<int64_t>(store->columns().size());
  std::vector<std::unique_ptr<FileReader>> columns;
  for (int64_t c = 0; c <= num_columns; ++c) {
    const StatusOr<FileSum> sum = Find(files, ColumnFile(c, num_columns));
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
    const std::string& directory, const std::function<void()>& when_copied) try {
  std::optional<Long> is_long(std::in_place, &num_long_);
  // Before the lock, so that it is not held while their memory is given back.
  Writer state;
  std::shared_ptr<StepStore> store;
  Lock lock(mutex_);
  int64_t bytes = store_->num_segments() * 16;
  for (const std::unique_ptr<Table>& table : tables_) bytes += table->SavedBytes();
  lock.unlock();
  state.Reserve(bytes);
  state.Put(kMagic);
  state.Put(kVersion);

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
    table->Save(snapshot, &state);
    state.EndBlock(block);
  }
  lock.unlock();
  is_long.reset();
  if (when_copied) when_copied();

  std::vector<FileSum> sums;
  TFA_RETURN_IF_ERROR(
      WriteFiles(directory, state, snapshot.segments, store.get(), &sums));
  return sums;
} catch (const std::bad_alloc&) {
  return ResourceExhaustedError("no memory to write a checkpoint");
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
  TFA_RETURN_IF_ERROR(ReadRows(directory, files, segments, store.get()));
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
  packer_.Wake();
  waiters_.Notify();
  return OkStatus();
} catch (const std::bad_alloc&) {
  return ResourceExhaustedError("no memory to restore the checkpoint");
}

}  // namespace tfa
