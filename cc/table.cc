#include "cc/table.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "cc/power.h"
#include "cc/step_runs.h"

namespace tfa {
namespace {

// Room that a table has at least.
constexpr int64_t kMinSlots = 64;
constexpr int64_t kMinBatch = 64;
constexpr int64_t kPrefetchItems = 24;
constexpr int64_t kDrawAhead = 256;

// w_i = (N P_i)^-beta / max_j w_j (Schaul et al. 2016, section 3.4), where j runs
// over the batch and what else may have a probability as small as `least`.
// The largest weight is that of the smallest probability, against which N cancels.
void ImportanceWeights(double beta, double least, const double* probabilities,
                       int64_t n, double* weights) {
  if (beta == 0.0) {
    std::fill(weights, weights + n, 1.0);
    return;
  }
  for (int64_t i = 0; i < n; ++i) least = std::min(least, probabilities[i]);
  for (int64_t i = 0; i < n; ++i) weights[i] = least / probabilities[i];
  Power(weights, n, beta, weights);
}

// Steps of an item from its first row to its last; 0 if these are of none.
int64_t NumSteps(const StepStore& store, const Window& window) {
  std::vector<StepRun> runs;
  FindStepRuns(store, window, &runs);
  if (runs.empty()) return 0;
  const StepRun& last = runs.back();
  if (runs.front().row > 0 || last.row + last.steps + 1 < window.length) return 0;
  int64_t num_steps = 0;
  for (const StepRun& run : runs) num_steps += run.steps;
  return num_steps;
}

}  // namespace

Status KeySpace::Validate() const {
  if (shard >= 0 && shard < kShards && epoch >= 0 && epoch < kEpochs) return OkStatus();
  return InvalidArgumentError("shard " + std::to_string(shard) +
                              " must be in [0, 64), epoch " + std::to_string(epoch) +
                              " in [0, 1024)");
}

StatusOr<std::unique_ptr<Table>> Table::Create(TableOptions options, StepStore* store,
                                               uint64_t seed, int64_t num_rows,
                                               KeySpace keys) {
  const std::string where = "table '" + options.name + "': ";
  Status status = options.Validate(store->columns());
  if (!status.ok()) return Status(status.code(), where + status.message());
  LimiterUse use = {1, 0, 1, options.max_size, options.max_times_sampled};
  use.max_inserts = options.pattern.MostItems(num_rows, store->options().num_streams);
  StatusOr<RateLimiter> limiter = RateLimiter::Create(options.rate_limiter, use);
  status = limiter.status();
  if (!status.ok()) return Status(status.code(), where + status.message());
  return std::unique_ptr<Table>(
      new Table(std::move(options), store, seed, std::move(*limiter), keys));
}

Table::Table(TableOptions options, StepStore* store, uint64_t seed, RateLimiter limiter,
             KeySpace keys)
    : options_(std::move(options)),
      shows_rows_(!std::all_of(options_.views.begin(), options_.views.end(),
                               [](const View& view) { return view.is_of_steps(); })),
      shard_(keys.shard),
      epoch_(keys.epoch),
      store_(store),
      limiter_(std::move(limiter)),
      random_(seed) {
  MakeSelectors();
  try {
    ReserveSlots(options_.max_size + 1);
  } catch (const std::bad_alloc&) {
    // What was set aside so far may be all the address space that there is.
    items_ = {};
    free_slots_ = {};
    MakeSelectors();
  }
  ReserveMore(1, 1);
}

void Table::MakeSelectors() {
  sampler_ = MakeSelector(options_.sampler);
  remover_ = MakeSelector(options_.remover);
}

void Table::ReserveMore(int64_t n, int64_t batch) {
  // There is one item above max_size only between an insert and the removal after it.
  int64_t most = options_.max_size + 1 + num_spent_;
  if (last_generation_ + n >= kLastGeneration) most += n;  // slots may be given up
  most = std::max(most, capacity_);
  const int64_t slots = std::min(num_slots_ + n, most);
  if (slots > capacity_) {
    ReserveSlots(std::min(std::max({slots, 2 * capacity_, kMinSlots}), most));
  }
  if (batch > batch_) ReserveBatch(std::max({batch, 2 * batch_, kMinBatch}));
}

// A failure leaves some of the parts with more room than the others, which is no harm.
void Table::ReserveSlots(int64_t num_slots) {
  items_.Reserve(num_slots);
  free_slots_.Reserve(num_slots);
  sampler_->Reserve(num_slots, batch_);
  remover_->Reserve(num_slots, batch_);
  capacity_ = num_slots;
}

void Table::ReserveBatch(int64_t batch) {
  slots_.reserve(static_cast<size_t>(batch));
  priorities_.reserve(static_cast<size_t>(batch));
  replaced_.reserve(static_cast<size_t>(batch));
  sampler_->Reserve(capacity_, batch);
  remover_->Reserve(capacity_, batch);
  batch_ = batch;
}

TableStats Table::stats() const {
  TableStats stats;
  stats.size = size();
  stats.num_inserted = limiter_.num_inserts();
  stats.num_sampled = limiter_.num_samples();
  stats.num_deleted = limiter_.num_deletes();
  stats.num_stale_updates = num_stale_updates_;
  stats.max_priority = max_priority_;
  stats.total_weight = sampler_->TotalWeight();
  stats.least_weight = sampler_->LeastWeight();
  return stats;
}

bool Table::CanSample(int64_t n) const {
  if (size() == 0 || !limiter_.CanSample(n)) return false;
  return options_.max_times_sampled == 0 || draws_left_ >= n;
}

bool Table::is_queue() const {
  const RateLimiterOptions& limiter = options_.rate_limiter;
  return options_.max_times_sampled > 0 && std::isfinite(limiter.max_diff) &&
         static_cast<double>(options_.max_times_sampled) <= limiter.samples_per_insert;
}

std::string Table::WhyNotSample(int64_t n) const {
  if (CanSample(n)) return "";
  const std::string reason = limiter_.WhyNotSample(n);
  if (!reason.empty()) return reason;
  return std::to_string(draws_left_) + " draws left of " + std::to_string(size()) +
         " items (max_times_sampled " + std::to_string(options_.max_times_sampled) +
         ") < " + std::to_string(n);
}

Status Table::CheckUse(LimiterUse use) const {
  use.max_size = options_.max_size;
  use.max_times_sampled = options_.max_times_sampled;
  const Status status = limiter_.Check(use);
  if (status.ok()) return status;
  return Status(status.code(), "table '" + options_.name + "': " + status.message());
}

int64_t Table::Key(int64_t slot) const {
  const auto life = static_cast<int64_t>(item(slot).life);
  return (shard_ << kLifeBits | life) << kSlotBits | slot;
}

int64_t Table::FindSlot(int64_t key) const {
  const int64_t slot = key & kSlotMask;
  if (slot >= num_slots_) return -1;
  return item(slot).live() && Key(slot) == key ? slot : -1;
}

Status Table::CheckKeys(const int64_t* keys, int64_t n) const {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t shard = keys[i] >> (kLifeBits + kSlotBits);
    if (shard == shard_) continue;
    return InvalidArgumentError("key " + std::to_string(keys[i]) + " at index " +
                                std::to_string(i) + " was never given out by table '" +
                                options_.name + "'" +
                                (keys[i] < 0 ? std::string()
                                             : " of shard " +
                                                   std::to_string(shard_)) +
                                "; pass the keys of its samples");
  }
  return OkStatus();
}

