// A table in a checkpoint.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "cc/table.h"

namespace tfa {
namespace {

// An item as it is stored.
struct ItemRecord {
  uint32_t segment;  // the low bits of when it was started; to version 3, its number
  int32_t offset;
  int32_t length;  // 0: the slot is free
  uint32_t episode_step;
  double priority;
  int64_t inserted_at;
  uint32_t life;
  int32_t times_sampled;
};
static_assert(sizeof(ItemRecord) == 40, "no padding reaches the file");

// The numbers of the kinds are part of the format.
void PutSelector(const SelectorOptions& options, const Selector& selector,
                 Writer* out) {
  out->Put(static_cast<int32_t>(options.kind));
  const int64_t block = out->BeginBlock();
  selector.Save(out);
  out->EndBlock(block);
  out->EndSection();
}

// Finds segments by the low 32 bits of when they were started. So many are never in
// use that two of them have the same.
class SegmentFinder {
 public:
  SegmentFinder(const StepStore& store, const std::vector<SegmentRows>& segments) {
    for (const SegmentRows& each : segments) {
      const auto low = static_cast<uint32_t>(store.StartedAt(each.segment));
      found_.emplace_back(low, each.segment);
    }
    std::sort(found_.begin(), found_.end());
  }

  // -1 when there is none.
  int32_t Find(uint32_t low) const {
    const auto found = std::lower_bound(found_.begin(), found_.end(),
                                        std::pair<uint32_t, int32_t>(low, 0));
    return found != found_.end() && found->first == low ? found->second : -1;
  }

