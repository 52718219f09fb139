#include "cc/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace tfa {
namespace {

// Counts above this are not exact in a double.
constexpr double kExactCount = 0x1.0p53;

// The shortest of the usual forms of a number: "4", "0.25", "1e+30".
std::string Number(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", x);
  return text;
}

std::string Number(int64_t x) { return std::to_string(x); }

// The leads that inserts and batches can lead to: multiples of `step`; all numbers if
// it is 0. Leads are exact, or known to within `tolerance`.
struct Grid {
  double step = 0.0;
  double tolerance = 0.0;

  // Strictly between; a point on an end that is not exact counts.
  bool HasPointBetween(double low, double high) const {
    low -= tolerance;
    high += tolerance;
    if (!(low < high)) return false;
    if (step == 0.0 || std::isinf(low)) return true;
    return (std::floor(low / step) + 1.0) * step < high;
  }
};

// The greatest step of which `ratio` and `batch_size` are multiples.
Grid GridOf(double ratio, int64_t batch_size) {
  constexpr int64_t kDenominators = 1000;
  constexpr double kRounding = 1e-6;  // far above that of a lead, far below a step
  // Powers of two first: only their fractions are exact.
  for (int64_t power = 1; power <= int64_t{1} << 20; power *= 2) {
    const double numerator = ratio * static_cast<double>(power);
    if (numerator != std::floor(numerator) || numerator > kExactCount) continue;
    if (batch_size > (int64_t{1} << 53) / power) break;
    const int64_t step =
        std::gcd(static_cast<int64_t>(numerator), batch_size * power);
    return {static_cast<double>(step) / static_cast<double>(power), 0.0};
  }
  for (int64_t q = 1; q <= kDenominators; ++q) {
    const double numerator = ratio * static_cast<double>(q);
    const double rounded = std::round(numerator);
    if (rounded < 1.0 || std::abs(numerator - rounded) > 1e-9) continue;
    if (rounded > kExactCount || batch_size > (int64_t{1} << 53) / q) break;
    const int64_t step = std::gcd(static_cast<int64_t>(rounded), batch_size * q);
    return {static_cast<double>(step) / static_cast<double>(q), kRounding};
  }
  return {0.0, kRounding};
}

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

StatusOr<RateLimiter> RateLimiter::Create(const RateLimiterOptions& options,
                                          const LimiterUse& use) {
  TFA_RETURN_IF_ERROR(CheckOptions(options));
  RateLimiter limiter(options);
  TFA_RETURN_IF_ERROR(limiter.Check(use));
  return limiter;
}

double RateLimiter::Lead(int64_t inserts, int64_t samples) const {
  return static_cast<double>(inserts) * options_.samples_per_insert -
         static_cast<double>(samples);
}

bool RateLimiter::CanSample(int64_t n) const {
  // Apart, for n may be so large that a sum would overflow.
  return num_inserts_ - num_deletes_ >= options_.min_size &&
         Lead(num_inserts_, num_samples_) - static_cast<double>(n) >=
             options_.min_diff;
}

bool RateLimiter::FellBelowMinSize() const {
  return num_inserts_ >= options_.min_size &&
         num_inserts_ - num_deletes_ < options_.min_size;
}

bool RateLimiter::CanInsert(int64_t n, int64_t draws_left) const {
  if (num_inserts_ + n - num_deletes_ <= options_.min_size) return true;
  if (Lead(num_inserts_ + n, num_samples_) <= options_.max_diff) return true;
  const bool is_bounded = draws_left != kUnbounded;
  if (is_bounded && Lead(n, -draws_left) <= options_.max_diff) return true;
  return FellBelowMinSize();
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

std::string RateLimiter::WhyNotInsert(int64_t n, int64_t draws_left) const {
  if (CanInsert(n, draws_left)) return "";
  if (Lead(n, -draws_left) < Lead(num_inserts_ + n, num_samples_)) {
    return Number(draws_left) + " draws left + " + Number(n) +
           " items * samples_per_insert " + Number(options_.samples_per_insert) +
           " = " + Number(Lead(n, -draws_left)) + " > max_diff " +
           Number(options_.max_diff);
  }
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

Status RateLimiter::CheckUse(const LimiterUse& use, double wanted) const {
  if (use.batch_size < 1 || use.num_prefetched < 0) {
    return InvalidArgumentError(
        "batch_size must be at least 1 and num_prefetched at least 0, not " +
        Number(use.batch_size) + " and " + Number(use.num_prefetched));
  }
  if (use.max_size < options_.min_size) {
    return InvalidArgumentError("max_size " + Number(use.max_size) +
                                " is below min_size " + Number(options_.min_size) +
                                ": sampling would never start");
  }
  const double held =
      static_cast<double>(use.max_size) * static_cast<double>(use.max_times_sampled);
  if (use.max_times_sampled == 0 || wanted <= held) return OkStatus();
  return InvalidArgumentError(
      "batch_size " + Number(use.batch_size) + " with " + Number(use.num_prefetched) +
      " batches prefetched asks for " + Number(wanted) +
      " samples, but a table of max_size " + Number(use.max_size) +
      " and max_times_sampled " + Number(use.max_times_sampled) +
      " never holds more than " + Number(held));
}

// Whether some lead, or some number of draws left, stops both sides. See `Check`.
bool RateLimiter::CanDeadlock(const LimiterUse& use, double wanted) const {
  const double ratio = options_.samples_per_insert;
  const auto min_size = static_cast<double>(options_.min_size);
  const auto times = static_cast<double>(use.max_times_sampled);
  const Grid grid = GridOf(ratio, use.batch_size);
  // Above it, `max_inserts` items may not be inserted.
  const double full = options_.max_diff - static_cast<double>(use.max_inserts) * ratio;
  const double least_draws =
      std::max(min_size, std::floor(full - grid.tolerance) + 1.0);
  if (use.max_times_sampled > 0 && least_draws < wanted) return true;
  double above = full;
  if (use.max_times_sampled > 0 && times < ratio) {
    // Every item adds more to the lead than to the draws left, and these are enough to
    // stop inserts only from `least_draws` on.
    const double items = std::max(min_size, std::ceil(least_draws / times));
    above = std::max(above, least_draws + items * (ratio - times) - grid.step);
  }
  return grid.HasPointBetween(above, options_.min_diff + wanted);
}

Status RateLimiter::Check(const LimiterUse& use) const {
  const double wanted = static_cast<double>(use.batch_size) *
                        (static_cast<double>(use.num_prefetched) + 1);
  TFA_RETURN_IF_ERROR(CheckUse(use, wanted));
  if (std::isinf(options_.max_diff)) return OkStatus();
  const double ratio = options_.samples_per_insert;
  const double added = static_cast<double>(use.max_inserts) * ratio;
  const double bounded = use.max_times_sampled > 0
                             ? static_cast<double>(use.max_times_sampled)
                             : ratio;
  const double before =
      static_cast<double>(options_.min_size - 1) * std::min(ratio, bounded);
  const std::string sizes = "appends of up to " + Number(use.max_inserts) +
                            " items and " +
                            (use.num_prefetched == 0
                                 ? std::string("batches")
                                 : Number(use.num_prefetched + 1) +
                                       " batches at once") +
                            " of " + Number(use.batch_size) + " samples";
  const std::string way_out =
      "; widen the limits (SampleToInsertRatio.for_batches and "
      "Queue(batch_size - 1 + items) leave room), sample fewer at once, or append "
      "fewer rows at once";
  const bool can_deadlock = CanDeadlock(use, wanted);
  if (can_deadlock && options_.max_diff - options_.min_diff < wanted + added) {
    return InvalidArgumentError(
        sizes + " could wait for each other for ever: they need " + Number(wanted) +
        " + " + Number(use.max_inserts) + " * samples_per_insert " + Number(ratio) +
        " = " + Number(wanted + added) + " samples between the limits, but max_diff " +
        Number(options_.max_diff) + " - min_diff " + Number(options_.min_diff) + " = " +
        Number(options_.max_diff - options_.min_diff) + way_out);
  }
  if (use.max_inserts > 1 && before + added > options_.max_diff) {
    return InvalidArgumentError(
        sizes + " could wait for each other for ever: with " +
        Number(options_.min_size - 1) + " items of min_size " +
        Number(options_.min_size) + ", such an append would lead to " +
        Number(before + added) + " samples due, more than max_diff " +
        Number(options_.max_diff) + way_out);
  }
  if (!can_deadlock) return OkStatus();
  return InvalidArgumentError(
      sizes + " could wait for each other for ever: max_diff " +
      Number(options_.max_diff) + " may stop an append when fewer than " +
      Number(wanted) + " draws are left of items with max_times_sampled " +
      Number(use.max_times_sampled) + way_out);
}

}  // namespace tfa
