// Those that wait for something to change, in the order in which they came.
#ifndef TFAGENTS_CORE_CC_WAITERS_H_
#define TFAGENTS_CORE_CC_WAITERS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>

#include "cc/status.h"

namespace tfa {

using Deadline = std::chrono::steady_clock::time_point;

// A deadline that has always passed: do it now or not at all.
inline constexpr Deadline kNoWait = Deadline::min();

// Calls that this thread makes while it exists are one wait, made in slices: they keep
// their place in line. Not to be nested.
class KeptPlace {
 public:
  KeptPlace();
  ~KeptPlace();
  KeptPlace(const KeptPlace&) = delete;
  KeptPlace& operator=(const KeptPlace&) = delete;
};

// Lines of threads that wait. Whoever changes something calls `Notify`, which wakes of
// each line the first that can go; that one's own change wakes the next. So a change
// wakes no more threads than it serves, and of those that can go, who came first goes
// first.
//
// Not thread-safe but for the descriptor: the owner's mutex guards it.
class Waiters {
 public:
  using Line = int64_t;
  using CanGo = std::function<bool()>;

  Waiters() = default;
  ~Waiters();
  Waiters(const Waiters&) = delete;
  Waiters& operator=(const Waiters&) = delete;

  // Whether one that came before this thread, and waits in that line, can go now.
  bool IsBehind(Line line) const;

  // Gives up `*lock` and waits to be woken, until the deadline at most, and at most for
  // 100 ms: the caller looks again at what it wants. So a change that nobody announced
  // costs time, and no more.
  // `can_go` is called with the mutex locked.
  void Wait(Line line, const CanGo& can_go, std::unique_lock<std::mutex>* lock,
            Deadline deadline);

  void Notify();
  // Wakes all, whether they can go or not.
  void NotifyAll();

  // A descriptor that is readable from a change on until `ClearEvent`: for who waits in
  // an event loop and not in a thread. Made at the first call. kIoError.
  StatusOr<int> Event();
  // Thread-safe.
  void ClearEvent();

 private:
  struct Waiter {
    int64_t place;
    Line line;
    const CanGo* can_go;
    bool is_woken = false;
    std::condition_variable wake;
  };

  int64_t Place();
  void WakeFirsts();
  void SignalEvent();

  std::list<Waiter> waiters_;  // by place
  int64_t num_places_ = 0;

  std::atomic<int> event_in_{-1};   // what is written here
  std::atomic<int> event_out_{-1};  // can be read there
  std::atomic<bool> is_signalled_{false};
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_WAITERS_H_
