#include "cc/power.h"

#include <algorithm>
#include <cstring>

#include "cc/cpu.h"

namespace tfa {
namespace {

constexpr double kLargest = 0x1.0p+1022;
constexpr double kSmallest = 0x1.0p-1022;
constexpr double kLn2 = 0.69314718055994530942;
// Adding it to a number below 2^51 leaves the integer part in the low bits.
constexpr double kShift = 0x1.8p+52;
constexpr uint64_t kMantissa = (uint64_t{1} << 52) - 1;

uint64_t Bits(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

double FromBits(uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}

// log2 of a normal x = 2^e m with m in [sqrt(1/2), sqrt(2)), from the series
// log m = 2 (s + s^3 / 3 + s^5 / 5 + ...), s = (m - 1) / (m + 1), |s| < 0.1716.
inline double Log2(double x) {
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdULL;
  // Counted from sqrt(1/2), the exponent is what the bits above the mantissa say.
  const uint64_t from_half = Bits(x) - kSqrtHalf + (uint64_t{1023} << 52);
  const double exponent =
      FromBits((from_half >> 52) | Bits(0x1.0p+52)) - (0x1.0p+52 + 1023);
  const double m = FromBits((from_half & kMantissa) + kSqrtHalf);
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double series = 1.0 / 21;
  series = series * square + 1.0 / 19;
  series = series * square + 1.0 / 17;
  series = series * square + 1.0 / 15;
  series = series * square + 1.0 / 13;
  series = series * square + 1.0 / 11;
  series = series * square + 1.0 / 9;
  series = series * square + 1.0 / 7;
  series = series * square + 1.0 / 5;
  series = series * square + 1.0 / 3;
  series = series * square + 1.0;
  return exponent + (2 / kLn2) * s * series;
}

// 2^y for |y| <= 1022: 2^n by its bits, times the series of e^(f ln 2), |f| <= 1/2.
inline double Exp2(double y) {
  const double shifted = y + kShift;
  const double f = (y - (shifted - kShift)) * kLn2;
  double series = 1.0 / 6227020800;
  series = series * f + 1.0 / 479001600;
  series = series * f + 1.0 / 39916800;
  series = series * f + 1.0 / 3628800;
  series = series * f + 1.0 / 362880;
  series = series * f + 1.0 / 40320;
  series = series * f + 1.0 / 5040;
  series = series * f + 1.0 / 720;
  series = series * f + 1.0 / 120;
  series = series * f + 1.0 / 24;
  series = series * f + 1.0 / 6;
  series = series * f + 1.0 / 2;
  series = series * f + 1.0;
  series = series * f + 1.0;
  const uint64_t n = Bits(shifted) << 52;  // modulo 2^12: a signed exponent
  return FromBits(Bits(series) + n);
}

inline double Clamp(double x, double low, double high) {
  const double raised = x < low ? low : x;
  return raised > high ? high : raised;
}

// One loop for every instruction set: what each does is the same to the bit.
inline __attribute__((always_inline)) void PowerLoop(const double* x, int64_t n,
                                                     double exponent, double* out) {
  for (int64_t i = 0; i < n; ++i) {
    const double y = exponent * Log2(Clamp(x[i], kSmallest, kLargest));
    out[i] = Exp2(Clamp(y, -1022.0, 1022.0));
  }
}

#ifdef TFA_HAVE_AVX512
TFA_AVX512 void PowerAvx512(const double* x, int64_t n, double exponent, double* out) {
  PowerLoop(x, n, exponent, out);
}
#endif

}  // namespace

void Power(const double* x, int64_t n, double exponent, double* out) {
  if (exponent == 1) {
    std::copy_n(x, n, out);
    return;
  }
#ifdef TFA_HAVE_AVX512
  if (HasAvx512()) return PowerAvx512(x, n, exponent, out);
#endif
  PowerLoop(x, n, exponent, out);
}

}  // namespace tfa
