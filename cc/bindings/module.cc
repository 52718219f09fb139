#include <pybind11/pybind11.h>

#include "cc/bindings/errors.h"
#include "cc/bindings/exit.h"
#include "cc/bindings/replay_binding.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The C++ replay of tfagents_core.";
  tfa::DefineErrors(module);
  tfa::BindOptions(module);
  tfa::BindReplay(module);
  tfa::BindCheckpoints(module);
  tfa::EndCallsAtExit();
}
