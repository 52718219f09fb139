#include "cc/replay.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "cc/gather.h"
#include "cc/random.h"

namespace tfa {
namespace {

// More than there ever are; sums of it do not overflow.
constexpr int64_t kManyItems = int64_t{1} << 53;
// So many keys at once take a millisecond or longer.
constexpr int64_t kManyKeys = 16 * 1024;

Status CheckNames(const std::vector<TableOptions>& tables) {
  if (tables.empty()) return InvalidArgumentError("a replay needs at least one table");
  for (size_t i = 0; i < tables.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (tables[i].name != tables[j].name) continue;
      return InvalidArgumentError("two tables are named '" + tables[i].name + "'");
    }
  }
  return OkStatus();
}

// The columns of which a view reads many rows of an item, one after another.
std::vector<int64_t> ReadInSuccession(const View& view, const Pattern& pattern) {
  constexpr int64_t kFewRows = 6;  // those of n-step transitions with the usual n
  const bool is_sum =
      view.kind == View::Kind::kReturn || view.kind == View::Kind::kDiscount;
  if (is_sum && pattern.max_rows() > kFewRows) return {view.column, view.discount};
  const bool is_rows =
      view.kind == View::Kind::kRows || view.kind == View::Kind::kSteps;
  if (is_rows || view.stack > 0) return {view.column};
  return {};
}

}  // namespace

StepStore::Options StoreOptions(const ReplayOptions& options) {
  StepStore::Options store;
  store.num_streams = options.num_streams;
  store.segment_rows = options.segment_rows;
  store.max_bytes = options.max_bytes;
  store.directory = options.storage_directory;
  store.history_rows = std::max<int64_t>(options.history, 1);
  store.read_singly.assign(options.columns.size(), true);
  for (const TableOptions& table : options.tables) {
    // Only unrolls have rows of several episodes.
    int64_t* const rows = table.pattern.kind == Pattern::Kind::kUnroll
                              ? &store.history_rows
                              : &store.episode_rows;
    *rows = std::max(*rows, table.pattern.max_rows());
    for (const View& view : table.views) {
      store.stack_rows = std::max(store.stack_rows, view.stack - 1);
      for (const int64_t column : ReadInSuccession(view, table.pattern)) {
        const auto c = static_cast<size_t>(column);
        if (c < store.read_singly.size()) store.read_singly[c] = false;
      }
    }
  }
  return store;
}

StatusOr<std::unique_ptr<Replay>> Replay::Create(ReplayOptions options) try {
  TFA_RETURN_IF_ERROR(CheckNames(options.tables));
  const StepStore::Options store_options = StoreOptions(options);
  StatusOr<std::unique_ptr<StepStore>> store =
      StepStore::Create(options.columns, store_options);
  if (!store.ok()) return store.status();
  std::unique_ptr<Replay> replay(new Replay(std::move(options), std::move(*store)));
  replay->last_seen_.resize(static_cast<size_t>(replay->options_.num_streams));
  const int64_t num_rows = std::max<int64_t>(replay->options_.rows_per_append, 1);
  if (replay->options_.rows_per_append < 0) {
    return InvalidArgumentError("rows_per_append is " +
                                std::to_string(replay->options_.rows_per_append) +
                                "; it must be >= 1, or 0 where it is not known");
  }
  const KeySpace keys = {replay->options_.shard, replay->options_.epoch};
  TFA_RETURN_IF_ERROR(keys.Validate());
  Random seeds(replay->options_.seed);
  for (const TableOptions& table_options : replay->options_.tables) {
    StatusOr<std::unique_ptr<Table>> table = Table::Create(
        table_options, replay->store_.get(), seeds.Next(), num_rows, keys);
    if (!table.ok()) return table.status();
    replay->tables_.push_back(std::move(*table));
    LimiterUse& use = replay->uses_.emplace_back();
    use.max_inserts = table_options.pattern.MostItems(num_rows, replay->num_streams());
    replay->refused_.push_back(0);
    if (table_options.pattern.kind != Pattern::Kind::kUnroll) continue;
    replay->max_runs_ = std::max(replay->max_runs_, table_options.pattern.length);
  }
  TFA_RETURN_IF_ERROR(ConnectTables(replay->tables_));
  TFA_RETURN_IF_ERROR(replay->CheckBudget(*replay->store_, replay->options_.tables));
  replay->num_items_.resize(replay->tables_.size());
  replay->run_items_.resize(replay->tables_.size());
  if (replay->store_->layout().packs()) {
    TFA_RETURN_IF_ERROR(replay->packer_.Start());
  }
  return replay;
} catch (const std::bad_alloc&) {
  return ResourceExhaustedError("no memory for the replay; lower num_streams");
}