uint32_t Table::LifeInEpoch(uint32_t generation) const {
  return static_cast<uint32_t>(epoch_) << kGenerationBits | generation;
}

int64_t Table::TakeSlot() {
  if (num_free_ > 0) return free_slots_[--num_free_];
  const int64_t slot = num_slots_++;
  item(slot).life = LifeInEpoch(first_generation_);
  return slot;
}

Status Table::CheckShows(const Window& window) const {
  const std::string where = "table '" + options_.name + "': ";
  if (options_.pattern.kind == Pattern::Kind::kUnroll) {
    const int64_t num_steps = NumSteps(*store_, window);
    if (num_steps == options_.pattern.length) return OkStatus();
    return InvalidArgumentError(where + "an item has " + std::to_string(num_steps) +
                                " steps, but its unrolls have " +
                                std::to_string(options_.pattern.length));
  }
  if (!shows_rows_ || !store_->RunsOverAnEpisodesEnd(window)) return OkStatus();
  return InvalidArgumentError(where +
                              "an item runs over the end of an episode, which only "
                              "outputs of Step, Steps and IsFirst can show");
}

int64_t Table::Insert(const Window& window, std::optional<double> priority) {
  Reserve(1);
  const double p = priority.value_or(max_priority_);
  const int64_t slot = TakeSlot();
  store_->Ref(window);
  Fill(slot, window, p);
  sampler_->Insert(slot, p);
  remover_->Insert(slot, p);
  const int64_t key = Key(slot);
  if (size() > options_.max_size) RemoveOne();
  return key;
}

