#include "cc/table.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tfa {
namespace {

constexpr int64_t kSlotMask = 0xffffffff;
constexpr uint32_t kGenerationMask = 0x7fffffff;
constexpr int64_t kMaxItems = int64_t{1} << 31;
// Slots whose memory is set aside (not touched) at once, so that it never moves.
constexpr int64_t kReservedSlots = int64_t{1} << 22;
constexpr int64_t kPrefetchItems = 8;

std::unique_ptr<Selector> MakeSelector(const SelectorOptions& options) {
  switch (options.kind) {
    case SelectorOptions::Kind::kPrioritized:
      return MakePrioritizedSelector(options.prioritized);
    case SelectorOptions::Kind::kFifo:
      return MakeFifoSelector();
    case SelectorOptions::Kind::kLifo:
      return MakeLifoSelector();
    case SelectorOptions::Kind::kMinHeap:
      return MakeMinHeapSelector();
    case SelectorOptions::Kind::kMaxHeap:
      return MakeMaxHeapSelector();
    case SelectorOptions::Kind::kWithoutReplacement:
      return MakeWithoutReplacementSelector();
    default:
      return MakeUniformSelector();
  }
}

Status CheckSelector(const SelectorOptions& options, const std::string& role) {
  if (options.kind != SelectorOptions::Kind::kPrioritized) return OkStatus();
  const PrioritizedOptions& prioritized = options.prioritized;
  if (!(std::isfinite(prioritized.alpha) && prioritized.alpha >= 0.0)) {
    return InvalidArgumentError(role +
                                " has alpha = " + std::to_string(prioritized.alpha) +
                                "; it must be finite and >= 0");
  }
  if (prioritized.uniform_mix >= 0.0 && prioritized.uniform_mix <= 1.0) {
    return OkStatus();
  }
  return InvalidArgumentError(
      role + " has uniform_mix = " + std::to_string(prioritized.uniform_mix) +
      "; it must be in [0, 1]");
}

Status CheckOptions(const TableOptions& options, const StepStore& store) {
  if (options.max_size < 1 || options.max_size >= kMaxItems) {
    return InvalidArgumentError("max_size is " + std::to_string(options.max_size) +
                                "; it must be in [1, 2^31)");
  }
  if (options.max_size < options.rate_limiter.min_size) {
    return InvalidArgumentError(
        "max_size " + std::to_string(options.max_size) +
        " is less than the rate limiter's min_size " +
        std::to_string(options.rate_limiter.min_size) +
        ", so nothing could ever be sampled; raise max_size or lower min_size");
  }
  if (options.max_times_sampled < 0 || options.max_times_sampled > INT32_MAX) {
    return InvalidArgumentError("max_times_sampled is " +
                                std::to_string(options.max_times_sampled) +
                                "; it must be in [0, 2^31), where 0 is no bound");
  }
  TFA_RETURN_IF_ERROR(CheckSelector(options.sampler, "sampler"));
  TFA_RETURN_IF_ERROR(CheckSelector(options.remover, "remover"));
  TFA_RETURN_IF_ERROR(options.pattern.Validate());
  for (const View& view : options.views) {
    TFA_RETURN_IF_ERROR(view.Validate(store.columns()));
  }
  return OkStatus();
}

// w_i = (N P_i)^-beta / max_j w_j (Schaul et al. 2016, section 3.4), where j runs
// over the batch and what else may have a probability as small as `least`.
// The largest weight is that of the smallest probability, against which N cancels.
void ImportanceWeights(double beta, double least, const double* probabilities,
                       int64_t n, double* weights) {
  if (beta == 0.0) {
    std::fill(weights, weights + n, 1.0);
    return;
  }
  least = std::min(least, *std::min_element(probabilities, probabilities + n));
  for (int64_t i = 0; i < n; ++i) {
    weights[i] = std::pow(least / probabilities[i], beta);
  }
}

}  // namespace