Status Replay::CheckOpen() const {
  return closed_ ? CancelledError("the replay is closed") : OkStatus();
}

// The one way to wait: in a line, for a turn that `can_go` describes, but never past
// the deadline; the caller looks again at what it wants. Signals are the business of
// the binding, which therefore gives deadlines that are near.
Status Replay::Await(Waiters::Line line, const Waiters::CanGo& can_go,
                     const std::string& reason, Lock* lock, Deadline deadline,
                     StatusCode when_late) {
  if (std::chrono::steady_clock::now() >= deadline) return Status(when_late, reason);
  waiters_.Wait(line, can_go, lock, deadline);
  return OkStatus();
}

Status Replay::CheckNumRows(int64_t n) const {
  const int64_t most = options_.rows_per_append;
  if (most == 0 || n <= most) return OkStatus();
  return InvalidArgumentError("the append has " + std::to_string(n) +
                              " rows, but rows_per_append is " + std::to_string(most));
}

Status Replay::CheckStream(int32_t stream) const {
  if (stream >= 0 && stream < num_streams()) return OkStatus();
  return OutOfRangeError(
      "stream " + std::to_string(stream) +
      " does not exist; the replay has num_streams = " + std::to_string(num_streams()));
}

Status Replay::CheckRows(const RowFlags* rows, int64_t n) {
  TFA_RETURN_IF_ERROR(CheckNumRows(n));
  const int64_t append = ++num_appends_;
  for (int64_t i = 0; i < n; ++i) {
    const int32_t stream = rows[i].stream;
    TFA_RETURN_IF_ERROR(CheckStream(stream));
    int64_t& seen = last_seen_[static_cast<size_t>(stream)];
    if (seen == append) {
      return InvalidArgumentError("stream " + std::to_string(stream) +
                                  " occurs twice in one append");
    }
    seen = append;
    if (!rows[i].first && !store_->EpisodeOpen(stream)) {
      return InvalidArgumentError("stream " + std::to_string(stream) +
                                  " has no open episode; the row that begins one "
                                  "must be appended with first=True");
    }
  }
  return OkStatus();
}

// Rows of the unroll that `row` will end, once it is appended; 0 if it ends none. One
// of more rows than the pattern keeps, for want of steps in abandoned episodes, is
// left out: no history would do for a stream that only ever begins episodes.
int64_t Replay::NextUnrollRows(const Pattern& pattern, const RowFlags& row) const {
  const bool is_step = pattern.kind == Pattern::Kind::kUnroll && !row.first;
  if (!is_step || !pattern.EndsUnroll(store_->NumSteps(row.stream) + 1)) return 0;
  const int64_t rows = store_->RowsOfSteps(row.stream, pattern.length - 1);
  return rows > 0 && rows < pattern.max_rows() ? rows + 1 : 0;
}

// Counts the items that the rows would make, by table.
Status Replay::PlanAppend(const RowFlags* rows, int64_t n) {
  TFA_RETURN_IF_ERROR(CheckRows(rows, n));
  for (size_t t = 0; t < tables_.size(); ++t) {
    const TableOptions& options = tables_[t]->options();
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t step = rows[i].first ? 0 : store_->NextStep(rows[i].stream);
      Status status = options.pattern.CheckStep(step);
      if (!status.ok()) {
        return InvalidArgumentError("table '" + options.name + "', stream " +
                                    std::to_string(rows[i].stream) + ": " +
                                    status.message());
      }
      count += options.pattern.Count(step, rows[i].last);
      count += NextUnrollRows(options.pattern, rows[i]) > 0 ? 1 : 0;
    }
    num_items_[t] = count;
  }
  return AdmitItems();
}

