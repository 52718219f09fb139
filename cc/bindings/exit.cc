#include "cc/bindings/exit.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace py = pybind11;

namespace tfa {
namespace {

using Clock = std::chrono::steady_clock;

// Never destroyed, because threads may read them until the process has ended.
std::atomic<int> num_without_gil{0};
std::atomic<bool> exiting{false};
std::atomic<std::thread::id> exiting_thread{};

constexpr auto kLongestWait = std::chrono::seconds(2);
// Time for a call that has ended to return to Python, and for new ones to be refused.
constexpr auto kGrace = std::chrono::milliseconds(10);

void EndCalls() {
  // In this order: whoever sees `exiting` must know which thread it is.
  exiting_thread = std::this_thread::get_id();
  exiting = true;
  const py::gil_scoped_release release;
  const auto until = Clock::now() + kLongestWait;
  std::this_thread::sleep_for(kGrace);
  while (num_without_gil > 0 && Clock::now() < until) {
    std::this_thread::sleep_for(kGrace);
  }
}

}  // namespace

WithoutGil::WithoutGil() : state_(PyEval_SaveThread()) { ++num_without_gil; }

WithoutGil::~WithoutGil() {
  PyEval_RestoreThread(state_);
  --num_without_gil;  // Only now: taking the GIL is what must not happen too late.
}

void CheckExit() {
  if (!exiting || exiting_thread.load() == std::this_thread::get_id()) return;
  PyErr_SetString(PyExc_SystemExit, "Python exits");
  throw py::error_already_set();
}

void EndCallsAtExit() {
  py::module_::import("atexit").attr("register")(py::cpp_function(&EndCalls));
}

}  // namespace tfa
