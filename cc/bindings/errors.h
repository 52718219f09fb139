// Statuses as Python exceptions, and waiting that Ctrl-C can end.
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

// Raises the Python exception of a status that is not ok: kInvalidArgument
// ValueError, kNotFound KeyError, kOutOfRange IndexError, kResourceExhausted
// MemoryError, kDeadlineExceeded TimeoutError, kCancelled ClosedError,
// kFailedPrecondition RuntimeError, kDataLoss DamagedCheckpointError, kIoError OSError.
void ThrowIfError(const Status& status);

template <class T>
T ValueOrThrow(StatusOr<T> result) {
  ThrowIfError(result.status());
  return *std::move(result);
}

// Adds `ClosedError` and `DamagedCheckpointError` to the module.
void DefineErrors(pybind11::module_& module);

// Seconds from now as a deadline; none waits for ever. ValueError when negative.
Deadline ToDeadline(std::optional<double> timeout);

// Has Python say what a call that goes on waiting waits for; see replay/waiting.py.
class WaitReport {
 public:
  // REQUIRES: the GIL.
  void Update(const std::string& reason);

 private:
  pybind11::object wait_;
};

// Calls `attempt(deadline)`, which returns a Status and takes no GIL, until it is
// done or `deadline` has passed; looks for signals every 100 ms. `try_first`: tries
// once without waiting and without giving up the GIL, which is cheaper for small work.
template <class Attempt>
Status WaitInterruptibly(Deadline deadline, bool try_first, Attempt attempt) {
  constexpr auto kSlice = std::chrono::milliseconds(100);
  CheckExit();
  if (try_first) {
    Status status = attempt(kNoWait);
    if (status.code() != StatusCode::kDeadlineExceeded) return status;
  }
  WaitReport report;
  for (;;) {
    const Deadline slice =
        std::min(deadline, std::chrono::steady_clock::now() + kSlice);
    Status status;
    {
      const WithoutGil without_gil;
      status = attempt(slice);
    }
    if (status.code() != StatusCode::kDeadlineExceeded) return status;
    CheckExit();
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
    if (std::chrono::steady_clock::now() >= deadline) return status;
    report.Update(status.message());
  }
}

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_ERRORS_H_
