// Tables: items over stored steps, drawn by a sampler and bounded by a remover.
#ifndef TFAGENTS_CORE_CC_TABLE_H_
#define TFAGENTS_CORE_CC_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cc/cpu.h"
#include "cc/random.h"
#include "cc/rate_limiter.h"
#include "cc/selector.h"
#include "cc/serial.h"
#include "cc/slot_array.h"
#include "cc/status.h"
#include "cc/step_store.h"
#include "cc/table_options.h"

namespace tfa {

// Importance weights (N P_i)^-beta, over the largest in their batch or in the table.
struct WeightOptions {
  enum class Normalizer { kBatch, kTable };
  double beta = 0.0;  // finite and >= 0
  Normalizer normalizer = Normalizer::kBatch;
};

struct TableStats {
  int64_t size = 0;
  int64_t num_inserted = 0;
  int64_t num_sampled = 0;
  int64_t num_deleted = 0;
  int64_t num_stale_updates = 0;
  double max_priority = 1.0;
  double total_weight = 0.0;           // see Selector::TotalWeight
  std::optional<double> least_weight;  // see Selector::LeastWeight
};

// An item, and how many were inserted before it.
struct ItemKey {
  int64_t inserted_at = 0;
  int64_t key = 0;
};

// Where `Table::Draw` writes what it knows of each of the n items drawn.
struct SampleArrays {
  int64_t* key = nullptr;
  double* probability = nullptr;
  double* weight = nullptr;
  double* priority = nullptr;
  int32_t* times_sampled = nullptr;  // this draw included
  int64_t* age = nullptr;            // items inserted since this one
};

// Which keys a table gives out. From the highest bit, a key is
//   0 | shard (6 bits) | epoch (10) | generation (16) | slot (31).
// A generation counts the items that a slot has had; when it has no next one, the slot
// is given up. What was restored is of another epoch than what the restored one lost:
// its items keep their keys, new ones get keys that nobody has. No key is given out
// twice until a table has had 2^47 items in an epoch, or there were 2^10 epochs.
struct KeySpace {
  static constexpr int64_t kShards = 1 << 6;
  static constexpr int64_t kEpochs = 1 << 10;
  int64_t shard = 0;
  int64_t epoch = 0;

  Status Validate() const;
};

// Items, each a window of stored rows with a priority.
//
// An item lives in a slot, which its key names, so finding an item needs no hash map.
// The key also says in which life of the slot, so that it never means another item, and
// in which shard: see KeySpace.
//
// Insert, a draw, an update: the selectors' cost, O(log size) at most.
//
// Memory for max_size items is set aside at once, and costs address space only until
// items use it. Where there is not so much of that (ulimit -v, or a system that hands
// out no more memory than it has) the table grows by doubling, which copies it. Either
// way `Reserve` is the one call that allocates for items: after it the calls that it
// names cannot fail for want of memory, and without it they call it themselves and pass
// on its std::bad_alloc, before anything has changed.
//
// Not thread-safe: the replay's mutex guards it. Borrows the step store.
class Table {
 public:
  // `num_rows`: rows that an append has at most, as far as is known. kInvalidArgument
  // when the limiter could then stop for ever.
  static StatusOr<std::unique_ptr<Table>> Create(TableOptions options, StepStore* store,
                                                 uint64_t seed, int64_t num_rows = 1,
                                                 KeySpace keys = {});

  // Makes room for n more items, in calls of Insert and InsertAll with at most `batch`
  // of them, or for a call of Draw or UpdatePriorities with n items, so that these
  // allocate nothing. O(1), but where the table grows. std::bad_alloc when there is no
  // memory; nothing has changed then.
  void Reserve(int64_t n) { Reserve(n, n); }
  void Reserve(int64_t n, int64_t batch) {
    if (batch > batch_ || num_slots_ + n > capacity_) ReserveMore(n, batch);
  }

  const TableOptions& options() const { return options_; }
  int64_t size() const { return sampler_->size(); }
  // Of the keys that it gives out now.
  int64_t epoch() const { return epoch_; }
  TableStats stats() const;

  bool CanSample(int64_t n) const;
  bool CanInsert(int64_t n) const { return limiter_.CanInsert(n, DrawsLeft()); }
  // The reason, with its numbers; empty when it is allowed.
  std::string WhyNotSample(int64_t n) const;
  std::string WhyNotInsert(int64_t n) const {
    return limiter_.WhyNotInsert(n, DrawsLeft());
  }
  // kInvalidArgument, naming the table, when such batches and appends could wait for
  // each other for ever. Of `use`, the table's own bounds are filled in.
  Status CheckUse(LimiterUse use) const;

