#include "cc/gather.h"

#include <algorithm>
#include <memory>

#include "cc/view_gather.h"

namespace tfa {
namespace {

// A batch of so many bytes is worth waking other threads, which each take a few parts
// of it: one core does not use all that memory can give.
constexpr int64_t kSharedBytes = int64_t{4} << 20;
constexpr int64_t kParts = 8;
// Items so long, unless they are unpacked, come as fast as memory gives them to one.
constexpr int64_t kStreamedBytes = int64_t{256} << 10;

// The views, those that another adopted left out.
std::vector<ViewGather> Prepare(const StepStore& store, const std::vector<View>& views,
                                int64_t batch_size, void* const* outputs) {
  std::vector<ViewGather> gathers;
  gathers.reserve(views.size());
  for (const View& view : views) {
    gathers.emplace_back(store, view, batch_size, *outputs++);
  }
  std::vector<bool> adopted;
  for (const ViewGather& gather : gathers) {
    const auto adopts = [&](ViewGather& other) { return other.Adopt(gather); };
    adopted.push_back(std::any_of(gathers.begin(), gathers.end(), adopts));
  }
  std::vector<ViewGather> kept;
  kept.reserve(views.size());
  for (size_t v = 0; v < views.size(); ++v) {
    if (!adopted[v]) kept.push_back(gathers[v]);
  }
  return kept;
}

void Locate(const StepStore& store, const Window* windows, int64_t begin, int64_t end,
            ItemBlock* block) {
  block->begin = begin;
  block->n = std::clamp<int64_t>(end - begin, 0, kBlock);
  for (int64_t b = 0; b < block->n; ++b) {
    const Window& window = windows[begin + b];
    block->items[b] = {window, store.SegmentData(window.segment)};
    if (block->steps.empty()) continue;
    FindStepRuns(store, window, &block->steps[static_cast<size_t>(b)]);
  }
}

// Items [begin, end) of the sample.
void GatherItems(const StepStore& store, const std::vector<ViewGather>& gathers,
                 bool by_steps, const Window* windows, int64_t begin, int64_t end) {
  struct Block {
    ItemBlock items;
    std::unique_ptr<RowBlock[]> found;  // by view
  };
  Block blocks[2];
  Block* next = &blocks[0];
  Block* at_hand = &blocks[1];
  for (Block& block : blocks) {
    block.found.reset(new RowBlock[gathers.size()]);
    if (by_steps) block.items.steps.resize(kBlock);
  }
  const auto find = [&](int64_t from) {
    Locate(store, windows, from, end, &next->items);
    RowBlock* found = next->found.get();
    for (const ViewGather& gather : gathers) gather.Find(next->items, found++);
  };
  find(begin);
  while (next->items.n > 0) {
    std::swap(next, at_hand);
    find(at_hand->items.begin + at_hand->items.n);
    const RowBlock* found = at_hand->found.get();
    for (const ViewGather& gather : gathers) gather.Run(at_hand->items, *found++);
  }
}

}  // namespace

void Gather(const StepStore& store, const std::vector<View>& views,
            const Window* windows, int64_t n, void* const* outputs, Workers* workers,
            int64_t num_batches) {
  if (views.empty()) return;
  const int64_t batch_size = n / num_batches;
  const std::vector<ViewGather> gathers = Prepare(store, views, batch_size, outputs);
  const bool by_steps = std::any_of(
      views.begin(), views.end(), [](const View& view) { return view.is_of_steps(); });
  int64_t bytes = 0;  // of an item
  for (const ViewGather& gather : gathers) bytes += gather.item_bytes();
  const bool streams = bytes >= kStreamedBytes && !store.layout().packs();
  if (streams || n * bytes < kSharedBytes) {
    return GatherItems(store, gathers, by_steps, windows, 0, n);
  }
  const int64_t num_parts = std::min(n, kParts * workers->num_threads());
  workers->Run(num_parts, [&](int64_t part) {
    // What is unpacked is for one thread.
    const std::vector<ViewGather> own = Prepare(store, views, batch_size, outputs);
    GatherItems(store, own, by_steps, windows, n * part / num_parts,
                n * (part + 1) / num_parts);
  });
}

}  // namespace tfa