StatusOr<std::unique_ptr<Table>> Table::Create(TableOptions options, StepStore* store,
                                               uint64_t seed) {
  const std::string where = "table '" + options.name + "': ";
  Status status = CheckOptions(options, *store);
  if (!status.ok()) return Status(status.code(), where + status.message());
  StatusOr<RateLimiter> limiter = RateLimiter::Create(options.rate_limiter);
  status = limiter.status();
  if (status.ok()) status = limiter->CheckInsert(options.pattern.max_items());
  if (!status.ok()) return Status(status.code(), where + status.message());
  return std::unique_ptr<Table>(
      new Table(std::move(options), store, seed, std::move(*limiter)));
}

Table::Table(TableOptions options, StepStore* store, uint64_t seed, RateLimiter limiter)
    : options_(std::move(options)),
      store_(store),
      limiter_(std::move(limiter)),
      random_(seed),
      sampler_(MakeSelector(options_.sampler)),
      remover_(MakeSelector(options_.remover)) {
  items_.reserve(static_cast<size_t>(std::min(options_.max_size + 1, kReservedSlots)));
}

TableStats Table::stats() const {
  TableStats stats;
  stats.size = size();
  stats.num_inserted = limiter_.num_inserts();
  stats.num_sampled = limiter_.num_samples();
  stats.num_deleted = limiter_.num_deletes();
  stats.num_stale_updates = num_stale_updates_;
  stats.max_priority = max_priority_;
  return stats;
}

bool Table::CanSample(int64_t n) const {
  if (size() == 0 || !limiter_.CanSample(n)) return false;
  return options_.max_times_sampled == 0 || draws_left_ >= n;
}

std::string Table::WhyNotSample(int64_t n) const {
  if (CanSample(n)) return "";
  const std::string reason = limiter_.WhyNotSample(n);
  if (!reason.empty()) return reason;
  return std::to_string(draws_left_) + " draws left of " + std::to_string(size()) +
         " items (max_times_sampled " + std::to_string(options_.max_times_sampled) +
         ") < " + std::to_string(n);
}

Status Table::CheckBatch(int64_t batch_size, int64_t num_prefetched) const {
  Status status = limiter_.CheckBatch(batch_size, num_prefetched, options_.max_size,
                                      options_.max_times_sampled);
  if (status.ok()) return status;
  return Status(status.code(), "table '" + options_.name + "': " + status.message());
}

int64_t Table::Key(int64_t slot) const {
  return static_cast<int64_t>(item(slot).generation) << 32 | slot;
}

int64_t Table::FindSlot(int64_t key) const {
  const int64_t slot = key & kSlotMask;
  return item(slot).live() && Key(slot) == key ? slot : -1;
}

Status Table::CheckKeys(const int64_t* keys, int64_t n) const {
  const auto num_slots = static_cast<int64_t>(items_.size());
  for (int64_t i = 0; i < n; ++i) {
    if (keys[i] >= 0 && (keys[i] & kSlotMask) < num_slots) continue;
    return InvalidArgumentError("key " + std::to_string(keys[i]) + " at index " +
                                std::to_string(i) + " was never given out by table '" +
                                options_.name + "'; pass the keys of its samples");
  }
  return OkStatus();
}