 private:
  std::vector<std::pair<uint32_t, int32_t>> found_;
};

// To version 3 these selectors were saved as their slots in the order of insertion.
bool WasAList(SelectorOptions::Kind kind) {
  using Kind = SelectorOptions::Kind;
  return kind == Kind::kFifo || kind == Kind::kLifo || kind == Kind::kMinHeap ||
         kind == Kind::kMaxHeap;
}

}  // namespace

void Table::Save(Writer* out) const {
  out->EndSection();
  out->PutArrayOf<ItemRecord>(num_slots_, [this](int64_t slot) {
    const Item& saved = item(slot);
    const Window window = saved.live() ? saved.window : Window();
    const int64_t started_at = saved.live() ? store_->StartedAt(window.segment) : 0;
    return ItemRecord{static_cast<uint32_t>(started_at),
                      window.offset,
                      window.length,
                      window.episode_step,
                      saved.live() ? saved.priority : 0.0,
                      saved.inserted_at,
                      saved.life,
                      saved.times_sampled};
  });
  out->EndSection();
  out->PutArrayOf<int64_t>(num_free_, [this](int64_t i) { return free_slots_[i]; });
  out->EndSection();
  out->Put(first_generation_);
  for (const uint64_t word : random_.state()) out->Put(word);
  for (const int64_t count : {limiter_.num_inserts(), limiter_.num_samples(),
                              limiter_.num_deletes(), num_stale_updates_}) {
    out->Put(count);
  }
  out->Put(max_priority_);
  out->EndSection();
  PutSelector(options_.sampler, *sampler_, out);
  PutSelector(options_.remover, *remover_, out);
}

StatusOr<std::unique_ptr<Table>> Table::Load(TableOptions options, StepStore* store,
                                             const std::vector<SegmentRows>& segments,
                                             KeySpace keys, uint32_t version,
                                             Reader* in) {
  StatusOr<std::unique_ptr<Table>> table =
      Create(std::move(options), store, 0, 1, keys);
  if (!table.ok()) return table.status();
  Table* const t = table->get();
  TFA_RETURN_IF_ERROR(t->LoadItems(segments, version, in));
  const bool good =
      t->LoadCounts(in) &&
      t->LoadSelector(t->options_.sampler, version, t->sampler_.get(), in) &&
      t->LoadSelector(t->options_.remover, version, t->remover_.get(), in) &&
      in->done();
  if (!good) return t->Contradiction();
  t->KeepWithinBounds();
  return table;
}

Status Table::Contradiction() const {
  return DataLossError("the checkpoint contradicts itself about table '" +
                       options_.name + "'");
}

Status Table::LoadItems(const std::vector<SegmentRows>& segments, uint32_t version,
                        Reader* in) {
  const std::vector<ItemRecord> records = in->GetArray<ItemRecord>();
  const std::vector<int64_t> free_slots = in->GetArray<int64_t>();
  if (version > 2) first_generation_ = in->Get<uint32_t>();
  if (!in->ok() || first_generation_ >= kLastGeneration) return Contradiction();
  last_generation_ = first_generation_;
  num_slots_ = static_cast<int64_t>(records.size());
  if (num_slots_ > capacity_) ReserveSlots(num_slots_);
  const SegmentFinder finder(*store_, segments);
  size_t num_free = 0;
  for (size_t slot = 0; slot < records.size(); ++slot) {
    const ItemRecord& record = records[slot];
    Item& loaded = item(static_cast<int64_t>(slot));
    if (record.times_sampled < 0) return Contradiction();
    const int32_t segment = version > 3 && record.length != 0
                                ? finder.Find(record.segment)
                                : static_cast<int32_t>(record.segment);
    loaded.window = {segment, record.offset, record.length, record.episode_step};
    loaded.priority = record.priority;
    loaded.inserted_at = record.inserted_at;
    loaded.life = record.life & kLifeMask;
    last_generation_ = std::max(last_generation_, loaded.life & kLastGeneration);
    loaded.times_sampled = record.times_sampled;
    if (!loaded.live()) {
      ++num_free;
      if (IsLast(loaded.life)) ++num_spent_;
      continue;
    }
    if (IsLast(loaded.life)) ++num_last_;
    if (!store_->Contains(loaded.window, segments)) return Contradiction();
    if (!ValidatePriorities(&record.priority, 1).ok()) return Contradiction();
    TFA_RETURN_IF_ERROR(CheckShows(loaded.window));
    store_->Ref(loaded.window);
    draws_left_ += options_.max_times_sampled - loaded.times_sampled;
  }
  if (num_free != free_slots.size() + static_cast<size_t>(num_spent_)) {
    return Contradiction();
  }
  std::vector<bool> seen(records.size());
  for (const int64_t slot : free_slots) {
    const auto index = static_cast<size_t>(slot);
    if (slot < 0 || slot >= num_slots_) return Contradiction();
    Item& each = item(slot);
    if (each.live() || IsLast(each.life) || seen[index]) return Contradiction();
    seen[index] = true;
    // What it has next is not what it had in the epoch that was restored from.
    each.life = LifeInEpoch(each.life & kLastGeneration);
    free_slots_[num_free_++] = slot;
  }
  return OkStatus();
}

bool Table::LoadCounts(Reader* in) {
  Random::State state{};
  for (uint64_t& word : state) word = in->Get<uint64_t>();
  if (state == Random::State{}) return false;
  random_.set_state(state);
  const auto inserts = in->Get<int64_t>();
  const auto samples = in->Get<int64_t>();
  const auto deletes = in->Get<int64_t>();
  limiter_.SetCounts(inserts, samples, deletes);
  num_stale_updates_ = in->Get<int64_t>();
  max_priority_ = in->Get<double>();
  const int64_t live = num_slots_ - num_free_ - num_spent_;
  if (inserts < 0 || samples < 0 || deletes < 0 || inserts - deletes != live) {
    return false;
  }
  return std::isfinite(max_priority_) &&
         std::all_of(items_.data(), items_.data() + num_slots_,
                     [this, inserts](const Item& each) {
                       return each.priority <= max_priority_ && 0 <= each.inserted_at &&
                              (!each.live() || each.inserted_at < inserts);
                     });
}

bool Table::LoadSelector(const SelectorOptions& options, uint32_t version,
                         Selector* selector, Reader* in) {
  const bool same_kind = in->Get<int32_t>() == static_cast<int32_t>(options.kind);
  Reader block = in->GetBlock();
  if (!in->ok()) return false;
  const auto num_slots = static_cast<size_t>(num_slots_);
  std::vector<double> priorities(num_slots);
  std::vector<bool> live(num_slots);
  for (size_t i = 0; i < num_slots; ++i) {
    const Item& each = item(static_cast<int64_t>(i));
    priorities[i] = each.priority;
    live[i] = each.live();
  }
  std::vector<int64_t> slots(num_slots);
  if (same_kind && version < 4 && WasAList(options.kind)) {
    if (!GetLiveSlots(&block, live, &slots) || !block.done()) return false;
    for (const int64_t slot : slots) selector->Insert(slot, item(slot).priority);
    return true;
  }
  if (same_kind) return selector->Load(&block, priorities, live) && block.done();
  std::iota(slots.begin(), slots.end(), 0);
  std::sort(slots.begin(), slots.end(), [this](int64_t a, int64_t b) {
    return item(a).inserted_at < item(b).inserted_at;
  });
  for (const int64_t slot : slots) {
    if (item(slot).live()) selector->Insert(slot, item(slot).priority);
  }
  return true;
}

// Removes what exceeds the bounds that the options set, which may be new ones.
void Table::KeepWithinBounds() {
  for (int64_t slot = 0; slot < num_slots_ && options_.max_times_sampled > 0; ++slot) {
    const bool spent = item(slot).times_sampled >= options_.max_times_sampled;
    if (item(slot).live() && spent) Remove(slot);
  }
  while (size() > options_.max_size) RemoveOne();
}

}  // namespace tfa