// Refuses what makes more items at once than any append before, where it could wait for
// ever for the batches that were checked.
Status Replay::AdmitItems() {
  for (size_t t = 0; t < tables_.size(); ++t) {
    if (num_items_[t] <= uses_[t].max_inserts) continue;
    LimiterUse use = uses_[t];
    use.max_inserts = num_items_[t];
    TFA_RETURN_IF_ERROR(tables_[t]->CheckUse(use));
  }
  for (size_t t = 0; t < tables_.size(); ++t) {
    uses_[t].max_inserts = std::max(uses_[t].max_inserts, num_items_[t]);
  }
  return OkStatus();
}

// Ok when the table may take the items, or when it had to wait and the caller
// should look again: `*lock` was given up in between.
Status Replay::AwaitInsert(int64_t table, int64_t num_items, Lock* lock,
                           Deadline deadline) {
  const Table& full = At(table);
  std::string why_not = full.WhyNotInsert(num_items);
  if (why_not.empty()) why_not = "others came first";
  return Await(
      kInserts, [this, table, num_items] { return At(table).CanInsert(num_items); },
      "waiting to insert into table '" + full.options().name + "': " + why_not, lock,
      deadline);
}

Status Replay::CheckPriorities(const double* const* priorities, int64_t n) const {
  for (int64_t t = 0; priorities != nullptr && t < num_tables(); ++t) {
    if (priorities[t] == nullptr) continue;
    TFA_RETURN_IF_ERROR(ValidatePriorities(priorities[t], n));
  }
  return OkStatus();
}

Status Replay::AppendRows(AppendCall* call, Deadline deadline) try {
  TFA_RETURN_IF_ERROR(CheckPriorities(call->priorities, call->n));
  Lock lock(mutex_);
  for (;;) {
    TFA_RETURN_IF_ERROR(CheckOpen());
    if (call->chunk != nullptr) {
      TFA_RETURN_IF_ERROR(FindStream(call));
      if (!call->chunk_is_new) return OkStatus();
    }
    const StatusOr<bool> admitted = Admit(*call, &lock, deadline);
    if (!admitted.ok()) return admitted.status();
    if (*admitted) break;
  }
  return Commit(*call);
} catch (const std::bad_alloc&) {
  return NoMemory("append");
}

// Whether the rows can be appended now. If not, waits for a change: `*lock` was given
// up in between.
StatusOr<bool> Replay::Admit(const AppendCall& call, Lock* lock, Deadline deadline) {
  TFA_RETURN_IF_ERROR(call.is_run ? PlanRun(call.rows, call.n)
                                  : PlanAppend(call.rows, call.n));
  if (call.chunk == nullptr) TFA_RETURN_IF_ERROR(CheckNoWriter(call.rows, call.n));
  for (int64_t t = 0; t < num_tables() && call.ask_limiters; ++t) {
    const int64_t count = num_items_[static_cast<size_t>(t)];
    if (count == 0 || (At(t).CanInsert(count) && !waiters_.IsBehind(kInserts))) {
      continue;
    }
    TFA_RETURN_IF_ERROR(AwaitInsert(t, count, lock, deadline));
    return false;
  }
  const int64_t needed = call.is_run
                             ? store_->NumNeededByRun(call.rows->stream, call.n)
                             : store_->NumNeeded(call.rows, call.n);
  if (MustAwaitPacker(needed)) {
    packer_.Wake();
    TFA_RETURN_IF_ERROR(
        Await(kMemory, [this, needed] { return !MustAwaitPacker(needed); },
              "waiting to append: " + std::to_string(store_->num_unpacked()) +
                  " blocks of steps are being compressed",
              lock, deadline, StatusCode::kUnavailable));
    return false;
  }
  if (call.is_run) TFA_RETURN_IF_ERROR(CheckRunFits(call.n, needed));
  const StatusOr<std::string> why_not = ReserveAndMakeRoom(call, needed);
  if (!why_not.ok()) return why_not.status();
  if (why_not->empty()) return true;
  // Whatever changes may make room.
  TFA_RETURN_IF_ERROR(Await(
      kMemory, [] { return true; }, "waiting to append: " + *why_not, lock, deadline));
  return false;
}

