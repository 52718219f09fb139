#include "cc/bindings/exit.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace py = pybind11;

namespace tfa {
namespace {

using Clock = std::chrono::steady_clock;

// Never destroyed, because threads may read them until the process has ended.
std::atomic<int> num_without_gil{0};
std::atomic<int> num_taking_gil{0};
std::atomic<bool> exiting{false};  // calls are to end
std::atomic<bool> over{false};     // those that have not never will
std::atomic<std::thread::id> exiting_thread{};

constexpr auto kLongestWait = std::chrono::seconds(2);
// Time for a call that has ended to return to Python, and for new ones to be refused.
constexpr auto kGrace = std::chrono::milliseconds(10);

bool IsAnothersExit() { return exiting_thread.load() != std::this_thread::get_id(); }

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
  over = true;
  // Whoever was taking the GIL before gets it now, while nobody finalizes.
  while (num_taking_gil > 0) std::this_thread::sleep_for(kGrace);
}

// In a forked process the threads that were in calls are not there.
void ForgetOtherThreads() {
  num_without_gil = 0;
  num_taking_gil = 0;
}

}  // namespace

WithoutGil::WithoutGil() : state_(PyEval_SaveThread()) { ++num_without_gil; }

WithoutGil::~WithoutGil() {
  TakeGil();
  --num_without_gil;
}

void WithoutGil::TakeGil() {
  // Announced first: `EndCalls` sees it, or this thread sees that it is over.
  ++num_taking_gil;
  if (over && IsAnothersExit()) {
    --num_taking_gil;
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  PyEval_RestoreThread(state_);
  --num_taking_gil;
}

void WithoutGil::Interrupt(const std::function<void()>& f) {
  TakeGil();
  f();
  state_ = PyEval_SaveThread();
}

void CheckExit() {
  if (!exiting || !IsAnothersExit()) return;
  PyErr_SetString(PyExc_SystemExit, "Python exits");
  throw py::error_already_set();
}

void EndCallsAtExit() {
  pthread_atfork(nullptr, nullptr, &ForgetOtherThreads);
  py::module_::import("atexit").attr("register")(py::cpp_function(&EndCalls));
}

}  // namespace tfa
