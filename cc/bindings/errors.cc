#include "cc/bindings/errors.h"

#include <string>

namespace py = pybind11;

namespace tfa {
namespace {

// Owned by the module, which lives as long as the interpreter.
PyObject* closed_error = nullptr;
PyObject* damaged_error = nullptr;

PyObject* ExceptionOf(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
      return PyExc_ValueError;
    case StatusCode::kNotFound:
      return PyExc_KeyError;
    case StatusCode::kOutOfRange:
      return PyExc_IndexError;
    case StatusCode::kResourceExhausted:
      return PyExc_MemoryError;
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnavailable:
      return PyExc_TimeoutError;
    case StatusCode::kCancelled:
      return closed_error;
    case StatusCode::kDataLoss:
      return damaged_error;
    default:
      return PyExc_RuntimeError;
  }
}

PyObject* DefineError(py::module_& module, const std::string& name, const char* doc) {
  PyObject* const error = PyErr_NewExceptionWithDoc(
      ("tfagents_core.replay." + name).c_str(), doc, PyExc_RuntimeError, nullptr);
  if (error == nullptr) throw py::error_already_set();
  module.attr(name.c_str()) = py::handle(error);
  return error;
}

}  // namespace

void ThrowIfError(const Status& status) {
  if (status.ok()) return;
  if (status.code() == StatusCode::kIoError) {
    // From the error number Python chooses the subclass of OSError.
    const py::tuple args = py::make_tuple(status.error_number(), status.message());
    PyErr_SetObject(PyExc_OSError, args.ptr());
    throw py::error_already_set();
  }
  PyErr_SetString(ExceptionOf(status.code()), status.message().c_str());
  throw py::error_already_set();
}

void WaitReport::Update(const std::string& reason, bool for_ever) {
  if (!wait_) {
    wait_ = py::module_::import("tfagents_core.replay.waiting").attr("Wait")();
  }
  wait_.attr("update")(reason, for_ever);
}

void DefineErrors(py::module_& module) {
  closed_error = DefineError(module, "ClosedError", "The replay has been closed.");
  damaged_error = DefineError(module, "DamagedCheckpointError",
                              "A checkpoint is not, or no longer, what was written.");
}

Deadline ToDeadline(std::optional<double> timeout) {
  if (!timeout.has_value()) return Deadline::max();
  if (!(*timeout >= 0.0)) {  // Written so that NaN fails too.
    throw py::value_error("timeout is " + std::to_string(*timeout) +
                          " seconds; it must be >= 0, or None to wait for ever");
  }
  // Three years; far longer ones would overflow the clock's 64-bit nanoseconds.
  constexpr double kLongest = 1e8;
  if (*timeout > kLongest) return Deadline::max();
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(
             std::chrono::duration<double>(*timeout));
}

}  // namespace tfa
