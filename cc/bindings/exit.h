// What becomes of calls on other threads when Python exits.
#ifndef TFAGENTS_CORE_CC_BINDINGS_EXIT_H_
#define TFAGENTS_CORE_CC_BINDINGS_EXIT_H_

#include <pybind11/pybind11.h>

namespace tfa {

// Gives up the GIL while it lives.
//
// A thread that wants the GIL back when the interpreter has begun to end is ended by
// Python, which unwinds its stack; on one of C++ that ends the process with an error.
// Daemon threads and TensorFlow's may be in such a call at any time. So these are
// counted, and those there are come to an end before: see `EndCallsAtExit`.
class WithoutGil {
 public:
  WithoutGil();
  ~WithoutGil();
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* const state_;
};

// Raises SystemExit, which ends a thread without a word, when Python exits and this is
// another thread than the one that does. For the begin of each call that threads repeat,
// and for each time that one that waits has the GIL. A save is let finish.
void CheckExit();

// From the module's atexit function on, calls of other threads end. The thread that
// exits waits for those in progress, two seconds at most.
void EndCallsAtExit();

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_EXIT_H_
