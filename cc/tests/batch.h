// The arrays that a sample of one int64 view is written to.
#ifndef TFAGENTS_CORE_CC_TESTS_BATCH_H_
#define TFAGENTS_CORE_CC_TESTS_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cc/table.h"

namespace tfa {

struct Batch {
  explicit Batch(size_t n)
      : key(n),
        probability(n),
        weight(n),
        priority(n),
        times_sampled(n),
        age(n),
        x(n) {}

  SampleArrays arrays() {
    return {key.data(),      probability.data(),   weight.data(),
            priority.data(), times_sampled.data(), age.data()};
  }

  std::vector<int64_t> key;
  std::vector<double> probability, weight, priority;
  std::vector<int32_t> times_sampled;
  std::vector<int64_t> age;
  std::vector<int64_t> x;  // output of the only view: the items' last row
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_TESTS_BATCH_H_