  // kInvalidArgument when the table's outputs cannot show such an item: one that runs
  // over an episode's end, or an unroll of another length.
  // REQUIRES: a window of rows that are held.
  Status CheckShows(const Window& window) const;

  // Makes an item and returns its key; takes the highest priority seen so far when
  // none is given; removes one item when there are more than max_size.
  // REQUIRES: a valid priority, a window of rows that are held and CheckShows allows.
  int64_t Insert(const Window& window, std::optional<double> priority);
  // The same for n windows, one after another; `priorities` may be null. Appends their
  // keys unless `keys` is null: those of items that later ones removed are stale.
  void InsertAll(const Window* windows, const double* priorities, int64_t n,
                 std::vector<int64_t>* keys = nullptr);

  // The first draw of an item inserts a copy of it, with its priority, into `table`.
  // REQUIRES: the same store, a rate limiter that never stops inserts.
  void InsertOnSample(Table* table) { insert_on_sample_ = table; }
  // Null if there is none.
  const Table* insert_on_sample() const { return insert_on_sample_; }

  // Whether every item is to be drawn as often as it may: then none is dropped for want
  // of memory, and who appends waits instead.
  bool is_queue() const;
  // Removes the item that the remover chooses. REQUIRES: size() > 0.
  void RemoveOne();
  // When the first segment of the item that the remover chooses was started.
  // REQUIRES: size() > 0, a remover whose choice does not change by looking.
  int64_t RemovableSince();

  // Draws n items, and has the store hold their windows for the gather that has begun.
  // They are `num_batches` equal batches where weights are normalised by the batch.
  // std::bad_alloc, having changed nothing, when there is no memory for the first
  // weights normalised by the table.
  // REQUIRES: CanSample(n), n >= 1 and a multiple of num_batches.
  void Draw(int64_t n, const WeightOptions& weights, const SampleArrays& arrays,
            Window* windows, int64_t num_batches = 1);

  // What `Draw` would give of these items, without drawing them: the probability is
  // that of a draw now, weights are 1. kNotFound when an item has gone; then nothing is
  // held. REQUIRES: a gather has begun, n >= 1.
  Status Get(const int64_t* keys, int64_t n, const SampleArrays& arrays,
             Window* windows);
  // Those of the keys whose items are there.
  StatusOr<std::vector<int64_t>> LiveKeys(const int64_t* keys, int64_t n) const;
  // All items, in any order.
  std::vector<ItemKey> ListItems() const;

  // Gives the sampler another exponent, and all items their weights anew. O(size).
  // kInvalidArgument when the sampler has none, or it cannot be.
  Status SetAlpha(double alpha);
  // Goes on with another limiter from the counts so far. kInvalidArgument, and no
  // change, when it does not fit the table and its use.
  Status SetRateLimiter(const RateLimiterOptions& options, LimiterUse use);

  // Sets priorities by key; of equal keys the last counts. Returns how many keys
  // named a live item; those of items that have gone are counted as stale and
  // skipped. On an error nothing was written.
  StatusOr<int64_t> UpdatePriorities(const int64_t* keys, const double* priorities,
                                     int64_t n);
  // The windows of items by key, of length 0 where the item has gone. Returns how many
  // are there; the others are counted as stale.
  StatusOr<int64_t> FindWindows(const int64_t* keys, int64_t n, Window* windows);
  // Removes items by key. Returns how many there were.
  StatusOr<int64_t> Delete(const int64_t* keys, int64_t n);

  // Removes all items and sets the counts to zero. Old keys stay stale. Their memory
  // goes back to the system at once, page by page. REQUIRES: the store is reset too,
  // which is what lets go of the items' rows.
  void Reset();

  // Writes the items, naming segments by when they were started, and all else that the
  // calls to come depend on; by slot, so that what does not change stays where it is.
  void Save(Writer* out) const;
  // About as many bytes as that is.
  int64_t SavedBytes() const { return num_slots_ * 64; }
  // A table as it was saved, over a store that was loaded. `options` count, not those
  // of then: items that exceed them are removed, a sampler or remover of another kind
  // starts with the items in the order they came. kInvalidArgument when the outputs
  // cannot show the items, kDataLoss when what was saved, by a release of that
  // `version` of the format, contradicts itself or the store. `keys`: of an epoch in
  // which neither those that were saved nor those that were given out since are.
  static StatusOr<std::unique_ptr<Table>> Load(TableOptions options, StepStore* store,
                                               const std::vector<SegmentRows>& segments,
                                               KeySpace keys, uint32_t version,
                                               Reader* in);

