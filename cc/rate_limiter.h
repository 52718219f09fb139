#ifndef TFAGENTS_CORE_CC_RATE_LIMITER_H_
#define TFAGENTS_CORE_CC_RATE_LIMITER_H_

#include <cstdint>
#include <limits>
#include <string>

#include "cc/status.h"

namespace tfa {

struct RateLimiterOptions {
  // Samples that should be drawn for every item inserted; finite and > 0.
  double samples_per_insert = 1.0;
  // Items a table must hold before anything is sampled; >= 1.
  int64_t min_size = 1;
  // Bounds, in samples, of inserts * samples_per_insert - samples. Infinite
  // bounds switch the ratio off.
  double min_diff = -std::numeric_limits<double>::infinity();
  double max_diff = std::numeric_limits<double>::infinity();
};

// How a table and its callers use a limiter: what `Check` must know.
struct LimiterUse {
  int64_t batch_size = 1;      // samples drawn at once
  int64_t num_prefetched = 0;  // batches that a reader draws ahead of the one it uses
  int64_t max_inserts = 1;     // an append makes up to so many items
  int64_t max_size = std::numeric_limits<int64_t>::max();
  int64_t max_times_sampled = 0;  // 0: no bound
};

// Counts the inserts I, samples S and deletes D of one table and says who may
// go on, with the predicates of Reverb (Cassirer et al. 2021):
//   CanSample(n): I - D >= min_size and
//                 I * samples_per_insert - S - n >= min_diff
//   CanInsert(n): I + n - D <= min_size or
//                 (I + n) * samples_per_insert - S <= max_diff
// and two additions for items that leave before their time, without which both sides
// could wait for ever. Where max_times_sampled bounds the draws left, samples that can
// no longer be drawn do not stop an insert: the lead I * samples_per_insert - S counts
// as no more than the draws left. A table that was filled and then fell below min_size
// takes every insert, as sampling waits for it.
// It never waits: the table does. O(1) a call. Not thread-safe: the table's
// mutex guards it.
class RateLimiter {
 public:
  // The value of `draws_left` where nothing bounds how often items are sampled.
  static constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();

  // kInvalidArgument when an option is out of its range, or when `Check(use)` fails.
  static StatusOr<RateLimiter> Create(const RateLimiterOptions& options,
                                      const LimiterUse& use = {});

  bool CanSample(int64_t n) const;
  bool CanInsert(int64_t n, int64_t draws_left = kUnbounded) const;

  // The clause that forbids it, with its numbers; empty when it is allowed.
  std::string WhyNotSample(int64_t n) const;
  std::string WhyNotInsert(int64_t n, int64_t draws_left = kUnbounded) const;

  void Inserted(int64_t n) { num_inserts_ += n; }
  void Sampled(int64_t n) { num_samples_ += n; }
  void Deleted(int64_t n) { num_deletes_ += n; }

  // Sets all counts to zero.
  void Reset();

  // Goes on from earlier counts; the options stay.
  void SetCounts(int64_t inserts, int64_t samples, int64_t deletes) {
    num_inserts_ = inserts;
    num_samples_ = samples;
    num_deletes_ = deletes;
  }

  // kInvalidArgument, with the numbers and a way out, when appends of 1 to
  // `max_inserts` items, batches and deletes can lead to a state in which neither a
  // batch may be sampled nor `max_inserts` items inserted, or when no batch can ever
  // be sampled. Ok means that there is no such state.
  //
  // With batches of B, appends of up to n items and ratio r: leads are multiples of
  // the greatest g of which r and B are multiples, and where single inserts and
  // batches never get stuck they reach all such leads between the limits. So both
  // sides wait for ever if and only if a multiple of g lies strictly between
  // max_diff - n r and min_diff + B. It cannot when max_diff - min_diff >= B + n r.
  // Besides, an append must fit when one item is missing for min_size, and with
  // max_times_sampled no number of draws left below B may stop inserts.
  // REQUIRES: use.max_size >= 1.
  Status Check(const LimiterUse& use) const;

  const RateLimiterOptions& options() const { return options_; }
  int64_t num_inserts() const { return num_inserts_; }
  int64_t num_samples() const { return num_samples_; }
  int64_t num_deletes() const { return num_deletes_; }

 private:
  explicit RateLimiter(const RateLimiterOptions& options) : options_(options) {}

  // inserts * samples_per_insert - samples, in samples.
  double Lead(int64_t inserts, int64_t samples) const;
  // Whether items left so that fewer than min_size remain of what were enough.
  bool FellBelowMinSize() const;
  Status CheckUse(const LimiterUse& use, double wanted) const;
  bool CanDeadlock(const LimiterUse& use, double wanted) const;

  RateLimiterOptions options_;
  int64_t num_inserts_ = 0;
  int64_t num_samples_ = 0;
  int64_t num_deletes_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_RATE_LIMITER_H_
