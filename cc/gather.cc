#include "cc/gather.h"

#include <algorithm>
#include <functional>

namespace tfa {
namespace {

// A batch of so many bytes is worth waking other threads, which each take a few parts
// of it: one core does not use all that memory can give.
constexpr int64_t kSharedBytes = int64_t{4} << 20;
constexpr int64_t kParts = 8;

}  // namespace

Gather::Gather(const StepStore& store, const std::vector<View>& views,
               const GatherSize& size, void* const* outputs, Workers* workers)
    : store_(store),
      views_(views),
      size_(size),
      outputs_(outputs),
      workers_(workers),
      by_steps_(std::any_of(views.begin(), views.end(), [](const View& view) {
        return view.is_of_steps();
      })) {
  if (views.empty()) return;
  Prepare(&scratch_.emplace_back());
  int64_t bytes = 0;  // of an item
  for (const ViewGather& view : scratch_[0].views) bytes += view.item_bytes();
  if (size.num_items * bytes < kSharedBytes) return;
  // What is unpacked is for one thread.
  scratch_.resize(static_cast<size_t>(workers->num_threads()));
  for (size_t t = 1; t < scratch_.size(); ++t) Prepare(&scratch_[t]);
}

void Gather::Prepare(Scratch* scratch) const {
  const int64_t batch_size = size_.num_items / size_.num_batches;
  std::vector<ViewGather> gathers;
  gathers.reserve(views_.size());
  for (size_t v = 0; v < views_.size(); ++v) {
    gathers.emplace_back(store_, views_[v], batch_size, outputs_[v]);
  }
  std::vector<bool> adopted;
  for (const ViewGather& gather : gathers) {
    const auto adopts = [&](ViewGather& other) { return other.Adopt(gather); };
    adopted.push_back(std::any_of(gathers.begin(), gathers.end(), adopts));
  }
  scratch->views.reserve(views_.size());
  for (size_t v = 0; v < views_.size(); ++v) {
    if (adopted[v]) continue;
    scratch->views.push_back(gathers[v]);
    scratch->views.back().Reserve();
  }
  scratch->found.reset(new RowBlock[scratch->views.size()]);
  if (!by_steps_) return;
  scratch->items.steps.resize(kBlock);
  for (std::vector<StepRun>& runs : scratch->items.steps) {
    runs.reserve(static_cast<size_t>(size_.max_runs));
  }
}

void Gather::Locate(const Window* windows, int64_t begin, int64_t end,
                    ItemBlock* block) const {
  block->begin = begin;
  block->n = std::min(end - begin, kBlock);
  for (int64_t b = 0; b < block->n; ++b) {
    const Window& window = windows[begin + b];
    block->items[b] = {window, store_.SegmentData(window.segment)};
    if (by_steps_) {
      FindStepRuns(store_, window, &block->steps[static_cast<size_t>(b)]);
    }
  }
}

// Items [begin, end) of the sample.
void Gather::RunItems(const Window* windows, int64_t begin, int64_t end,
                      Scratch* scratch) const {
  for (int64_t at = begin; at < end; at += kBlock) {
    Locate(windows, at, end, &scratch->items);
    RowBlock* found = scratch->found.get();
    for (const ViewGather& view : scratch->views) view.Find(scratch->items, found++);
    found = scratch->found.get();
    for (const ViewGather& view : scratch->views) view.Run(scratch->items, *found++);
  }
}

void Gather::Run(const Window* windows) {
  if (scratch_.empty()) return;
  const int64_t n = size_.num_items;
  if (scratch_.size() == 1) return RunItems(windows, 0, n, &scratch_[0]);
  const int64_t num_parts = std::min(n, kParts * workers_->num_threads());
  const auto run_part = [&](int64_t part, int64_t thread) {
    RunItems(windows, n * part / num_parts, n * (part + 1) / num_parts,
             &scratch_[static_cast<size_t>(thread)]);
  };
  // By reference, which a function holds without memory of its own.
  workers_->Run(num_parts, std::ref(run_part));
}

}  // namespace tfa