  Status CheckValid() const;
  // Adds one to `refs[s]` for each item that holds segment s.
  void CountRefs(std::vector<int32_t>* refs) const;

 private:
  struct Item {
    Window window;  // length 0: the slot is free
    double priority = 0.0;
    int64_t inserted_at = 0;  // items inserted before it
    uint32_t life = 0;        // epoch and generation of its slot
    int32_t times_sampled = 0;
    bool live() const { return window.length > 0; }
  };
  static constexpr int kSlotBits = 31;
  static constexpr int64_t kSlotMask = (int64_t{1} << kSlotBits) - 1;
  static constexpr int kGenerationBits = 16;
  static constexpr uint32_t kLastGeneration = (1 << kGenerationBits) - 1;
  static constexpr int kLifeBits = 26;
  static constexpr uint32_t kLifeMask = (1 << kLifeBits) - 1;

  Table(TableOptions options, StepStore* store, uint64_t seed, RateLimiter limiter,
        KeySpace keys);

  Item& item(int64_t slot) { return items_[slot]; }
  const Item& item(int64_t slot) const { return items_[slot]; }
  // An item may lie on two lines.
  TFA_PREFETCHES void PrefetchItem(int64_t slot) const {
    __builtin_prefetch(&item(slot), 1);
    __builtin_prefetch(&item(slot) + 1, 1);
  }
  int64_t Key(int64_t slot) const;
  // Slot of a live key, or -1.
  int64_t FindSlot(int64_t key) const;
  uint32_t LifeInEpoch(uint32_t generation) const;
  // Whether no item can come after it. A free slot is given up then.
  static bool IsLast(uint32_t life) {
    return (life & kLastGeneration) == kLastGeneration;
  }
  Status CheckKeys(const int64_t* keys, int64_t n) const;
  int64_t DrawsLeft() const {
    return options_.max_times_sampled > 0 ? draws_left_ : RateLimiter::kUnbounded;
  }
  void ReserveMore(int64_t n, int64_t batch);
  void ReserveSlots(int64_t num_slots);
  void ReserveBatch(int64_t batch);
  void MakeSelectors();
  int64_t TakeSlot();
  int64_t ChooseRemoved();
  void InsertByAge(const Window* windows, const double* priorities, int64_t n,
                   std::vector<int64_t>* keys);
  void Fill(int64_t slot, const Window& window, double priority);
  void Empty(int64_t slot);
  void Remove(int64_t slot);
  void Release(int64_t slot);
  void DrawOneByOne(int64_t n, const SampleArrays& arrays, Window* windows);
  void Take(int64_t slot, int64_t i, const SampleArrays& arrays, Window* windows);
  Status CheckItem(int64_t slot) const;
  Status Contradiction() const;
  Status LoadItems(const std::vector<SegmentRows>& segments, uint32_t version,
                   Reader* in);
  bool LoadCounts(Reader* in);
  bool LoadSelector(const SelectorOptions& options, uint32_t version,
                    Selector* selector, Reader* in);
  void KeepWithinBounds();

  TableOptions options_;
  const bool shows_rows_;  // by a view that does not go by steps
  const int64_t shard_;
  int64_t epoch_;
  StepStore* const store_;
  Table* insert_on_sample_ = nullptr;
  RateLimiter limiter_;
  Random random_;
  std::unique_ptr<Selector> sampler_;
  std::unique_ptr<Selector> remover_;

  int64_t capacity_ = 0;   // slots for which there is room
  int64_t batch_ = 0;      // items of a call for which there is room
  SlotArray<Item> items_;  // by slot
  int64_t num_slots_ = 0;  // those from here on had no items since the last Reset
  uint32_t first_generation_ = 0;   // of a slot's first item since
  uint32_t last_generation_ = 0;    // the greatest that there was
  SlotArray<int64_t> free_slots_;   // that had items since the last Reset
  int64_t num_free_ = 0;
  int64_t num_last_ = 0;   // live items whose slots can have no other
  int64_t num_spent_ = 0;  // slots that are given up
  std::vector<int64_t> slots_;      // scratch of Draw and UpdatePriorities
  std::vector<double> priorities_;  // scratch of UpdatePriorities
  std::vector<Window> replaced_;    // scratch of InsertAll
  int64_t draws_left_ = 0;          // while max_times_sampled > 0
  int64_t num_stale_updates_ = 0;
  double max_priority_ = 1.0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_TABLE_H_
