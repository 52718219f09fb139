#include "cc/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tfa {
namespace {

// Batches after which CheckBatch stops looking for a state without a way out:
// the states repeat with the denominator of samples_per_insert.
constexpr int64_t kCheckedBatches = 1000;

// Counts above this are not exact in a double.
constexpr double kExactCount = 0x1.0p53;

// The shortest of the usual forms of a number: "4", "0.25", "1e+30".
std::string Number(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", x);
  return text;
}

std::string Number(int64_t x) { return std::to_string(x); }

Status CheckOptions(const RateLimiterOptions& options) {
  const double ratio = options.samples_per_insert;
  if (!std::isfinite(ratio) || ratio <= 0) {
    return InvalidArgumentError("samples_per_insert must be finite and above 0, not " +
                                Number(ratio));
  }
  if (options.min_size < 1) {
    return InvalidArgumentError("min_size must be at least 1, not " +
                                Number(options.min_size));
  }
  if (!(options.min_diff <= options.max_diff)) {
    return InvalidArgumentError("min_diff " + Number(options.min_diff) +
                                " must not exceed max_diff " +
                                Number(options.max_diff));
  }
  const double first_lead = ratio * static_cast<double>(options.min_size);
  if (options.min_diff > first_lead) {
    return InvalidArgumentError(
        "min_diff " + Number(options.min_diff) +
        " exceeds samples_per_insert * min_size = " + Number(first_lead) +
        ", so sampling could not start at min_size " + Number(options.min_size) +
        ": lower min_diff or raise min_size");
  }
  return OkStatus();
}

}  // namespace

StatusOr<RateLimiter> RateLimiter::Create(const RateLimiterOptions& options) {
  TFA_RETURN_IF_ERROR(CheckOptions(options));
  RateLimiter limiter(options);
  TFA_RETURN_IF_ERROR(limiter.CheckBatch(1, 0, options.min_size, 0));
  return limiter;
}

double RateLimiter::Lead(int64_t inserts, int64_t samples) const {
  return static_cast<double>(inserts) * options_.samples_per_insert -
         static_cast<double>(samples);
}

bool RateLimiter::CanSample(int64_t n) const {
  return num_inserts_ - num_deletes_ >= options_.min_size &&
         Lead(num_inserts_, num_samples_ + n) >= options_.min_diff;
}

bool RateLimiter::CanInsert(int64_t n) const {
  return num_inserts_ + n - num_deletes_ <= options_.min_size ||
         Lead(num_inserts_ + n, num_samples_) <= options_.max_diff;
}

std::string RateLimiter::WhyNotSample(int64_t n) const {
  if (CanSample(n)) return "";
  const int64_t size = num_inserts_ - num_deletes_;
  if (size < options_.min_size) {
    return Number(size) + " items < min_size " + Number(options_.min_size);
  }
  return Number(num_inserts_) + " inserts * samples_per_insert " +
         Number(options_.samples_per_insert) + " - " + Number(num_samples_) +
         " samples - " + Number(n) +
         " more = " + Number(Lead(num_inserts_, num_samples_ + n)) + " < min_diff " +
         Number(options_.min_diff);
}

std::string RateLimiter::WhyNotInsert(int64_t n) const {
  if (CanInsert(n)) return "";
  return "(" + Number(num_inserts_) + " inserts + " + Number(n) +
         " more) * samples_per_insert " + Number(options_.samples_per_insert) + " - " +
         Number(num_samples_) +
         " samples = " + Number(Lead(num_inserts_ + n, num_samples_)) + " > max_diff " +
         Number(options_.max_diff);
}

void RateLimiter::Reset() {
  num_inserts_ = 0;
  num_samples_ = 0;
  num_deletes_ = 0;
}

double RateLimiter::LargestLead(int64_t samples) const {
  const double quotient =
      (options_.max_diff + static_cast<double>(samples)) / options_.samples_per_insert;
  if (quotient > kExactCount) return options_.max_diff;
  auto inserts = static_cast<int64_t>(std::floor(std::max(quotient, 0.0)));
  // The quotient may be rounded either way; the predicate decides.
  if (Lead(inserts + 1, samples) <= options_.max_diff) ++inserts;
  if (Lead(inserts, samples) > options_.max_diff) --inserts;
  return Lead(std::max(inserts, options_.min_size), samples);
}

Status RateLimiter::CheckBatch(int64_t batch_size, int64_t num_prefetched,
                               int64_t max_size, int64_t max_times_sampled) const {
  if (batch_size < 1 || num_prefetched < 0) {
    return InvalidArgumentError(
        "batch_size must be at least 1 and num_prefetched at least 0, not " +
        Number(batch_size) + " and " + Number(num_prefetched));
  }
  if (max_size < options_.min_size) {
    return InvalidArgumentError("max_size " + Number(max_size) + " is below min_size " +
                                Number(options_.min_size) +
                                ": sampling would never start");
  }
  const double wanted =
      static_cast<double>(batch_size) * (static_cast<double>(num_prefetched) + 1);
  const std::string request = "batch_size " + Number(batch_size) + " with " +
                              Number(num_prefetched) + " batches prefetched asks for " +
                              Number(wanted) + " samples";
  const double held =
      static_cast<double>(max_size) * static_cast<double>(max_times_sampled);
  if (max_times_sampled > 0 && wanted > held) {
    return InvalidArgumentError(request + ", but a table of max_size " +
                                Number(max_size) + " and max_times_sampled " +
                                Number(max_times_sampled) + " never holds more than " +
                                Number(held));
  }
  if (std::isinf(options_.min_diff) || std::isinf(options_.max_diff)) {
    return OkStatus();
  }
  for (int64_t batch = 0; batch < kCheckedBatches; ++batch) {
    const double lead = LargestLead(batch * batch_size) - options_.min_diff;
    if (lead >= wanted) continue;
    return InvalidArgumentError(
        request + ", but the rate limiter stops inserts when " + Number(lead) +
        " are allowed (samples_per_insert " + Number(options_.samples_per_insert) +
        ", min_size " + Number(options_.min_size) + ", min_diff " +
        Number(options_.min_diff) + ", max_diff " + Number(options_.max_diff) +
        "): widen the limits or sample fewer at once");
  }
  return OkStatus();
}

Status RateLimiter::CheckInsert(int64_t num_items) const {
  const double added = static_cast<double>(num_items) * options_.samples_per_insert;
  if (num_items <= options_.min_size ||
      options_.min_diff + added <= options_.max_diff) {
    return OkStatus();
  }
  return InvalidArgumentError(
      "inserting " + Number(num_items) + " items at once adds " + Number(added) +
      " to the samples due, but the rate limiter allows " +
      Number(options_.max_diff - options_.min_diff) +
      " (max_diff - min_diff) and its min_size is " + Number(options_.min_size) +
      ": widen the limits or insert fewer at once");
}

}  // namespace tfa
