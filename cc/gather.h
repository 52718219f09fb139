// Gathering: copies what the views of a sample show into arrays of a batch.
//
// A draw gives windows: for each item of the batch a place among segments that lie
// anywhere in memory. Almost all of a gather's time is spent waiting for that memory,
// and its code is as it is so that many waits overlap:
//
//   Gather         goes through the batch in blocks of 32 items (kBlock). For a block
//                  it first lets every view `Find` its rows, then every view `Run`.
//     ViewGather   one view, that is one output array. Find computes where the rows of
//                  all items of the block begin and asks for them (prefetch); Run
//                  copies or sums them, by when they have come.
//       ColumnReader   where row i of a window lies in a column: near, in the segment
//                  where the window begins; far, in a later one, which costs a step a
//                  segment; or packed, and then a block of rows is unpacked first.
//       RowCopy, NStepSum   the loops of Run for single rows and for n-step sums, over
//                  rows that are all near. Whatever is not goes row by row.
//
// Blocks: a prefetch is good while the line stays in the first-level cache. 32 items
// are enough for their misses to overlap and few enough to stay. Blocks also bound what
// a thread needs beside the outputs, so it can be allocated before the draw.
//
// What is asked for: of a single row all lines, up to 256 bytes. Of several rows the
// first 256 bytes, as the hardware sees the direction and follows from there. Of a
// packed row the mark that says where its block is.
//
// Return and discount of a transition read the same discounts, so one walk gives both:
// the view of the return adopts the other, which is then left out (ViewGather::Adopt).
//
// Threads: one core cannot use all that memory can give. From 4 MiB on, the batch is
// cut into parts that the workers and the caller take in turn, each with views and a
// block of its own. Below that, waking a thread costs more than it brings.
//
// docs/performance.md has what each of these earns, and what was tried and did not.
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

  // Reads rows only, which never change while pinned, but by an overwrite, which waits
  // for gathers: no lock is needed.
  // O(bytes written); for kReturn and kDiscount O(rows of the items).
  // REQUIRES: `windows` of num_items items, pinned.
  void Run(const Window* windows);

 private:
  // What one thread works with.
  struct Scratch {
    std::vector<ViewGather> views;  // without those that another adopted
    ItemBlock items;
    std::unique_ptr<RowBlock[]> found;  // by view
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
