// The replay: streams of steps and the tables over them, behind one lock.
#ifndef TFAGENTS_CORE_CC_REPLAY_H_
#define TFAGENTS_CORE_CC_REPLAY_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cc/chunk_writers.h"
#include "cc/column.h"
#include "cc/file.h"
#include "cc/packing_thread.h"
#include "cc/pattern.h"
#include "cc/row_values.h"
#include "cc/run.h"
#include "cc/saved_rows.h"
#include "cc/saved_state.h"
#include "cc/status.h"
#include "cc/step_store.h"
#include "cc/table.h"
#include "cc/waiters.h"
#include "cc/workers.h"

namespace tfa {

class Gather;

// Files of the last checkpoint that was written or restored.
struct SavedFiles {
  std::vector<StateFile> state;
  std::vector<RowFile> rows;
};

struct ReplayOptions {
  std::vector<Column> columns;
  std::vector<TableOptions> tables;
  int64_t num_streams = 1;
  int64_t rows_per_append = 0;  // most rows of an append or run; 0: not known
  int64_t history = 1;          // rows of each stream kept for `CreateItem`
  int64_t segment_rows = 0;     // 0: chosen by the size of a row
  int64_t max_bytes = 0;        // of stored steps; 0: no bound
  uint64_t seed = 0;
  int64_t shard = 0;  // of the keys; see KeySpace
  int64_t epoch = 0;  // of the keys, until `Restore`
  std::string storage_directory;  // keeps steps in a file there; empty: in RAM
};

// By table, the keys of the items that an append made, in order.
using NewKeys = std::vector<std::vector<int64_t>>;

// What the patterns and views of the tables ask of the store.
StepStore::Options StoreOptions(const ReplayOptions& options);

// Stores the steps of K streams once, and draws batches from tables over them.
//
// Thread-safe: one mutex guards the store and the tables. It is held for the draw,
// never for the gather: a sample has its rows held, copies them without the mutex, and
// lets go; `Overwrite` waits for that, so that none copies half of a value. Whoever
// must wait (a rate limiter says no) waits by `Await`, until its deadline, and its error
// says what for; `Close` wakes all. Of those that wait for the same and can go on, who
// came first goes first.
//
// Where columns are to be compressed, a thread of the replay's own does it, a full
// segment at a time, without the mutex. Nothing but memory depends on when.
//
// Errors: kCancelled from every call after `Close`; kDeadlineExceeded from the
// waiting ones; kResourceExhausted from all where there is no memory, or std::bad_alloc
// where there is not even enough to say so. A call that fails has changed nothing: what
// allocates comes first, and only then what is seen by others.
class Replay {
 public:
  static StatusOr<std::unique_ptr<Replay>> Create(ReplayOptions options);
  ~Replay() { Close(); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  const std::vector<Column>& columns() const { return options_.columns; }
  int64_t num_streams() const { return static_cast<int64_t>(last_seen_.size()); }
  int64_t num_tables() const { return static_cast<int64_t>(tables_.size()); }
  // As they were when the replay was made.
  const TableOptions& table_options(int64_t table) const {
    return options_.tables[static_cast<size_t>(table)];
  }

  // Appends one row to each of `n` streams and makes the items that arise, once
  // every table may take its own; `columns[c]` is column c of all n rows. The items
  // that row i makes in table t have the priority `priorities[t][i]`, or where
  // `priorities` or `priorities[t]` is null the highest seen so far. Where max_bytes
  // leaves no room, the items with the oldest steps go, also if this call then fails;
  // those of a queue are waited for.
  // kUnavailable when the deadline passed while the compressing thread is at work on
  // what decides which items go: to be tried again, however long the caller would wait.
  // Unless `keys` is null, says which items there are; of those that others of the call
  // removed the keys are stale.
  Status Append(const RowFlags* rows, int64_t n, const void* const* columns,
                const double* const* priorities, Deadline deadline,
                NewKeys* keys = nullptr) {
    AppendCall call = {false, rows, n, columns, priorities, keys};
    return AppendRows(&call, deadline);
  }
  // The same for a run: n consecutive rows of one stream. Items, their order and keys
  // are those of as many appends of one row; but limiters are asked for all items at
  // once, and room within max_bytes is made for all rows at once. kInvalidArgument when
  // that can never be. REQUIRES: all rows are of one stream.
  Status AppendSteps(const RowFlags* rows, int64_t n, const void* const* columns,
                     const double* const* priorities, Deadline deadline,
                     NewKeys* keys = nullptr);

  // The same at most once for each chunk, on a stream that is the writer's alone from
  // its first chunk until it closes. False when the chunk was appended before: then
  // nothing happens. The rows' streams are filled in. kInvalidArgument when it is not
  // the writer's next chunk, or no stream is free. Unless `ask_limiters`, no rate
  // limiter is asked: for what was let in once before.
  StatusOr<bool> AppendChunk(const Chunk& chunk, RowFlags* rows, int64_t n,
                             const void* const* columns,
                             const double* const* priorities, Deadline deadline,
                             bool ask_limiters = true);
  // The last number of a writer that was appended or closed with; -1 for none.
  StatusOr<int64_t> LastNumber(const std::string& writer) const;
  StatusOr<std::vector<Chunk>> ListWriters() const;
  // Takes a writer's stream away, as its next chunk: at most once too. Its items stay,
  // its open episode is abandoned. False when it was closed so before.
  StatusOr<bool> CloseWriter(const Chunk& chunk);

  // Makes an item of the `length` rows that end `back` rows before the newest of
  // the stream, and returns its key.
  StatusOr<int64_t> CreateItem(int64_t table, int32_t stream, int64_t back,
                               int64_t length, std::optional<double> priority,
                               Deadline deadline);

  // Draws n items and gathers view v of the table into `outputs[v]`, as `num_batches`
  // equal batches: the same items, in the same order, as in one. kUnavailable when the
  // deadline passed while stored values are being overwritten: to be tried again.
  Status Sample(int64_t table, int64_t n, const WeightOptions& weights,
                const SampleArrays& arrays, void* const* outputs, Deadline deadline,
                int64_t num_batches = 1);

  // Gathers items by key, as `Sample` does, but draws and counts nothing. kNotFound
  // when an item has gone, kUnavailable as of `Sample`.
  Status Get(int64_t table, const int64_t* keys, int64_t n, const SampleArrays& arrays,
             void* const* outputs, Deadline deadline = Deadline::max());
  // Those of the keys whose items are there, in their order.
  StatusOr<std::vector<int64_t>> LiveKeys(int64_t table, const int64_t* keys,
                                          int64_t n);
  // Of all items, in the order in which they were inserted.
  StatusOr<std::vector<int64_t>> Keys(int64_t table);

  // Change a table's options while it is used; see Table. Waiters look again.
  Status SetAlpha(int64_t table, double alpha);
  Status SetRateLimiter(int64_t table, const RateLimiterOptions& limiter);

  StatusOr<int64_t> UpdatePriorities(int64_t table, const int64_t* keys,
                                     const double* priorities, int64_t n);
  StatusOr<int64_t> Delete(int64_t table, const int64_t* keys, int64_t n);
  // Overwrites values in rows of n items, in the order of `keys`; rows that an item
  // does not have are left out. All items that have such a row, of all tables, have
  // the new values; what was made of the old ones stays. Returns how many items are
  // still there; the others are skipped and counted as stale. All or nothing.
  // kUnavailable when the deadline passed while a sample is being copied: to be tried
  // again. O(rows), and a wait for the samples that were being copied when it began.
  StatusOr<int64_t> Overwrite(int64_t table, const int64_t* keys, int64_t n,
                              const RowValues& values, Deadline deadline);

  // The reason why not, with its numbers; empty when allowed.
  StatusOr<std::string> WhyNotSample(int64_t table, int64_t n);
  StatusOr<std::string> WhyNotInsert(int64_t table, int64_t n);
  // kInvalidArgument, with the numbers, when such batches and appends as there were so
  // far could wait for each other for ever. Later appends must leave room for them.
  Status CheckBatch(int64_t table, int64_t batch_size, int64_t num_prefetched);
  // kInvalidArgument when a sample of n items would wait for ever.
  Status CheckSample(int64_t table, int64_t n);
  StatusOr<TableStats> Stats(int64_t table);

  // Drops all items, histories and open episodes; counts start at zero. The tables'
  // random generators and the numbers of writers go on.
  Status Reset();
  // Writes everything as it is at one moment into new files in `directory`, each
  // flushed to the disk, and says what is in them. The mutex is held to copy what is
  // not rows; rows are pinned and written without it. `when_copied` is called once,
  // with nothing held, when that is done: later changes are not in the checkpoint, but
  // that a row that is overwritten meanwhile may be there as it was or as it is.
  // Files of an earlier checkpoint of this replay that hold what has not changed are
  // linked instead, as far as they are in the directory `base`.
  StatusOr<std::vector<FileSum>> Save(const std::string& directory,
                                      const std::string& base = {},
                                      const std::function<void()>& when_copied = {});
  // Names of the files that were saved or restored last and may be linked.
  std::vector<std::string> SavedNames();
  // Replaces everything by what was saved, whose files must be as `files` says. Items
  // keep their keys; new ones get keys of `epoch` or, if there is none, of one that is
  // later than this replay's and the saved one's. The options of this replay count, not
  // those of then; kInvalidArgument when the steps or tables do not fit, kDataLoss when
  // a file is damaged, kIoError.
  Status Restore(const std::string& directory, const std::vector<FileSum>& files,
                 std::optional<int64_t> epoch = std::nullopt);

  // Waits until all full segments are compressed.
  Status AwaitPacked(Deadline deadline);

  // A descriptor that is readable from a change on until `ClearEvent`. See Waiters.
  StatusOr<int> Event();
  void ClearEvent() { waiters_.ClearEvent(); }

  // Makes every other call, waiting ones too, fail with kCancelled, and ends the
  // compressing thread. Idempotent.
  void Close();
  bool closed() const;

  // Whether the mutex is held, or about to be, for longer than a call usually takes.
  bool busy() const { return num_long_.load(std::memory_order_relaxed) > 0; }

  int64_t bytes_allocated() const;
  int64_t bytes_in_use() const;
  // Bytes of steps once the table is full: its items follow each other at the
  // pattern's stride in long episodes, and leave in the order they came.
  int64_t ProjectedBytes(int64_t table) const;

  Status CheckValid() const;

 private:
  using Lock = std::unique_lock<std::mutex>;

  Replay(ReplayOptions options, std::shared_ptr<StepStore> store)
      : options_(std::move(options)),
        store_(std::move(store)),
        writers_(options_.num_streams) {}

  Table& At(int64_t table) const { return *tables_[static_cast<size_t>(table)]; }
  Status CheckOpen() const;
  int64_t Epoch() const;
  Status CheckSampleIsPossible(int64_t table, int64_t n) const;
  Status CheckNumRows(int64_t n) const;
  Status CheckStream(int32_t stream) const;
  Status CheckRows(const RowFlags* rows, int64_t n);
  // What is to be appended.
  struct AppendCall {
    bool is_run;  // the rows are of one stream, else each of another
    const RowFlags* rows;
    int64_t n;
    const void* const* columns;
    const double* const* priorities;
    NewKeys* keys = nullptr;
    bool ask_limiters = true;
    const Chunk* chunk = nullptr;  // the rows are one, if not null
    RowFlags* chunk_rows = nullptr;
    bool chunk_is_new = false;
  };
  Status AppendRows(AppendCall* call, Deadline deadline);
  Status FindStream(AppendCall* call) const;
  Status CheckNoWriter(const RowFlags* rows, int64_t n) const;
  StatusOr<bool> Admit(const AppendCall& call, Lock* lock, Deadline deadline);
  Status Commit(const AppendCall& call);
  void TakeChunk(const Chunk& chunk, int32_t stream);
  Status PlanAppend(const RowFlags* rows, int64_t n);
  Status PlanRun(const RowFlags* rows, int64_t n);
  Status CheckRunFits(int64_t num_rows, int64_t num_segments) const;
  int64_t NextUnrollRows(const Pattern& pattern, const RowFlags& row) const;
  Status AdmitItems();
  Status CheckPriorities(const double* const* priorities, int64_t n) const;
  Status ReserveAppend(const AppendCall& call, int64_t num_segments);
  StatusOr<std::string> ReserveAndMakeRoom(const AppendCall& call,
                                           int64_t num_segments);
  void MakeItems(size_t table, const RowFlags* rows, int64_t n,
                 const double* priorities, std::vector<int64_t>* keys);
  void MakeRunItems(size_t table, int64_t n, const double* priorities,
                    std::vector<int64_t>* keys);
  void FinishRun(int64_t n);
  void MakeWindows(const Pattern& pattern, const RowFlags& row);
  static Status ConnectTables(const std::vector<std::unique_ptr<Table>>& tables);
  static Status CheckTakesCopies(const Table& source, const TableOptions& into);
  Status CheckBudget(const StepStore& store,
                     const std::vector<TableOptions>& tables) const;
  std::vector<TableOptions> CurrentOptions() const;
  Status CheckBatchFits(int64_t table, int64_t batch_size) const;
  int64_t OldestTable(bool but_queues) const;
  int64_t BatchOf(int64_t table) const;
  StatusOr<std::string> MakeRoom(int64_t num_segments);
  bool MustAwaitPacker(int64_t num_segments) const;
  Status AwaitInsert(int64_t table, int64_t num_items, Lock* lock, Deadline deadline);
  Status Await(Waiters::Line line, const Waiters::CanGo& can_go,
               const std::string& reason, Lock* lock, Deadline deadline,
               StatusCode when_late = StatusCode::kDeadlineExceeded);
  void RunGather(int64_t begun, const std::vector<Window>& windows, StepStore* store,
                 Gather* gather, Lock* lock);
  Status AwaitOverwrites(Waiters::Line line, const std::string& waiting, Lock* lock,
                         Deadline deadline);
  Status AwaitGathers(Lock* lock, Deadline deadline);

  // Counts a call that holds the mutex for long, from before it takes it.
  class Long {
   public:
    explicit Long(std::atomic<int>* num_long) : num_long_(num_long) { ++*num_long_; }
    ~Long() { --*num_long_; }
    Long(const Long&) = delete;
    Long& operator=(const Long&) = delete;

   private:
    std::atomic<int>* const num_long_;
  };

  static constexpr int64_t kMaxWorkers = 3;
  // Lines of those that wait: who samples a table waits in that of its number.
  static constexpr Waiters::Line kInserts = -1;
  static constexpr Waiters::Line kMemory = -2;
  static constexpr Waiters::Line kOverwrites = -3;
  static constexpr Waiters::Line kGets = -4;
  // Items of a run that are made at a time: their scratch memory fits into the
  // first-level cache.
  static constexpr int64_t kRunItems = 1024;

  const ReplayOptions options_;
  Workers workers_{kMaxWorkers};  // share what is much to gather
  mutable std::atomic<int> num_long_{0};
  int64_t max_runs_ = 1;  // episodes that an item has steps of, at most
  mutable std::mutex mutex_;  // guards all below
  Waiters waiters_;
  bool closed_ = false;
  // Shared with gathers and saves in progress: `Restore` puts another in its place.
  std::shared_ptr<StepStore> store_;
  std::vector<std::unique_ptr<Table>> tables_;
  ChunkWriters writers_;
  std::shared_ptr<const SavedFiles> saved_ = std::make_shared<SavedFiles>();

  // By table, the largest batch that was checked and the most items made at once:
  // whatever exceeds them is checked against the rate limiter first.
  std::vector<LimiterUse> uses_;

  int64_t num_gathers_ = 0;     // in progress
  int64_t num_overwrites_ = 0;  // that wait for them, and new ones for those

  std::vector<int64_t> refused_;  // by table, the batch that had to wait last, or 0

  // Scratch of Append.
  std::vector<int64_t> num_items_;  // by table
  PlannedRun run_;
  std::vector<std::vector<RunItem>> run_items_;  // by table
  std::vector<int64_t> last_seen_;  // by stream: the append that had it last
  std::vector<PatternItem> items_;
  std::vector<Window> windows_;
  std::vector<double> priorities_;
  int64_t num_appends_ = 0;

  PackingThread packer_{&mutex_, [this] { return store_; },
                        [this] { waiters_.Notify(); }};
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_REPLAY_H_