void Table::InsertAll(const Window* windows, const double* priorities, int64_t n,
                      std::vector<int64_t>* keys) {
  Reserve(n);
  if (priorities == nullptr) {
    priorities_.assign(static_cast<size_t>(n), max_priority_);
    priorities = priorities_.data();
  }
  for (int64_t i = 0; i < n;) {
    const bool by_age =
        options_.remover.kind == SelectorOptions::Kind::kFifo && num_last_ == 0;
    // Of so many, none is removed for another.
    const int64_t count = by_age ? std::min(n - i, options_.max_size) : 1;
    if (by_age) {
      InsertByAge(windows + i, priorities + i, count, keys);
    } else {
      const int64_t key = Insert(windows[i], priorities[i]);
      if (keys != nullptr) keys->push_back(key);
    }
    i += count;
  }
}

// Where the oldest items are removed, each new one takes the slot of one of them once
// the table is full: so nothing need be moved. REQUIRES: n <= max_size, num_last_ == 0.
void Table::InsertByAge(const Window* windows, const double* priorities, int64_t n,
                        std::vector<int64_t>* keys) {
  const int64_t num_replaced = std::max<int64_t>(size() + n - options_.max_size, 0);
  const int64_t num_added = n - num_replaced;
  slots_.resize(static_cast<size_t>(n));
  int64_t* const slots = slots_.data();
  for (int64_t i = 0; i < num_added; ++i) slots[i] = TakeSlot();
  if (num_added > 0) {
    sampler_->InsertAll(slots, priorities, num_added);
    remover_->InsertAll(slots, priorities, num_added);
  }
  if (num_replaced > 0) {
    const double* const of_replaced = priorities + num_added;
    remover_->Renew(of_replaced, num_replaced, &random_, slots + num_added);
    sampler_->ReplaceAll(slots + num_added, of_replaced, num_replaced);
  }
  store_->RefAll(windows, n);
  replaced_.clear();
  for (int64_t i = 0; i < n; ++i) {
    if (i >= num_added) {
      replaced_.push_back(item(slots[i]).window);
      Empty(slots[i]);
    }
    Fill(slots[i], windows[i], priorities[i]);
    if (keys != nullptr) keys->push_back(Key(slots[i]));
  }
  store_->UnrefAll(replaced_.data(), num_replaced);
}

// Fills a free slot, for whose window there is a reference.
void Table::Fill(int64_t slot, const Window& window, double priority) {
  max_priority_ = std::max(max_priority_, priority);
  Item& added = item(slot);
  added.window = window;
  added.priority = priority;
  added.inserted_at = limiter_.num_inserts();
  added.times_sampled = 0;
  if (IsLast(added.life)) ++num_last_;
  draws_left_ += options_.max_times_sampled;
  limiter_.Inserted(1);
}

