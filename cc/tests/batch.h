// The arrays that a sample is written to.
#ifndef TFAGENTS_CORE_CC_TESTS_BATCH_H_
#define TFAGENTS_CORE_CC_TESTS_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cc/table.h"

namespace tfa {

// What a table says of n items.
struct InfoArrays {
  explicit InfoArrays(size_t n)
      : key(n), probability(n), weight(n), priority(n), times_sampled(n), age(n) {}

  SampleArrays arrays() {
    return {key.data(),      probability.data(),   weight.data(),
            priority.data(), times_sampled.data(), age.data()};
  }

  std::vector<int64_t> key;
  std::vector<double> probability, weight, priority;
  std::vector<int32_t> times_sampled;
  std::vector<int64_t> age;
};

// With the output of the only view, of one int64 column: the items' last row.
struct Batch : InfoArrays {
  explicit Batch(size_t n) : InfoArrays(n), x(n) {}
  std::vector<int64_t> x;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_TESTS_BATCH_H_
