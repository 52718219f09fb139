#ifndef TFAGENTS_CORE_CC_SELECTOR_H_
#define TFAGENTS_CORE_CC_SELECTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cc/random.h"
#include "cc/serial.h"
#include "cc/status.h"

namespace tfa {

// Chooses among the live slots of a table, to sample or to remove.
//
// A slot is a small non-negative number that the table gives an item and reuses
// after it; memory grows with the largest slot seen, never with the calls.
// Priorities are those of the user, before any exponent, and REQUIRE to have
// passed ValidatePriorities. Not thread-safe: the table's mutex guards it.
class Selector {
 public:
  virtual ~Selector() = default;

  // Makes `slot` live. REQUIRES: slot >= 0 and not live.
  virtual void Insert(int64_t slot, double priority) = 0;

  // REQUIRES: `slot` is live.
  virtual void Remove(int64_t slot) = 0;

  // Chooses the slot that is to be removed next and inserts it anew, n times.
  // REQUIRES: size() > 0.
  virtual void Renew(const double* priorities, int64_t n, Random* random,
                     int64_t* slots);

  // Inserts n slots; Replace removes them first. REQUIRES: as Insert and Remove.
  virtual void InsertAll(const int64_t* slots, const double* priorities, int64_t n);
  virtual void ReplaceAll(const int64_t* slots, const double* priorities, int64_t n);

  // Sets n priorities; of a slot that occurs twice, the last counts.
  // REQUIRES: all slots are live.
  virtual void Update(const int64_t* slots, const double* priorities, int64_t n) = 0;

  // Writes n slots and the probability with which each was drawn. Random
  // selectors draw with replacement unless they say otherwise; deterministic ones
  // give their one choice n times, with probability 1, so that a table which
  // removes what it samples asks for one at a time. REQUIRES: size() > 0.
  virtual void Sample(int64_t n, Random* random, int64_t* slots,
                      double* probabilities) = 0;

  // Writes the probability with which a draw would now give each of n slots.
  // REQUIRES: all are live.
  virtual void Probabilities(const int64_t* slots, int64_t n,
                             double* probabilities) const = 0;

  // The smallest probability with which any live slot may be drawn, those that
  // never are left out. REQUIRES: size() > 0.
  virtual double LeastProbability() = 0;

  // Sum of the weights that draws go by; where there are none, each slot weighs 1.
  virtual double TotalWeight() const { return static_cast<double>(size()); }
  // The least of those weights that counts for LeastProbability; none where it is not
  // known without a search.
  virtual std::optional<double> LeastWeight() const { return std::nullopt; }

  // Number of live slots.
  virtual int64_t size() const = 0;

  // Forgets all slots.
  virtual void Clear() = 0;

  // Writes what makes the draws to come the same, but for slots' priorities.
  virtual void Save(Writer* out) const = 0;

  // Takes up what a selector of the same kind saved, given all slots' priorities and
  // which of them are live. False when it contradicts those. REQUIRES: size() == 0.
  virtual bool Load(Reader* in, const std::vector<double>& priorities,
                    const std::vector<bool>& live) = 0;

  // kFailedPrecondition naming the first broken invariant. O(size) and slow:
  // for tests.
  virtual Status CheckValid() const = 0;
};

// Every live slot is equally likely. Insert, Remove and a draw are O(1).
std::unique_ptr<Selector> MakeUniformSelector();

// Every live slot once an epoch, in an order drawn anew for each: a random
// permutation. A slot inserted meanwhile joins the epoch that runs, at a random
// place among those still to come. O(1) a call. The probability given is 1 / size,
// that of a slot at a random moment.
std::unique_ptr<Selector> MakeWithoutReplacementSelector();

struct PrioritizedOptions {
  double alpha = 1.0;        // finite and >= 0
  bool stratified = false;   // one draw from each of n equal slices of the mass
  double uniform_mix = 0.0;  // in [0, 1]: share of the draws that are uniform
};

// With weights w = p^alpha, and 0 where p is 0 (Schaul et al. 2016, eq. 1), slot i
// is drawn with probability (1 - mix) w_i / sum_j w_j + mix / size; while every
// weight is 0, all live slots are equally likely. A power outside
// [2^-1000, 2^900] counts as the nearer bound. Stratified draws have the same
// probabilities, each slot's count a smaller variance, and come in order of slices.
//
// Insert, Remove and a draw are O(log size). The first LeastProbability is O(size)
// and makes a tree of minima, which then costs every call a little.
std::unique_ptr<Selector> MakePrioritizedSelector(const PrioritizedOptions& options);

// The slot inserted first, or last; priorities are ignored. O(1) a call.
std::unique_ptr<Selector> MakeFifoSelector();
std::unique_ptr<Selector> MakeLifoSelector();

// The slot of the lowest, or highest, priority; of equal ones that whose insert or
// update is longest ago. Insert, Remove and an update are O(log size), a draw O(1).
std::unique_ptr<Selector> MakeMinHeapSelector();
std::unique_ptr<Selector> MakeMaxHeapSelector();

// Reads an array of slots. False unless it is each live slot once.
bool GetLiveSlots(Reader* in, const std::vector<bool>& live,
                  std::vector<int64_t>* slots);

// kInvalidArgument, naming the first offender and its index, unless all n
// priorities are finite and >= 0.
Status ValidatePriorities(const double* priorities, int64_t n);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SELECTOR_H_