// Appends what was admitted.
Status Replay::Commit(const AppendCall& call) {
  const int64_t n = call.n;
  TFA_RETURN_IF_ERROR(
      call.is_run ? store_->AppendRun(call.rows, n, run_.steps().data(), call.columns)
                  : store_->Append(call.rows, n, call.columns));
  if (store_->num_unpacked() > 0) packer_.Wake();
  for (size_t t = 0; t < tables_.size(); ++t) {
    const double* const given =
        call.priorities == nullptr ? nullptr : call.priorities[t];
    std::vector<int64_t>* const made =
        call.keys == nullptr ? nullptr : &(*call.keys)[t];
    if (call.is_run) {
      MakeRunItems(t, n, given, made);
    } else {
      MakeItems(t, call.rows, n, given, made);
    }
  }
  if (call.is_run) FinishRun(n);
  if (call.chunk != nullptr) TakeChunk(*call.chunk, call.rows->stream);
  waiters_.Notify();
  return OkStatus();
}

// Fetches all memory that an append takes. Of a run's items, some at a time are made.
Status Replay::ReserveAppend(const AppendCall& call, int64_t num_segments) {
  const int64_t most = *std::max_element(num_items_.begin(), num_items_.end());
  const int64_t at_once = call.is_run ? std::min(most, kRunItems) : most;
  const auto n = static_cast<size_t>(at_once);
  if (windows_.capacity() < n) {
    items_.reserve(n);
    priorities_.reserve(n);
    windows_.reserve(n);
  }
  for (size_t t = 0; t < tables_.size(); ++t) {
    tables_[t]->Reserve(num_items_[t], std::min(num_items_[t], at_once));
  }
  if (call.chunk != nullptr) writers_.Reserve(call.chunk->writer);
  if (call.keys != nullptr) {
    call.keys->assign(tables_.size(), {});
    for (size_t t = 0; t < tables_.size(); ++t) {
      (*call.keys)[t].reserve(static_cast<size_t>(num_items_[t]));
    }
  }
  return num_segments > 0 ? store_->Reserve(num_segments) : OkStatus();
}

// As MakeRoom, once there is the memory for what is to be appended then.
StatusOr<std::string> Replay::ReserveAndMakeRoom(const AppendCall& call,
                                                int64_t num_segments) {
  TFA_RETURN_IF_ERROR(ReserveAppend(call, num_segments));
  StatusOr<std::string> why_not = MakeRoom(num_segments);
  if (!why_not.ok() || !why_not->empty()) store_->ReleaseIdle();
  return why_not;
}

// Makes the items that the appended rows complete.
void Replay::MakeItems(size_t table, const RowFlags* rows, int64_t n,
                       const double* priorities, std::vector<int64_t>* keys) {
  if (num_items_[table] == 0) return;
  windows_.clear();
  priorities_.clear();
  const Pattern& pattern = tables_[table]->options().pattern;
  for (int64_t i = 0; i < n; ++i) {
    MakeWindows(pattern, rows[i]);
    if (priorities != nullptr) priorities_.resize(windows_.size(), priorities[i]);
  }
  tables_[table]->InsertAll(windows_.data(),
                            priorities == nullptr ? nullptr : priorities_.data(),
                            static_cast<int64_t>(windows_.size()), keys);
}

