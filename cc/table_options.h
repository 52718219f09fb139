// What a table is made from.
#ifndef TFAGENTS_CORE_CC_TABLE_OPTIONS_H_
#define TFAGENTS_CORE_CC_TABLE_OPTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cc/column.h"
#include "cc/pattern.h"
#include "cc/rate_limiter.h"
#include "cc/selector.h"
#include "cc/status.h"
#include "cc/view.h"

namespace tfa {

struct SelectorOptions {
  enum class Kind {  // checkpoints have the numbers
    kUniform,
    kPrioritized,
    kFifo,
    kLifo,
    kMinHeap,
    kMaxHeap,
    kWithoutReplacement,
  };
  Kind kind = Kind::kUniform;
  PrioritizedOptions prioritized = {};  // kPrioritized

  // kInvalidArgument, naming the `role` of the selector.
  Status Validate(const std::string& role) const;
};

// REQUIRES: valid options.
std::unique_ptr<Selector> MakeSelector(const SelectorOptions& options);

struct TableOptions {
  std::string name;
  SelectorOptions sampler;
  SelectorOptions remover;
  int64_t max_size = 1;           // items
  int64_t max_times_sampled = 0;  // 0: no bound
  RateLimiterOptions rate_limiter;
  Pattern pattern;
  std::string insert_on_sample;  // table that gets a copy of an item, or none
  std::vector<View> views;       // one per output array

  // kInvalidArgument with the number that cannot be.
  Status Validate(const std::vector<Column>& columns) const;
  // kInvalidArgument unless its views show only what unrolls of `num_steps` steps have.
  Status ValidateForUnrolls(int64_t num_steps) const;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_TABLE_OPTIONS_H_
