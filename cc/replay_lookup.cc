// Items by key, and options that change while a replay is used.
#include <algorithm>
#include <cmath>
#include <string>

#include "cc/gather.h"
#include "cc/replay.h"

namespace tfa {

Status Replay::Get(int64_t table, const int64_t* keys, int64_t n,
                   const SampleArrays& arrays, void* const* outputs,
                   Deadline deadline) try {
  std::vector<Window> windows(static_cast<size_t>(n));
  const GatherSize size = {n, 1, max_runs_};
  Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  if (n == 0) return OkStatus();
  while (num_overwrites_ > 0) {
    TFA_RETURN_IF_ERROR(
        AwaitOverwrites(kGets, "waiting to look items up", &lock, deadline));
    TFA_RETURN_IF_ERROR(CheckOpen());
  }
  const std::shared_ptr<StepStore> store = store_;
  Gather gather(*store, table_options(table).views, size, outputs, &workers_);
  At(table).Reserve(n);
  const int64_t begun = store->BeginGather();
  const Status status = At(table).Get(keys, n, arrays, windows.data());
  if (!status.ok()) {
    store->EndGather(begun, nullptr, 0);
    return status;
  }
  RunGather(begun, windows, store.get(), &gather, &lock);
  return OkStatus();
} catch (const std::bad_alloc&) {
  return NoMemory("look up items");
}

StatusOr<std::vector<int64_t>> Replay::LiveKeys(int64_t table, const int64_t* keys,
                                                int64_t n) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).LiveKeys(keys, n);
}

StatusOr<std::vector<int64_t>> Replay::Keys(int64_t table) {
  Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  std::vector<ItemKey> items = At(table).ListItems();
  lock.unlock();  // the rest takes longer, and is nobody else's business
  std::sort(items.begin(), items.end(), [](const ItemKey& a, const ItemKey& b) {
    return a.inserted_at < b.inserted_at;
  });
  std::vector<int64_t> keys(items.size());
  std::transform(items.begin(), items.end(), keys.begin(),
                 [](const ItemKey& item) { return item.key; });
  return keys;
}

Status Replay::SetAlpha(int64_t table, double alpha) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return At(table).SetAlpha(alpha);
}

Status Replay::SetRateLimiter(int64_t table, const RateLimiterOptions& limiter) {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  TableOptions changed = At(table).options();
  changed.rate_limiter = limiter;
  TFA_RETURN_IF_ERROR(CheckBudget(*store_, {changed}));
  for (const std::unique_ptr<Table>& source : tables_) {
    if (source->insert_on_sample() != &At(table)) continue;
    TFA_RETURN_IF_ERROR(CheckTakesCopies(*source, changed));
  }
  TFA_RETURN_IF_ERROR(
      At(table).SetRateLimiter(limiter, uses_[static_cast<size_t>(table)]));
  waiters_.Notify();
  return OkStatus();
}

// The tables' options, as they were changed since the replay was made.
std::vector<TableOptions> Replay::CurrentOptions() const {
  const Lock lock(mutex_);
  std::vector<TableOptions> options;
  for (const std::unique_ptr<Table>& table : tables_) {
    options.push_back(table->options());
  }
  return options;
}

}  // namespace tfa