// Of the items that end with a row that was appended.
void Replay::MakeWindows(const Pattern& pattern, const RowFlags& row) {
  if (pattern.kind == Pattern::Kind::kUnroll) {
    if (row.first || !pattern.EndsUnroll(store_->NumSteps(row.stream))) return;
    const int64_t length = store_->RowsOfSteps(row.stream, pattern.length);
    const bool fits = length > 0 && length <= pattern.max_rows();
    if (fits) windows_.push_back(store_->Newest(row.stream, length));
    return;
  }
  items_.clear();
  pattern.Items(store_->NextStep(row.stream) - 1, row.last, &items_);
  for (const PatternItem& item : items_) {
    // The store keeps as many rows as the longest pattern needs.
    windows_.push_back(*store_->Recent(row.stream, 0, item.length));
  }
}

StatusOr<int64_t> Replay::CreateItem(int64_t table, int32_t stream, int64_t back,
                                     int64_t length, std::optional<double> priority,
                                     Deadline deadline) try {
  if (priority.has_value()) TFA_RETURN_IF_ERROR(ValidatePriorities(&*priority, 1));
  Lock lock(mutex_);
  for (;;) {
    TFA_RETURN_IF_ERROR(CheckOpen());
    TFA_RETURN_IF_ERROR(CheckStream(stream));
    StatusOr<Window> window = store_->Recent(stream, back, length);
    if (!window.ok()) return window.status();
    TFA_RETURN_IF_ERROR(At(table).CheckShows(*window));
    if (At(table).CanInsert(1) && !waiters_.IsBehind(kInserts)) {
      const int64_t key = At(table).Insert(*window, priority);
      waiters_.Notify();
      return key;
    }
    TFA_RETURN_IF_ERROR(AwaitInsert(table, 1, &lock, deadline));
  }
} catch (const std::bad_alloc&) {
  return NoMemory("make an item");
}

Status Replay::Sample(int64_t table, int64_t n, const WeightOptions& weights,
                      const SampleArrays& arrays, void* const* outputs,
                      Deadline deadline, int64_t num_batches) try {
  if (num_batches < 1 || n % num_batches != 0) {
    return InvalidArgumentError(std::to_string(n) + " items do not make " +
                                std::to_string(num_batches) + " equal batches");
  }
  if (n < 1) {
    return InvalidArgumentError("batch_size is " + std::to_string(n) +
                                "; it must be >= 1");
  }
  if (!std::isfinite(weights.beta) || weights.beta < 0.0) {
    return InvalidArgumentError("beta is " + std::to_string(weights.beta) +
                                "; it must be finite and >= 0");
  }
  if (n > INT32_MAX) {
    return InvalidArgumentError("a sample of " + std::to_string(n) +
                                " items is too large; it must have fewer than 2^31");
  }
  std::vector<Window> windows(static_cast<size_t>(n));
  const GatherSize size = {n, num_batches, max_runs_};
  std::shared_ptr<StepStore> store;
  std::optional<Gather> gather;
  Lock lock(mutex_);
  for (;;) {
    TFA_RETURN_IF_ERROR(CheckOpen());
    if (store != store_) {
      store = store_;
      lock.unlock();
      gather.emplace(*store, table_options(table).views, size, outputs, &workers_);
      lock.lock();
      continue;
    }
    const Table& source = At(table);
    std::string why_not = "others came first";
    if (!source.CanSample(n)) {
      TFA_RETURN_IF_ERROR(CheckSampleIsPossible(table, n));
      why_not = source.WhyNotSample(n);
    } else if (num_overwrites_ > 0) {
      TFA_RETURN_IF_ERROR(AwaitOverwrites(
          table, "waiting to sample from table '" + source.options().name + "'", &lock,
          deadline));
      continue;
    } else if (!waiters_.IsBehind(table)) {
      break;
    }
    // Who waits for memory must know for what batch a queue still needs items.
    if (refused_[static_cast<size_t>(table)] != n) waiters_.Notify();
    refused_[static_cast<size_t>(table)] = n;
    TFA_RETURN_IF_ERROR(Await(
        table, [this, table, n] { return At(table).CanSample(n); },
        "waiting to sample from table '" + source.options().name + "': " + why_not,
        &lock, deadline));
  }
  const int64_t begun = store->BeginGather();
  try {
    At(table).Draw(n, weights, arrays, windows.data(), num_batches);
  } catch (const std::bad_alloc&) {
    store->EndGather(begun, nullptr, 0);
    throw;
  }
  refused_[static_cast<size_t>(table)] = 0;
  RunGather(begun, windows, store.get(), &*gather, &lock);
  return OkStatus();
} catch (const std::bad_alloc&) {
  return NoMemory("sample");
}

