#include "cc/random.h"

#include <cassert>

namespace tfa {
namespace {

__extension__ using Uint128 = unsigned __int128;

uint64_t RotateLeft(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

// One step of splitmix64 (Steele, Lea and Flood, 2014).
uint64_t SplitMix64(uint64_t* state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix64(&seed);
}

uint64_t Random::Next() {
  const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

double Random::Uniform01() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

uint64_t Random::Below(uint64_t n) {
  assert(n > 0);
  // The high word of Next() * n is the draw; the low word says whether it falls
  // in the 2^64 mod n products that would make some draws likelier.
  Uint128 product = static_cast<Uint128>(Next()) * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t rejected = (0 - n) % n;
    while (static_cast<uint64_t>(product) < rejected) {
      product = static_cast<Uint128>(Next()) * n;
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

}  // namespace tfa
