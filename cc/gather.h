// Gathering: copies what the views of a sample show into arrays of a batch.
#ifndef TFAGENTS_CORE_CC_GATHER_H_
#define TFAGENTS_CORE_CC_GATHER_H_

#include <cstdint>
#include <vector>

#include "cc/step_store.h"
#include "cc/view.h"
#include "cc/workers.h"

namespace tfa {

// Writes view v of all n items into `outputs[v]`, as `num_batches` equal batches of
// successive items, one behind the other: only where time comes first do they differ
// from one batch.
//
// Goes by blocks of items, and asks for the rows that all views need of a block while
// it copies those of the block before: so the misses of many items overlap.
// Reads rows only, which never change while pinned: no lock is needed.
// Much is shared with `workers`. O(bytes written); for kReturn and kDiscount O(rows of
// the items).
// REQUIRES: each view is valid for the store's columns; the windows are pinned; n is a
// multiple of num_batches.
void Gather(const StepStore& store, const std::vector<View>& views,
            const Window* windows, int64_t n, void* const* outputs, Workers* workers,
            int64_t num_batches = 1);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_GATHER_H_
