// Statuses as Python exceptions, and waits that Ctrl-C can interrupt.
#ifndef TFAGENTS_CORE_CC_BINDINGS_ERRORS_H_
#define TFAGENTS_CORE_CC_BINDINGS_ERRORS_H_

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "cc/bindings/exit.h"
#include "cc/replay.h"
#include "cc/status.h"

namespace tfa {

// Throws the Python exception of a status that is not ok: kInvalidArgument
// ValueError, kNotFound KeyError, kOutOfRange IndexError, kResourceExhausted
// MemoryError, kDeadlineExceeded and kUnavailable TimeoutError, kCancelled ClosedError,
// kFailedPrecondition RuntimeError, kDataLoss DamagedCheckpointError, kIoError OSError.
void ThrowIfError(const Status& status);

template <class T>
T ValueOrThrow(StatusOr<T> result) {
  ThrowIfError(result.status());
  return *std::move(result);
}

// Adds `ClosedError` and `DamagedCheckpointError` to the module.
void DefineErrors(pybind11::module_& module);

// The deadline `timeout` seconds from now; no timeout means no deadline. Throws a
// ValueError if it is negative or NaN.
Deadline ToDeadline(std::optional<double> timeout);

// Reports what a waiting call waits for, through Python; see replay/waiting.py.
class WaitReport {
 public:
  // Throws a RuntimeError when a wait `for_ever` can have no end. REQUIRES: the GIL.
  void Update(const std::string& reason, bool for_ever);

 private:
  pybind11::object wait_;
};

// Calls `attempt(deadline)`, which returns a Status and must not need the GIL, until it
// succeeds, fails or `deadline` has passed; checks for signals every 100 ms. Where the
// replay's own thread is at work (kUnavailable), waits up to 10 s beyond the deadline.
// `try_first`: first tries once without waiting and without releasing the GIL, which is
// faster for little work.
template <class Attempt>
Status WaitInterruptibly(Deadline deadline, bool try_first, Attempt attempt) {
  // Short enough for Ctrl-C to feel immediate, long enough to cost nothing.
  constexpr auto kSlice = std::chrono::milliseconds(100);
  constexpr auto kPatience = std::chrono::seconds(10);
  const auto is_late = [](const Status& status) {
    return status.code() == StatusCode::kDeadlineExceeded ||
           status.code() == StatusCode::kUnavailable;
  };
  CheckExit();
  if (try_first) {
    Status status = attempt(kNoWait);
    if (!is_late(status)) return status;
  }
  WaitReport report;
  const KeptPlace place;
  const Deadline begin = std::chrono::steady_clock::now();
  Deadline last = deadline;
  for (;;) {
    const Deadline slice = std::min(last, std::chrono::steady_clock::now() + kSlice);
    Status status;
    {
      const WithoutGil without_gil;
      status = attempt(slice);
    }
    if (!is_late(status)) return status;
    CheckExit();
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
    const bool is_busy = status.code() == StatusCode::kUnavailable;
    last = is_busy ? std::max(deadline, begin + kPatience) : deadline;
    if (std::chrono::steady_clock::now() >= last) return status;
    report.Update(status.message(), last == Deadline::max() && !is_busy);
  }
}

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_ERRORS_H_
