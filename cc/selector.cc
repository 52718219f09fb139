#include "cc/selector.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace tfa {

bool GetLiveSlots(Reader* in, const std::vector<bool>& live,
                  std::vector<int64_t>* slots) {
  *slots = in->GetArray<int64_t>();
  std::vector<bool> missing = live;
  for (const int64_t slot : *slots) {
    const auto index = static_cast<size_t>(slot);
    if (slot < 0 || index >= missing.size() || !missing[index]) return false;
    missing[index] = false;
  }
  return std::find(missing.begin(), missing.end(), true) == missing.end();
}

void Selector::Renew(const double* priorities, int64_t n, Random* random,
                     int64_t* slots) {
  double probability = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    Sample(1, random, &slots[i], &probability);
    Remove(slots[i]);
    Insert(slots[i], priorities[i]);
  }
}

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
