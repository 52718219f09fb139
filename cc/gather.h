// Gathering: copies what the views of a sample show into arrays of a batch.
#ifndef TFAGENTS_CORE_CC_GATHER_H_
#define TFAGENTS_CORE_CC_GATHER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "cc/step_store.h"
#include "cc/view.h"
#include "cc/view_gather.h"
#include "cc/workers.h"

namespace tfa {

// What a sample asks for.
struct GatherSize {
  int64_t num_items = 0;
  int64_t num_batches = 1;  // of as many items each
  int64_t max_runs = 1;     // episodes that an item has steps of, at most
};

// Copies what views show of the items of a sample into `outputs`, one array a view, as
// equal batches of successive items, one behind the other: only where time comes first
// do they differ from one batch.
//
// All memory that this takes is fetched when it is made, so that a sample can find out
// that there is none before it draws. Not thread-safe.
class Gather {
 public:
  // Borrows all but `size`. std::bad_alloc when there is no memory.
  // REQUIRES: each view is valid for the store's columns; num_items is a multiple of
  // num_batches.
  Gather(const StepStore& store, const std::vector<View>& views, const GatherSize& size,
         void* const* outputs, Workers* workers);

  // Goes by blocks of items, and asks for the rows that all views need of a block while
  // it copies those of the block before: so the misses of many items overlap.
  // Reads rows only, which never change while pinned: no lock is needed.
  // Much is shared with the workers. O(bytes written); for kReturn and kDiscount
  // O(rows of the items).
  // REQUIRES: `windows` of num_items items, pinned.
  void Run(const Window* windows);

 private:
  // What one thread works with.
  struct Block {
    ItemBlock items;
    std::unique_ptr<RowBlock[]> found;  // by view
  };
  struct Scratch {
    std::vector<ViewGather> views;  // without those that another adopted
    Block blocks[2];
  };

  void Prepare(Scratch* scratch) const;
  void Locate(const Window* windows, int64_t begin, int64_t end,
              ItemBlock* block) const;
  void RunItems(const Window* windows, int64_t begin, int64_t end,
                Scratch* scratch) const;

  const StepStore& store_;
  const std::vector<View>& views_;
  const GatherSize size_;
  void* const* const outputs_;
  Workers* const workers_;
  const bool by_steps_;           // some view goes by them
  std::vector<Scratch> scratch_;  // by thread
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_GATHER_H_
