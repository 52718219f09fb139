#ifndef TFAGENTS_CORE_CC_POWER_H_
#define TFAGENTS_CORE_CC_POWER_H_

#include <cstdint>

namespace tfa {

// out[i] = x[i]^exponent, with a relative error below 1e-12; `out` may be `x`.
//
// Made of additions, multiplications and divisions alone, without branches: several
// elements at a time where the machine can, and the same bits on every machine, which
// the libraries' pow does not promise. What lies outside [2^-1022, 2^1022], of the
// arguments and of the results, counts as the nearer bound. An exponent of 1 copies.
// REQUIRES: x[i] >= 0 and finite, exponent >= 0 and finite.
void Power(const double* x, int64_t n, double exponent, double* out);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_POWER_H_
