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
  // be null.
  void Run(const LocatedWindow* items, int64_t n, R* sums, D* factors) const {
    for (int64_t b = 0; b < n; ++b) {
      for (int64_t i = 0; i < size_; ++i) {
        const Sum element = Element(items[b], i);
        if (sums != nullptr) *sums++ = static_cast<R>(element.sum);
        if (factors != nullptr) *factors++ = static_cast<D>(element.factor);
      }
    }
  }

 private:
  struct Sum {
    double sum = 0.0;
    double factor = 1.0;  // gamma^{t-1} prod_{j<t} d_j
  };

  Sum Element(const LocatedWindow& item, int64_t i) const {
    Sum element;
    const int64_t length = item.window.length;
    for (int64_t t = 1; t < length;) {
      const int64_t run = discounts_.Run(item, t, rewards_.Run(item, t, length - t));
      const R* r = reinterpret_cast<const R*>(rewards_.Row(item, t)) + i;
      const D* d = reinterpret_cast<const D*>(discounts_.Row(item, t));
      if (discount_size_ > 1) d += i;
      t += run;
      for (int64_t k = 0; k < run; ++k, r += size_, d += discount_size_) {
        element.sum += element.factor * static_cast<double>(*r);
        element.factor *= gamma_ * static_cast<double>(*d);
      }
    }
    return element;
  }

  const double gamma_;
  const ColumnReader rewards_;
  const ColumnReader discounts_;
  const int64_t size_;
  const int64_t discount_size_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_N_STEP_H_
