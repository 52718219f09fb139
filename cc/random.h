#ifndef TFAGENTS_CORE_CC_RANDOM_H_
#define TFAGENTS_CORE_CC_RANDOM_H_

#include <array>
#include <cstdint>

namespace tfa {

// Generator of uniform numbers with one documented algorithm, so that a seed
// gives the same draws on every machine: xoshiro256** (Blackman and Vigna,
// "Scrambled Linear Pseudorandom Number Generators", 2021), whose 256 bits of
// state are the first four outputs of splitmix64 started at the seed.
// O(1) a number. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed);

  // The next 64 bits.
  uint64_t Next();

  // Uniform over the multiples of 2^-53 in [0, 1).
  double Uniform01();

  // Uniform over {0, ..., n - 1}, without bias (Lemire, "Fast Random Integer
  // Generation in an Interval", 2019). REQUIRES: n > 0.
  uint64_t Below(uint64_t n);

  // All that the numbers to come depend on; never all zeros.
  using State = std::array<uint64_t, 4>;
  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  State state_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_RANDOM_H_