// Empties a slot, whose window keeps its reference.
void Table::Empty(int64_t slot) {
  Item& removed = item(slot);
  draws_left_ -= options_.max_times_sampled - removed.times_sampled;
  removed.window.length = 0;
  if (IsLast(removed.life)) {
    --num_last_;
  } else {
    const uint32_t next = (removed.life & kLastGeneration) + 1;
    removed.life = LifeInEpoch(next);
    last_generation_ = std::max(last_generation_, next);
  }
  limiter_.Deleted(1);
}

int64_t Table::ChooseRemoved() {
  int64_t slot = 0;
  double probability = 0.0;
  remover_->Sample(1, &random_, &slot, &probability);
  return slot;
}

void Table::RemoveOne() { Remove(ChooseRemoved()); }

int64_t Table::RemovableSince() {
  return store_->StartedAt(item(ChooseRemoved()).window.segment);
}

void Table::Remove(int64_t slot) {
  sampler_->Remove(slot);
  remover_->Remove(slot);
  store_->Unref(item(slot).window);
  Empty(slot);
  Release(slot);
}

// Lets an empty slot have another item, if it can.
void Table::Release(int64_t slot) {
  if (IsLast(item(slot).life)) {
    ++num_spent_;
  } else {
    free_slots_[num_free_++] = slot;
  }
}

void Table::Take(int64_t slot, int64_t i, const SampleArrays& arrays, Window* windows) {
  Item& taken = item(slot);
  arrays.key[i] = Key(slot);
  arrays.priority[i] = taken.priority;
  if (taken.times_sampled < INT32_MAX) ++taken.times_sampled;
  arrays.times_sampled[i] = taken.times_sampled;
  arrays.age[i] = limiter_.num_inserts() - 1 - taken.inserted_at;
  windows[i] = taken.window;
  store_->Hold(taken.window);
  if (taken.times_sampled == 1 && insert_on_sample_ != nullptr) {
    insert_on_sample_->Insert(taken.window, taken.priority);
  }
}

void Table::Draw(int64_t n, const WeightOptions& weights, const SampleArrays& arrays,
                 Window* windows, int64_t num_batches) {
  Reserve(n);
  if (insert_on_sample_ != nullptr) insert_on_sample_->Reserve(n);
  const bool by_table = weights.normalizer == WeightOptions::Normalizer::kTable &&
                        weights.beta > 0;  // what is not used is not computed
  const double least = by_table ? sampler_->LeastProbability() : 1.0;
  limiter_.Sampled(n);
  const auto weigh = [&] {
    const int64_t batch_size = n / num_batches;
    for (int64_t i = 0; i < n; i += batch_size) {
      ImportanceWeights(weights.beta, least, arrays.probability + i, batch_size,
                        arrays.weight + i);
    }
  };
  if (options_.max_times_sampled > 0) {
    DrawOneByOne(n, arrays, windows);
    return weigh();
  }
  slots_.resize(static_cast<size_t>(n));
  const int64_t* const slots = slots_.data();
  sampler_->Sample(n, &random_, slots_.data(), arrays.probability);
  for (int64_t i = 0; i < std::min(n, kDrawAhead); ++i) PrefetchItem(slots[i]);
  // Computed while the items are on their way.
  weigh();
  for (int64_t i = 0; i < n; ++i) {
    if (i + kDrawAhead < n) PrefetchItem(slots[i + kDrawAhead]);
    Take(slots[i], i, arrays, windows);
  }
}

void Table::DrawOneByOne(int64_t n, const SampleArrays& arrays, Window* windows) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t slot = 0;
    sampler_->Sample(1, &random_, &slot, arrays.probability + i);
    Take(slot, i, arrays, windows);
    --draws_left_;
    if (item(slot).times_sampled >= options_.max_times_sampled) Remove(slot);
  }
}

