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

// Counts the inserts I, samples S and deletes D of one table and says who may
// go on, with the predicates of Reverb (Cassirer et al. 2021):
//   CanSample(n): I - D >= min_size and I * samples_per_insert - S - n >=
//   min_diff CanInsert(n): I + n - D <= min_size or
//                 (I + n) * samples_per_insert - S <= max_diff
// It never waits: the table does. O(1) a call. Not thread-safe: the table's
// mutex guards it.
class RateLimiter {
 public:
  // kInvalidArgument when an option is out of its range, or when the options
  // must end with neither a sample nor an insert allowed.
  static StatusOr<RateLimiter> Create(const RateLimiterOptions& options);

  bool CanSample(int64_t n) const;
  bool CanInsert(int64_t n) const;

  // The clause that forbids it, with its numbers; empty when it is allowed.
  std::string WhyNotSample(int64_t n) const;
  std::string WhyNotInsert(int64_t n) const;

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

  // kInvalidArgument, with the numbers, when a table of `max_size` items, each
  // sampled at most `max_times_sampled` times (0: no bound), can reach a state
  // in which neither `batch_size` items may be sampled nor one item inserted.
  // `num_prefetched` is the number of batches a reader draws ahead of the one
  // it waits for. REQUIRES: max_size >= 1.
  Status CheckBatch(int64_t batch_size, int64_t num_prefetched, int64_t max_size,
                    int64_t max_times_sampled) const;

  // kInvalidArgument, with the numbers, when inserting `num_items` at once
  // would wait for ever however much is sampled.
  Status CheckInsert(int64_t num_items) const;

  const RateLimiterOptions& options() const { return options_; }
  int64_t num_inserts() const { return num_inserts_; }
  int64_t num_samples() const { return num_samples_; }
  int64_t num_deletes() const { return num_deletes_; }

 private:
  explicit RateLimiter(const RateLimiterOptions& options) : options_(options) {}

  // inserts * samples_per_insert - samples, in samples.
  double Lead(int64_t inserts, int64_t samples) const;

  // The largest Lead that inserts can build up once `samples` were drawn.
  double LargestLead(int64_t samples) const;

  RateLimiterOptions options_;
  int64_t num_inserts_ = 0;
  int64_t num_samples_ = 0;
  int64_t num_deletes_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_RATE_LIMITER_H_
