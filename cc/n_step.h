// Sums over the rows of items: n-step returns and discounts.
#ifndef TFAGENTS_CORE_CC_N_STEP_H_
#define TFAGENTS_CORE_CC_N_STEP_H_

#include <cstdint>

#include "cc/column_reader.h"

namespace tfa {

// Sums in double, one element of the reward at a time; R and D are the types of the
// rewards and discounts. A scalar discount serves every element of a vector reward.
template <class R, class D>
class NStepSum {
 public:
  // Without rewards, `rewards` is the discounts' reader too.
  NStepSum(const ColumnReader& rewards, const ColumnReader& discounts, double gamma)
      : gamma_(gamma),
        rewards_(rewards),
        discounts_(discounts),
        size_(rewards.row_bytes() / static_cast<int64_t>(sizeof(R))),
        discount_size_(discounts.row_bytes() / static_cast<int64_t>(sizeof(D))) {}

  // Writes the elements' sums, and what the last row's value counts for; either may
  // be null. `rewards[b]` and `discounts[b]` are where rows 1 and on of item b begin if
  // all are in one segment; null if not.
  void Run(const LocatedWindow* items, const uint8_t* const* rewards,
           const uint8_t* const* discounts, int64_t n, R* sums, D* factors) const {
    for (int64_t b = 0; b < n; ++b) {
      const bool near = rewards[b] != nullptr && discounts[b] != nullptr;
      const int64_t count = items[b].window.length - int64_t{1};
      for (int64_t i = 0; i < size_; ++i) {
        const Sum of_element =
            near ? Add({}, Element(rewards[b], discounts[b], i), count)
                 : AddFar(items[b], i);
        if (sums != nullptr) *sums++ = static_cast<R>(of_element.sum);
        if (factors != nullptr) *factors++ = static_cast<D>(of_element.factor);
      }
    }
  }

 private:
  struct Sum {
    double sum = 0.0;
    double factor = 1.0;  // gamma^{t-1} prod_{j<t} d_j
  };
  // Where one element of a row's reward and discount are.
  struct Pointers {
    const uint8_t* reward;
    const uint8_t* discount;
  };

  Pointers Element(const uint8_t* rewards, const uint8_t* discounts, int64_t i) const {
    const int64_t d = discount_size_ > 1 ? i : 0;
    return {rewards + i * static_cast<int64_t>(sizeof(R)),
            discounts + d * static_cast<int64_t>(sizeof(D))};
  }

  // Adds `count` rows of one segment.
  Sum Add(Sum so_far, Pointers at, int64_t count) const {
    double sum = so_far.sum;
    double factor = so_far.factor;
    for (int64_t k = 0; k < count; ++k) {
      sum += factor * static_cast<double>(*reinterpret_cast<const R*>(at.reward));
      factor *= gamma_ * static_cast<double>(*reinterpret_cast<const D*>(at.discount));
      at.reward += rewards_.stride();
      at.discount += discounts_.stride();
    }
    return {sum, factor};
  }

  Sum AddFar(const LocatedWindow& item, int64_t i) const {
    Sum sum;
    const int64_t length = item.window.length;
    for (int64_t t = 1; t < length;) {
      const int64_t run = discounts_.Run(item, t, rewards_.Run(item, t, length - t));
      const Pointers at =
          Element(rewards_.Row(item, t), discounts_.Row(item, t), i);
      sum = Add(sum, at, run);
      t += run;
    }
    return sum;
  }

  const double gamma_;
  const ColumnReader rewards_;
  const ColumnReader discounts_;
  const int64_t size_;
  const int64_t discount_size_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_N_STEP_H_
