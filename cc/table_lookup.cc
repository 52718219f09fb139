// Items by key, and options that change while a table is used.
#include <algorithm>
#include <string>
#include <utility>

#include "cc/table.h"

namespace tfa {

Status Table::Get(const int64_t* keys, int64_t n, const SampleArrays& arrays,
                  Window* windows) {
  TFA_RETURN_IF_ERROR(CheckKeys(keys, n));
  slots_.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t slot = FindSlot(keys[i]);
    if (slot < 0) {
      return NotFoundError("the item of key " + std::to_string(keys[i]) +
                           ", at index " + std::to_string(i) + ", has left table '" +
                           options_.name + "'");
    }
    slots_[static_cast<size_t>(i)] = slot;
  }
  sampler_->Probabilities(slots_.data(), n, arrays.probability);
  std::fill_n(arrays.weight, n, 1.0);
  for (int64_t i = 0; i < n; ++i) {
    const Item& found = item(slots_[static_cast<size_t>(i)]);
    arrays.key[i] = keys[i];
    arrays.priority[i] = found.priority;
    arrays.times_sampled[i] = found.times_sampled;
    arrays.age[i] = limiter_.num_inserts() - 1 - found.inserted_at;
    windows[i] = found.window;
    store_->Hold(found.window);
  }
  return OkStatus();
}

StatusOr<std::vector<int64_t>> Table::LiveKeys(const int64_t* keys, int64_t n) const {
  TFA_RETURN_IF_ERROR(CheckKeys(keys, n));
  std::vector<int64_t> live;
  live.reserve(static_cast<size_t>(n));
  std::copy_if(keys, keys + n, std::back_inserter(live),
               [this](int64_t key) { return FindSlot(key) >= 0; });
  return live;
}

StatusOr<int64_t> Table::FindWindows(const int64_t* keys, int64_t n,
                                     Window* windows) {
  TFA_RETURN_IF_ERROR(CheckKeys(keys, n));
  int64_t found = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t slot = FindSlot(keys[i]);
    windows[i] = slot < 0 ? Window() : item(slot).window;
    if (slot >= 0) ++found;
  }
  num_stale_updates_ += n - found;
  return found;
}

std::vector<ItemKey> Table::ListItems() const {
  std::vector<ItemKey> list;
  list.reserve(static_cast<size_t>(size()));
  for (int64_t slot = 0; slot < num_slots_; ++slot) {
    if (item(slot).live()) list.push_back({item(slot).inserted_at, Key(slot)});
  }
  return list;
}

// A new sampler takes up what the old one would save, so that nothing but weights
// changes.
Status Table::SetAlpha(double alpha) {
  const std::string where = "table '" + options_.name + "': ";
  SelectorOptions changed = options_.sampler;
  if (changed.kind != SelectorOptions::Kind::kPrioritized) {
    return InvalidArgumentError(where +
                                "its sampler has no alpha; only that of "
                                "Prioritized can be set");
  }
  changed.prioritized.alpha = alpha;
  const Status status = changed.Validate("sampler");
  if (!status.ok()) return Status(status.code(), where + status.message());
  const auto num_slots = static_cast<size_t>(num_slots_);
  std::vector<double> priorities(num_slots);
  std::vector<bool> live(num_slots);
  for (size_t i = 0; i < num_slots; ++i) {
    const Item& each = item(static_cast<int64_t>(i));
    priorities[i] = each.priority;
    live[i] = each.live();
  }
  Writer saved;
  sampler_->Save(&saved);
  Reader in(saved.data(), saved.size());
  std::unique_ptr<Selector> sampler = MakeSelector(changed);
  sampler->Reserve(capacity_, batch_);
  if (!sampler->Load(&in, priorities, live)) return Contradiction();
  sampler_ = std::move(sampler);
  options_.sampler = changed;
  return OkStatus();
}

Status Table::SetRateLimiter(const RateLimiterOptions& options, LimiterUse use) {
  use.max_size = options_.max_size;
  use.max_times_sampled = options_.max_times_sampled;
  StatusOr<RateLimiter> limiter = RateLimiter::Create(options, use);
  Status status = limiter.status();
  if (status.ok()) {
    // The counts so far need not be those of such batches: leads may be any that
    // single samples lead to.
    use.num_prefetched = use.batch_size * (use.num_prefetched + 1) - 1;
    use.batch_size = 1;
    status = limiter->Check(use);
  }
  if (!status.ok()) {
    return Status(status.code(), "table '" + options_.name + "': " + status.message());
  }
  limiter->SetCounts(limiter_.num_inserts(), limiter_.num_samples(),
                     limiter_.num_deletes());
  limiter_ = *std::move(limiter);
  options_.rate_limiter = options;
  return OkStatus();
}

}  // namespace tfa
