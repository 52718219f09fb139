#include "cc/row_copy.h"

#include <cstddef>
#include <cstring>

namespace tfa {
namespace {

size_t Size(int64_t n) { return static_cast<size_t>(n); }

// A call to memcpy costs more than the few lines of a small row.
constexpr int64_t kInlineBytes = 256;
constexpr int64_t kChunk = 16;

// Copies of a size known at compile time become loads and stores.
template <int64_t kBytes>
void CopyFixed(const uint8_t* const* rows, int64_t n, int64_t, uint8_t* out) {
  for (int64_t b = 0; b < n; ++b, out += kBytes) {
    std::memcpy(out, rows[b], Size(kBytes));
  }
}

// REQUIRES: kChunk <= bytes.
void CopySmall(const uint8_t* const* rows, int64_t n, int64_t bytes, uint8_t* out) {
  const int64_t last = bytes - kChunk;
  for (int64_t b = 0; b < n; ++b, out += bytes) {
    const uint8_t* const row = rows[b];
    for (int64_t i = 0; i < last; i += kChunk) std::memcpy(out + i, row + i, kChunk);
    std::memcpy(out + last, row + last, kChunk);
  }
}

void CopyAny(const uint8_t* const* rows, int64_t n, int64_t bytes, uint8_t* out) {
  for (int64_t b = 0; b < n; ++b, out += bytes) {
    std::memcpy(out, rows[b], Size(bytes));
  }
}

}  // namespace

RowCopy ChooseRowCopy(int64_t bytes) {
  if (bytes == 4) return CopyFixed<4>;
  if (bytes == 8) return CopyFixed<8>;
  if (bytes == 1) return CopyFixed<1>;
  if (bytes < kChunk || bytes > kInlineBytes) return CopyAny;
  return CopySmall;
}

}  // namespace tfa
