#include <pybind11/detail/exception_translation.h>

#include <optional>

#include "cc/bindings/replay_binding.h"

namespace py = pybind11;

namespace tfa {
namespace {

constexpr Py_ssize_t kNumArguments = 7;

std::optional<double> Seconds(PyObject* timeout) {
  if (timeout == Py_None) return std::nullopt;
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return seconds;
}

int64_t Integer(PyObject* number) {
  const int64_t integer = PyLong_AsLongLong(number);
  if (integer == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return integer;
}

// Arguments: leaves, first, last, stream, priorities, timeout, return_keys.
PyObject* AppendOne(PyObject* capsule, PyObject* const* arguments, Py_ssize_t n) {
  try {
    if (n != kNumArguments) throw py::type_error("7 arguments are needed");
    auto* const replay =
        static_cast<ReplayBinding*>(PyCapsule_GetPointer(capsule, nullptr));
    return replay
        ->AppendOne(arguments[0], arguments[1], arguments[2], Integer(arguments[3]),
                    arguments[4], Seconds(arguments[5]), arguments[6] == Py_True)
        .release()
        .ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (...) {
    py::detail::try_translate_exceptions();
  }
  return nullptr;
}

PyMethodDef kMethod = {
    "append_one", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(AppendOne)),
    METH_FASTCALL, nullptr};

void Release(PyObject* capsule) {
  Py_XDECREF(static_cast<PyObject*>(PyCapsule_GetContext(capsule)));
}

}  // namespace

py::object MakeRowAppender(py::object replay) {
  auto& binding = replay.cast<ReplayBinding&>();
  const auto capsule =
      py::reinterpret_steal<py::object>(PyCapsule_New(&binding, nullptr, Release));
  if (!capsule) throw py::error_already_set();
  PyCapsule_SetContext(capsule.ptr(), replay.release().ptr());
  PyObject* const function = PyCFunction_New(&kMethod, capsule.ptr());
  if (function == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(function);
}

}  // namespace tfa