StatusOr<int64_t> Table::UpdatePriorities(const int64_t* keys, const double* priorities,
                                          int64_t n) {
  TFA_RETURN_IF_ERROR(CheckKeys(keys, n));
  TFA_RETURN_IF_ERROR(ValidatePriorities(priorities, n));
  Reserve(n);
  slots_.clear();
  priorities_.clear();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t ahead = std::min(i + kPrefetchItems, n - 1);
    PrefetchItem(std::min(keys[ahead] & kSlotMask, capacity_ - 1));
    const int64_t slot = FindSlot(keys[i]);
    if (slot < 0) continue;
    slots_.push_back(slot);
    priorities_.push_back(priorities[i]);
    item(slot).priority = priorities[i];
    max_priority_ = std::max(max_priority_, priorities[i]);
  }
  const auto written = static_cast<int64_t>(slots_.size());
  if (written > 0) {
    sampler_->Update(slots_.data(), priorities_.data(), written);
    remover_->Update(slots_.data(), priorities_.data(), written);
  }
  num_stale_updates_ += n - written;
  return written;
}

StatusOr<int64_t> Table::Delete(const int64_t* keys, int64_t n) {
  TFA_RETURN_IF_ERROR(CheckKeys(keys, n));
  int64_t deleted = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t slot = FindSlot(keys[i]);
    if (slot < 0) continue;
    Remove(slot);
    ++deleted;
  }
  return deleted;
}

void Table::Reset() {
  items_.Clear();
  free_slots_.Clear();
  num_slots_ = 0;
  num_free_ = 0;
  // All slots begin anew, none with what it had before.
  first_generation_ = last_generation_ + 1;
  if (first_generation_ > kLastGeneration / 2) {
    first_generation_ = 0;
    epoch_ = (epoch_ + 1) % KeySpace::kEpochs;
  }
  last_generation_ = first_generation_;
  num_last_ = 0;
  num_spent_ = 0;
  sampler_->Clear();
  remover_->Clear();
  draws_left_ = 0;
  limiter_.Reset();
  num_stale_updates_ = 0;
  max_priority_ = 1.0;
}

void Table::CountRefs(std::vector<int32_t>* refs) const {
  for (int64_t slot = 0; slot < num_slots_; ++slot) {
    if (item(slot).live()) store_->CountRefs(item(slot).window, refs);
  }
}

Status Table::CheckItem(int64_t slot) const {
  const Item& checked = item(slot);
  if (!std::isfinite(checked.priority) || checked.priority < 0.0 ||
      checked.priority > max_priority_) {
    return FailedPreconditionError("an item's priority is out of range");
  }
  Window at = checked.window;
  uint32_t expected = checked.window.episode_step;
  for (int32_t i = 0; i < checked.window.length; ++i) {
    const uint32_t step = store_->EpisodeStep(at.segment, at.offset);
    const bool begins = i > 0 && step == 0;
    if (step != expected && !begins) {
      return FailedPreconditionError("an item's rows are not consecutive");
    }
    expected = step + 1;
    if (i + 1 < checked.window.length) store_->Advance(&at.segment, &at.offset, 1);
  }
  return CheckShows(checked.window);
}

Status Table::CheckValid() const {
  TFA_RETURN_IF_ERROR(sampler_->CheckValid());
  TFA_RETURN_IF_ERROR(remover_->CheckValid());
  int64_t live = 0;
  int64_t draws_left = 0;
  for (int64_t slot = 0; slot < num_slots_; ++slot) {
    if (!item(slot).live()) continue;
    ++live;
    draws_left += options_.max_times_sampled - item(slot).times_sampled;
    TFA_RETURN_IF_ERROR(CheckItem(slot));
  }
  const int64_t slots = num_slots_ - num_free_ - num_spent_;
  const int64_t counted = limiter_.num_inserts() - limiter_.num_deletes();
  if (live != slots || live != sampler_->size() || live != remover_->size() ||
      live != counted || live > options_.max_size) {
    return FailedPreconditionError("table '" + options_.name + "' has " +
                                   std::to_string(live) +
                                   " items, its parts count differently");
  }
  if (options_.max_times_sampled > 0 && draws_left != draws_left_) {
    return FailedPreconditionError("table '" + options_.name + "' miscounts draws");
  }
  return OkStatus();
}

}  // namespace tfa
