#include "cc/selector.h"

#include <cmath>
#include <string>

namespace tfa {

void Selector::InsertAll(const int64_t* slots, const double* priorities, int64_t n) {
  for (int64_t i = 0; i < n; ++i) Insert(slots[i], priorities[i]);
}

void Selector::ReplaceAll(const int64_t* slots, const double* priorities, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    Remove(slots[i]);
    Insert(slots[i], priorities[i]);
  }
}

Status ValidatePriorities(const double* priorities, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (std::isfinite(priorities[i]) && priorities[i] >= 0) continue;
    return InvalidArgumentError("priority " + std::to_string(i) + " is " +
                                std::to_string(priorities[i]) +
                                "; priorities must be finite and >= 0");
  }
  return OkStatus();
}

}  // namespace tfa
