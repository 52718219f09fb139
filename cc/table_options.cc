#include "cc/table_options.h"

#include <cmath>

namespace tfa {
namespace {

constexpr int64_t kMaxItems = int64_t{1} << 31;

}  // namespace

std::unique_ptr<Selector> MakeSelector(const SelectorOptions& options) {
  switch (options.kind) {
    case SelectorOptions::Kind::kPrioritized:
      return MakePrioritizedSelector(options.prioritized);
    case SelectorOptions::Kind::kFifo:
      return MakeFifoSelector();
    case SelectorOptions::Kind::kLifo:
      return MakeLifoSelector();
    case SelectorOptions::Kind::kMinHeap:
      return MakeMinHeapSelector();
    case SelectorOptions::Kind::kMaxHeap:
      return MakeMaxHeapSelector();
    case SelectorOptions::Kind::kWithoutReplacement:
      return MakeWithoutReplacementSelector();
    default:
      return MakeUniformSelector();
  }
}

Status SelectorOptions::Validate(const std::string& role) const {
  if (kind != Kind::kPrioritized) return OkStatus();
  if (!(std::isfinite(prioritized.alpha) && prioritized.alpha >= 0.0)) {
    return InvalidArgumentError(role +
                                " has alpha = " + std::to_string(prioritized.alpha) +
                                "; it must be finite and >= 0");
  }
  if (prioritized.uniform_mix >= 0.0 && prioritized.uniform_mix <= 1.0) {
    return OkStatus();
  }
  return InvalidArgumentError(
      role + " has uniform_mix = " + std::to_string(prioritized.uniform_mix) +
      "; it must be in [0, 1]");
}

Status TableOptions::Validate(const std::vector<Column>& columns) const {
  if (max_size < 1 || max_size >= kMaxItems) {
    return InvalidArgumentError("max_size is " + std::to_string(max_size) +
                                "; it must be in [1, 2^31)");
  }
  if (max_size < rate_limiter.min_size) {
    return InvalidArgumentError(
        "max_size " + std::to_string(max_size) +
        " is less than the rate limiter's min_size " +
        std::to_string(rate_limiter.min_size) +
        ", so nothing could ever be sampled; raise max_size or lower min_size");
  }
  if (max_times_sampled < 0 || max_times_sampled > INT32_MAX) {
    return InvalidArgumentError("max_times_sampled is " +
                                std::to_string(max_times_sampled) +
                                "; it must be in [0, 2^31), where 0 is no bound");
  }
  TFA_RETURN_IF_ERROR(sampler.Validate("sampler"));
  TFA_RETURN_IF_ERROR(remover.Validate("remover"));
  TFA_RETURN_IF_ERROR(pattern.Validate());
  for (const View& view : views) {
    TFA_RETURN_IF_ERROR(view.Validate(columns));
  }
  if (pattern.kind != Pattern::Kind::kUnroll) return OkStatus();
  return ValidateForUnrolls(pattern.length);
}

Status TableOptions::ValidateForUnrolls(int64_t num_steps) const {
  for (const View& view : views) {
    TFA_RETURN_IF_ERROR(view.ValidateForUnrolls(num_steps));
  }
  return OkStatus();
}

}  // namespace tfa
