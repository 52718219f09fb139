// Ends the calls of other threads before Python exits.
#ifndef TFAGENTS_CORE_CC_BINDINGS_EXIT_H_
#define TFAGENTS_CORE_CC_BINDINGS_EXIT_H_

#include <pybind11/pybind11.h>

#include <functional>

namespace tfa {

// Releases the GIL for the lifetime of the object.
//
// Once the interpreter is finalizing, Python terminates every thread that asks for the
// GIL by unwinding its stack; if that stack has C++ frames, the process aborts. Daemon
// threads and TensorFlow's threads may be in such a call at any time. So these calls
// are counted, and those that end before the interpreter is finalized return; those
// that take longer never do, and end with the process: see `EndCallsAtExit`.
class WithoutGil {
 public:
  WithoutGil();
  ~WithoutGil();
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

  // Calls `f` with the GIL.
  void Interrupt(const std::function<void()>& f);

 private:
  void TakeGil();

  PyThreadState* state_;
};

// Throws SystemExit, which ends a thread silently, if Python is exiting and this is not
// the thread that exits. To be called at the start of every call that threads make
// repeatedly, and whenever a waiting call holds the GIL again. Saves do not call it, so
// that they can finish.
void CheckExit();

// Registers an atexit function that makes the calls of other threads end. The exiting
// thread waits for those in progress, for two seconds at most.
void EndCallsAtExit();

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_EXIT_H_
