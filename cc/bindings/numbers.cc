#include "cc/bindings/numbers.h"

#include <cmath>
#include <cstring>
#include <string>

namespace py = pybind11;

namespace tfa {
namespace {

static_assert(sizeof(float) == 4 && sizeof(double) == 8);

// An integer of 65 bits: all that int64 and uint64 can hold.
struct Integer {
  bool negative;
  uint64_t magnitude;
};

bool IsFloat(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kFloat32 ||
         dtype == DType::kFloat64 || dtype == DType::kBfloat16;
}

bool IsSigned(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kInt16 || dtype == DType::kInt32 ||
         dtype == DType::kInt64;
}

// Bits of a float's significand, the implicit one included.
int SignificandBits(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 11;
    case DType::kBfloat16:
      return 8;
    case DType::kFloat32:
      return 24;
    default:
      return 53;
  }
}

// The least magnitude that rounds to infinity; infinity for float64.
double Overflow(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 65520.0;
    case DType::kBfloat16:
      return 0x1.FFp127;
    case DType::kFloat32:
      return 0x1.FFFFFFp127;
    default:
      return HUGE_VAL;
  }
}

bool IsInRange(DType dtype, double number) {
  return !std::isfinite(number) || std::abs(number) < Overflow(dtype);
}

bool IsInRange(DType dtype, Integer integer) {
  if (IsFloat(dtype)) {
    return static_cast<double>(integer.magnitude) < Overflow(dtype);
  }
  const auto bits = static_cast<unsigned>(8 * DTypeSize(dtype));
  if (!IsSigned(dtype)) {
    const bool fits = bits == 64 || integer.magnitude >> bits == 0;
    return fits && (!integer.negative || integer.magnitude == 0);
  }
  const uint64_t half = uint64_t{1} << (bits - 1);
  return integer.magnitude < half || (integer.negative && integer.magnitude == half);
}

// Whether a dtype of floats that has the integer in its range has it without rounding.
bool IsExact(DType dtype, Integer integer) {
  uint64_t odd = integer.magnitude;
  while (odd != 0 && odd % 2 == 0) odd /= 2;
  return odd >> SignificandBits(dtype) == 0;
}

[[noreturn]] void Refuse(const Column& column, const std::string& why) {
  throw py::value_error("column '" + column.name + "' is " + DTypeName(column.dtype) +
                        ", and " + why);
}

void Check(const Column& column, double number) {
  if (IsInRange(column.dtype, number)) return;
  Refuse(column, std::string(py::str(py::float_(number))) + " is out of its range");
}

void Check(const Column& column, Integer integer) {
  const std::string text =
      (integer.negative ? "-" : "") + std::to_string(integer.magnitude);
  if (!IsInRange(column.dtype, integer)) Refuse(column, text + " is out of its range");
  if (IsFloat(column.dtype) && !IsExact(column.dtype, integer)) {
    Refuse(column, "the integer " + text + " would be rounded; give it as a float");
  }
}

Integer ToInteger(const Column& column, py::handle value) {
  int overflow = 0;
  const int64_t number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow == 0) {
    if (number == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    const auto bits = static_cast<uint64_t>(number);
    return {number < 0, number < 0 ? ~bits + 1 : bits};
  }
  if (overflow > 0) {
    const uint64_t large = PyLong_AsUnsignedLongLong(value.ptr());
    if (PyErr_Occurred() == nullptr) return {false, large};
    PyErr_Clear();
  }
  Refuse(column, std::string(py::str(value)) + " has more than 64 bits");
}

uint64_t LowBytes(float number) {
  uint32_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  return bits;
}

uint64_t LowBytes(double number) {
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof(bits));
  return bits;
}

uint64_t Round(const Column& column, double number) {
  if (column.dtype == DType::kFloat64) return LowBytes(number);
  if (column.dtype == DType::kFloat32) return LowBytes(static_cast<float>(number));
  // NumPy knows how to round to 16 bits.
  const auto rounded =
      py::array_t<double>(1, &number).attr("astype")(DTypeObject(column.dtype));
  uint16_t bits = 0;
  std::memcpy(&bits, py::array(rounded).data(), sizeof(bits));
  return bits;
}

template <class From, class Make>
void CheckAll(const Column& column, const py::array& array, Make make) {
  const auto* data = static_cast<const From*>(array.data());
  for (py::ssize_t i = 0; i < array.size(); ++i) Check(column, make(data[i]));
}

}  // namespace

py::dtype DTypeObject(DType dtype) {
  if (dtype != DType::kBfloat16) return py::dtype(DTypeName(dtype));
  return py::dtype::from_args(py::module_::import("ml_dtypes").attr("bfloat16"));
}

bool IsNumber(py::handle value) {
  PyObject* const object = value.ptr();
  if (PyFloat_CheckExact(object) || PyLong_Check(object)) return true;
  // NumPy's float64 is a float of Python's too, but it has a dtype.
  return PyFloat_Check(object) && !py::hasattr(value, "dtype");
}

bool HasNoDType(py::handle value) {
  if (!PyList_Check(value.ptr()) && !PyTuple_Check(value.ptr())) return IsNumber(value);
  const auto n = PySequence_Fast_GET_SIZE(value.ptr());
  for (py::ssize_t i = 0; i < n; ++i) {
    if (!HasNoDType(PySequence_Fast_GET_ITEM(value.ptr(), i))) return false;
  }
  return true;
}

uint64_t ToElement(const Column& column, py::handle value) {
  if (PyFloat_Check(value.ptr())) {
    const double number = PyFloat_AsDouble(value.ptr());
    if (!IsFloat(column.dtype)) {
      Refuse(column, "the float " + std::string(py::str(value)) + " is not cast");
    }
    Check(column, number);
    return Round(column, number);
  }
  if (column.dtype == DType::kBool && !PyBool_Check(value.ptr())) {
    Refuse(column, "the integer " + std::string(py::str(value)) + " is not cast");
  }
  const Integer integer = ToInteger(column, value);
  Check(column, integer);
  const auto magnitude = static_cast<double>(integer.magnitude);
  if (IsFloat(column.dtype)) {
    return Round(column, integer.negative ? -magnitude : magnitude);
  }
  return integer.negative ? ~integer.magnitude + 1 : integer.magnitude;
}

py::object ToElements(const Column& column, py::handle dtype, py::handle given) {
  const auto array = py::array::ensure(given, py::array::c_style);
  const char kind = array.dtype().kind();
  const bool castable = kind == 'b' || array.size() == 0 ||
                        (kind == 'f' && IsFloat(column.dtype)) ||
                        ((kind == 'i' || kind == 'u') && column.dtype != DType::kBool);
  if (!castable) {
    // NumPy keeps integers of more than 64 bits as objects.
    Refuse(column, kind == 'O' ? "an integer of the list has more than 64 bits"
                               : "lists of " + std::string(py::str(array.dtype())) +
                                     " are not cast");
  }
  if (kind == 'f') {
    CheckAll<double>(column, array, [](double number) { return number; });
  } else if (kind == 'u') {
    CheckAll<uint64_t>(column, array, [](uint64_t n) { return Integer{false, n}; });
  } else if (kind == 'i') {
    CheckAll<int64_t>(column, array, [](int64_t n) {
      const auto bits = static_cast<uint64_t>(n);
      return Integer{n < 0, n < 0 ? ~bits + 1 : bits};
    });
  }
  return array.attr("astype")(dtype);
}

}  // namespace tfa