int64_t Table::TakeSlot() {
  if (free_slots_.empty()) {
    items_.emplace_back();
    return static_cast<int64_t>(items_.size()) - 1;
  }
  const int64_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

int64_t Table::Insert(const Window& window, std::optional<double> priority) {
  const double p = priority.value_or(max_priority_);
  max_priority_ = std::max(max_priority_, p);
  const int64_t slot = TakeSlot();
  Item& added = item(slot);
  added.window = window;
  added.priority = p;
  added.inserted_at = limiter_.num_inserts();
  added.times_sampled = 0;
  store_->Ref(window);
  sampler_->Insert(slot, p);
  remover_->Insert(slot, p);
  draws_left_ += options_.max_times_sampled;
  const int64_t key = Key(slot);
  if (size() > options_.max_size) EvictOne();
  limiter_.Inserted(1);
  return key;
}

void Table::EvictOne() {
  int64_t evicted = 0;
  double probability = 0.0;
  remover_->Sample(1, &random_, &evicted, &probability);
  Remove(evicted);
}

void Table::Remove(int64_t slot) {
  Item& removed = item(slot);
  sampler_->Remove(slot);
  remover_->Remove(slot);
  store_->Unref(removed.window);
  draws_left_ -= options_.max_times_sampled - removed.times_sampled;
  removed.window.length = 0;
  removed.generation = (removed.generation + 1) & kGenerationMask;
  free_slots_.push_back(slot);
  limiter_.Deleted(1);
}

void Table::Take(int64_t slot, int64_t i, const SampleArrays& arrays, Window* windows) {
  Item& taken = item(slot);
  arrays.key[i] = Key(slot);
  arrays.priority[i] = taken.priority;
  if (taken.times_sampled < INT32_MAX) ++taken.times_sampled;
  arrays.times_sampled[i] = taken.times_sampled;
  arrays.age[i] = limiter_.num_inserts() - 1 - taken.inserted_at;
  windows[i] = taken.window;
  store_->Pin(taken.window);
}

void Table::Draw(int64_t n, const WeightOptions& weights, const SampleArrays& arrays,
                 Window* windows) {
  const bool by_table = weights.normalizer == WeightOptions::Normalizer::kTable &&
                        weights.beta > 0;  // what is not used is not computed
  const double least = by_table ? sampler_->LeastProbability() : 1.0;
  if (options_.max_times_sampled == 0) {
    slots_.resize(static_cast<size_t>(n));
    sampler_->Sample(n, &random_, slots_.data(), arrays.probability);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t ahead = std::min(i + kPrefetchItems, n - 1);
      __builtin_prefetch(&item(slots_[static_cast<size_t>(ahead)]), 1);
      Take(slots_[static_cast<size_t>(i)], i, arrays, windows);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) {
      int64_t slot = 0;
      sampler_->Sample(1, &random_, &slot, arrays.probability + i);
      Take(slot, i, arrays, windows);
      --draws_left_;
      if (item(slot).times_sampled >= options_.max_times_sampled) Remove(slot);
    }
  }
  limiter_.Sampled(n);
  ImportanceWeights(weights.beta, least, arrays.probability, n, arrays.weight);
}

StatusOr<int64_t> Table::UpdatePriorities(const int64_t* keys, const double* priorities,
                                          int64_t n) {
  TFA_RETURN_IF_ERROR(CheckKeys(keys, n));
  TFA_RETURN_IF_ERROR(ValidatePriorities(priorities, n));
  slots_.clear();
  priorities_.clear();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t ahead = std::min(i + kPrefetchItems, n - 1);
    __builtin_prefetch(&item(keys[ahead] & kSlotMask), 1);
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
  for (int64_t slot = 0; slot < static_cast<int64_t>(items_.size()); ++slot) {
    if (item(slot).live()) Remove(slot);
  }
  limiter_.Reset();
  num_stale_updates_ = 0;
  max_priority_ = 1.0;
}

void Table::CountRefs(std::vector<int32_t>* refs) const {
  for (const Item& each : items_) {
    if (each.live()) store_->CountRefs(each.window, refs);
  }
}

Status Table::CheckItem(int64_t slot) const {
  const Item& checked = item(slot);
  if (!std::isfinite(checked.priority) || checked.priority < 0.0 ||
      checked.priority > max_priority_) {
    return FailedPreconditionError("an item's priority is out of range");
  }
  Window at = checked.window;
  for (int32_t i = 0; i < checked.window.length; ++i) {
    const uint32_t expected = checked.window.episode_step + static_cast<uint32_t>(i);
    if (store_->EpisodeStep(at.segment, at.offset) != expected) {
      return FailedPreconditionError("an item's rows are not consecutive");
    }
    if (i + 1 < checked.window.length) store_->Advance(&at.segment, &at.offset, 1);
  }
  return OkStatus();
}

Status Table::CheckValid() const {
  TFA_RETURN_IF_ERROR(sampler_->CheckValid());
  TFA_RETURN_IF_ERROR(remover_->CheckValid());
  int64_t live = 0;
  int64_t draws_left = 0;
  for (int64_t slot = 0; slot < static_cast<int64_t>(items_.size()); ++slot) {
    if (!item(slot).live()) continue;
    ++live;
    draws_left += options_.max_times_sampled - item(slot).times_sampled;
    TFA_RETURN_IF_ERROR(CheckItem(slot));
  }
  const auto slots = static_cast<int64_t>(items_.size() - free_slots_.size());
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