StatusOr<int64_t> Replay::UpdatePriorities(int64_t table, const int64_t* keys,
                                           const double* priorities, int64_t n) try {
  std::optional<Long> is_long;
  if (n > kManyKeys) is_long.emplace(&num_long_);
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).UpdatePriorities(keys, priorities, n);
} catch (const std::bad_alloc&) {
  return NoMemory("update priorities");
}

StatusOr<int64_t> Replay::Delete(int64_t table, const int64_t* keys, int64_t n) {
  std::optional<Long> is_long;
  if (n > kManyKeys) is_long.emplace(&num_long_);
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  StatusOr<int64_t> deleted = At(table).Delete(keys, n);
  waiters_.Notify();
  return deleted;
}

StatusOr<std::string> Replay::WhyNotSample(int64_t table, int64_t n) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).WhyNotSample(std::min(n, kManyItems));
}

StatusOr<std::string> Replay::WhyNotInsert(int64_t table, int64_t n) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).WhyNotInsert(std::min(n, kManyItems));
}

Status Replay::CheckBatch(int64_t table, int64_t batch_size, int64_t num_prefetched) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  LimiterUse& known = uses_[static_cast<size_t>(table)];
  LimiterUse use = known;
  use.batch_size = batch_size;
  use.num_prefetched = num_prefetched;
  TFA_RETURN_IF_ERROR(At(table).CheckUse(use));
  TFA_RETURN_IF_ERROR(CheckBatchFits(table, batch_size));
  const auto wanted = [](const LimiterUse& each) {
    return static_cast<double>(each.batch_size) *
           (static_cast<double>(each.num_prefetched) + 1);
  };
  if (wanted(use) > wanted(known)) known = use;
  return OkStatus();
}

// Of a batch that would have to wait now.
Status Replay::CheckSampleIsPossible(int64_t table, int64_t n) const {
  LimiterUse use = uses_[static_cast<size_t>(table)];
  use.batch_size = n;
  use.num_prefetched = 0;
  return At(table).CheckUse(use);
}

Status Replay::CheckSample(int64_t table, int64_t n) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).CanSample(n) ? OkStatus() : CheckSampleIsPossible(table, n);
}

StatusOr<TableStats> Replay::Stats(int64_t table) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).stats();
}

Status Replay::Reset() {
  const Long is_long(&num_long_);
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  for (const std::unique_ptr<Table>& table : tables_) table->Reset();
  store_->Reset();
  writers_.CloseAll();
  std::fill(refused_.begin(), refused_.end(), 0);
  waiters_.Notify();
  return OkStatus();
}

StatusOr<int> Replay::Event() {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return waiters_.Event();
}

bool Replay::closed() const {
  const Lock lock(mutex_);
  return closed_;
}

int64_t Replay::bytes_allocated() const {
  const Lock lock(mutex_);
  return store_->bytes_allocated();
}

int64_t Replay::bytes_in_use() const {
  const Lock lock(mutex_);
  return store_->bytes_in_use();
}

Status Replay::CheckValid() const {
  const Long is_long(&num_long_);
  const Lock lock(mutex_);
  std::vector<int32_t> refs;
  for (const std::unique_ptr<Table>& table : tables_) {
    TFA_RETURN_IF_ERROR(table->CheckValid());
    table->CountRefs(&refs);
  }
  return store_->CheckValid(refs);
}

}  // namespace tfa
