#include "cc/bindings/arrays.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cc/bindings/numbers.h"

namespace py = pybind11;

namespace tfa {
namespace {

using Api = py::detail::npy_api;

constexpr int kContiguous = Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_ALIGNED_;
constexpr int kOutputFlags = kContiguous | Api::NPY_ARRAY_WRITEABLE_;
constexpr int64_t kAlignment = 64;
// A column has up to 16 axes; a stack, time, batch and batches are four more.
constexpr size_t kMaxAxes = 20;

bool IsArray(PyObject* object) { return Api::get().PyArray_Check_(object); }

py::detail::PyArray_Proxy* Proxy(PyObject* array) {
  return py::detail::array_proxy(array);
}

// Converts `object` to an array, of `dtype` unless that is null; throws NumPy's error.
py::object FromAny(py::handle object, PyObject* dtype, int flags) {
  Py_XINCREF(dtype);  // PyArray_FromAny takes over a reference.
  PyObject* array =
      Api::get().PyArray_FromAny_(object.ptr(), dtype, 0, 0, flags, nullptr);
  if (array == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(array);
}

char Kind(PyObject* array) {
  return py::detail::array_descriptor_proxy(Proxy(array)->descr)->kind;
}

std::string Describe(py::handle object) {
  if (!IsArray(object.ptr())) {
    return std::string(py::str(py::type::of(object).attr("__name__")));
  }
  const py::object dtype = object.attr("dtype");
  const py::object shape = object.attr("shape");
  return std::string(py::str(dtype)) + std::string(py::str(shape));
}

py::capsule Hold(std::unique_ptr<Buffer> buffer) {
  py::capsule capsule(buffer.get(),
                      [](void* held) { delete static_cast<Buffer*>(held); });
  static_cast<void>(buffer.release());
  return capsule;
}

std::unique_ptr<Buffer> Acquire(BufferPool* pool, int64_t bytes) {
  std::unique_ptr<Buffer> buffer = pool->Acquire(bytes);
  if (buffer == nullptr) {
    const std::string message =
        "no memory for a sample of " + std::to_string(bytes) + " bytes";
    PyErr_SetString(PyExc_MemoryError, message.c_str());
    throw py::error_already_set();
  }
  return buffer;
}

// An array over `data`, which `owner` keeps alive.
py::object Wrap(const ArraySpec& spec, BatchShape batch, void* data, py::handle owner) {
  Py_intptr_t dims[kMaxAxes];
  const int num_axes = spec.PutShape(batch, dims);
  const Api& api = Api::get();
  Py_INCREF(spec.dtype());  // NewFromDescr takes over a reference.
  PyObject* array =
      api.PyArray_NewFromDescr_(api.PyArray_Type_, spec.dtype(), num_axes, dims,
                                nullptr, data, kOutputFlags, nullptr);
  if (array == nullptr) throw py::error_already_set();
  auto result = py::reinterpret_steal<py::object>(array);
  owner.inc_ref();  // SetBaseObject takes it over, also if it fails.
  if (api.PyArray_SetBaseObject_(array, owner.ptr()) != 0)
    throw py::error_already_set();
  return result;
}

}  // namespace

ArraySpec::ArraySpec(const Column& column, int batch_axis)
    : column_(column),
      batch_axis_(static_cast<size_t>(batch_axis)),
      dtype_(DTypeObject(column.dtype)),
      scalar_type_(dtype_.attr("type")) {}

int ArraySpec::PutShape(BatchShape batch, Py_ssize_t* shape) const {
  const std::vector<int64_t>& extents = column_.shape;
  const auto axis = extents.begin() + static_cast<int64_t>(batch_axis_);
  Py_ssize_t* end = shape;
  if (batch.num_batches > 0) *end++ = batch.num_batches;
  end = std::copy(extents.begin(), axis, end);
  if (batch.size >= 0) *end++ = batch.size;
  end = std::copy(axis, extents.end(), end);
  return static_cast<int>(end - shape);
}

bool ArraySpec::Matches(PyObject* array, BatchShape batch) const {
  const auto* proxy = Proxy(array);
  Py_ssize_t shape[kMaxAxes];
  const int num_axes = PutShape(batch, shape);
  if (proxy->nd != num_axes) return false;
  if (!std::equal(shape, shape + num_axes, proxy->dimensions)) return false;
  return proxy->descr == dtype_.ptr() ||
         Api::get().PyArray_EquivTypes_(proxy->descr, dtype_.ptr());
}

void ArraySpec::Refuse(py::handle given, BatchShape batch,
                       const std::string& what) const {
  Py_ssize_t shape[kMaxAxes];
  const int num_axes = PutShape(batch, shape);
  throw py::value_error(
      what + " '" + column_.name + "' must be " + DTypeName(column_.dtype) +
      ShapeString({shape, shape + num_axes}) + ", got " + Describe(given));
}

RowPointers::RowPointers(const std::vector<ArraySpec>& specs, py::handle arrays,
                         int64_t rows) {
  PyObject* const sequence = arrays.ptr();
  if (!PyList_Check(sequence) && !PyTuple_Check(sequence)) {
    throw py::value_error("rows must be a list or tuple of arrays");
  }
  const auto count = PySequence_Fast_GET_SIZE(sequence);
  if (count != static_cast<Py_ssize_t>(specs.size())) {
    throw py::value_error("a step has " + std::to_string(specs.size()) +
                          " columns, got " + std::to_string(count));
  }
  pointers_.reserve(specs.size());
  PyObject** const items = PySequence_Fast_ITEMS(sequence);
  for (size_t c = 0; c < specs.size(); ++c) {
    pointers_.push_back(Take(specs[c], items[c], rows));
  }
}

const void* RowPointers::Take(const ArraySpec& spec, py::handle given, int64_t rows) {
  PyObject* array = given.ptr();
  if (!IsArray(array)) {
    if (rows < 0 && spec.column().shape.empty()) {
      if (spec.IsScalar(array)) return TakeNumPyScalar(spec, given);
      if (IsNumber(given)) return Keep(ToElement(spec.column(), given));
    }
    owned_.push_back(MakeArray(spec, given, rows));
    array = owned_.back().ptr();
  }
  if (!spec.Matches(array, {rows})) spec.Refuse(array, {rows}, "column");
  if ((Proxy(array)->flags & kContiguous) != kContiguous) {
    owned_.push_back(FromAny(array, spec.dtype(), kContiguous));
    array = owned_.back().ptr();
  }
  return Proxy(array)->data;
}

// Lists of numbers, and all that knows how to become an array: that of another library
// keeps its dtype, and shares its memory where it can.
py::object RowPointers::MakeArray(const ArraySpec& spec, py::handle given,
                                  int64_t rows) {
  py::object array;
  try {
    array = FromAny(given, nullptr, kContiguous);
    if (Kind(array.ptr()) == 'O' && py::hasattr(given, "__dlpack__")) {
      array = py::module_::import("numpy").attr("from_dlpack")(given);
    }
  } catch (py::error_already_set& error) {
    const std::string message = "column '" + spec.column().name +
                                "' got what is no array: " +
                                std::string(py::str(error.value()));
    py::raise_from(error, PyExc_ValueError, message.c_str());
    throw py::error_already_set();
  }
  if (HasNoDType(given)) return ToElements(spec.column(), spec.dtype(), array);
  if (Kind(array.ptr()) == 'O') spec.Refuse(given, {rows}, "column");
  return array;
}

// Uses the number protocol, which takes a tenth of the time of making an array.
const void* RowPointers::TakeNumPyScalar(const ArraySpec& spec, py::handle given) {
  switch (spec.column().dtype) {
    case DType::kBool:
      return Keep(PyObject_IsTrue(given.ptr()) == 1);
    case DType::kFloat32:
      return Keep(static_cast<float>(PyFloat_AsDouble(given.ptr())));
    case DType::kFloat64:
      return Keep(PyFloat_AsDouble(given.ptr()));
    case DType::kInt32:
      return Keep(static_cast<int32_t>(PyLong_AsLongLong(given.ptr())));
    case DType::kInt64:
      return Keep(static_cast<int64_t>(PyLong_AsLongLong(given.ptr())));
    default:
      owned_.push_back(FromAny(given, nullptr, kContiguous));
      return Proxy(owned_.back().ptr())->data;
  }
}

template <class T>
const void* RowPointers::Keep(T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  // Room for every column at once: a reallocation would invalidate earlier pointers.
  scalars_.reserve(pointers_.capacity());
  std::memcpy(&scalars_.emplace_back(), &value, sizeof(T));
  return &scalars_.back();
}

py::object NewArray(BufferPool* pool, const ArraySpec& spec, BatchShape batch,
                    void** data) {
  const int64_t bytes = batch.num_rows() * spec.column().row_bytes();
  std::unique_ptr<Buffer> buffer = Acquire(pool, bytes);
  *data = buffer->data();
  return Wrap(spec, batch, *data, Hold(std::move(buffer)));
}

SharedBuffer::SharedBuffer(BufferPool* pool, int64_t bytes) {
  std::unique_ptr<Buffer> buffer = Acquire(pool, bytes);
  next_ = static_cast<uint8_t*>(buffer->data());
  owner_ = Hold(std::move(buffer));
}

int64_t SharedBuffer::Bytes(const ArraySpec& spec, int64_t rows) {
  const int64_t bytes = rows * spec.column().row_bytes();
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

py::object SharedBuffer::NewArray(const ArraySpec& spec, BatchShape batch,
                                  void** data) {
  *data = next_;
  next_ += Bytes(spec, batch.num_rows());
  return Wrap(spec, batch, *data, owner_);
}

void* OutputPointer(const ArraySpec& spec, py::handle array, BatchShape batch) {
  const bool fits = IsArray(array.ptr()) && spec.Matches(array.ptr(), batch);
  if (!fits) spec.Refuse(array, batch, "out");
  if ((Proxy(array.ptr())->flags & kOutputFlags) != kOutputFlags) {
    throw py::value_error("out '" + spec.column().name +
                          "' must be writable, aligned and C-contiguous");
  }
  return Proxy(array.ptr())->data;
}

py::array_t<int64_t> IntegerArray(py::handle given, const char* name) {
  const py::object array = FromAny(given, nullptr, kContiguous);
  const auto* proxy = Proxy(array.ptr());
  const char kind = Kind(array.ptr());
  const bool integers = kind == 'i' || kind == 'u';
  // NumPy makes an empty list float64, which is no reason to refuse it.
  const bool empty_list = proxy->nd == 1 && proxy->dimensions[0] == 0;
  if (proxy->nd != 1 || !(integers || empty_list)) {
    throw py::value_error(std::string(name) + " must be 1-D integers, got " +
                          Describe(array));
  }
  return py::array_t<int64_t, py::array::c_style | py::array::forcecast>(array);
}

py::array_t<double> FloatArray(py::handle given, int64_t n, const char* name) {
  const py::object array = FromAny(given, py::dtype::of<double>().ptr(), kContiguous);
  if (Proxy(array.ptr())->nd != 1 || Proxy(array.ptr())->dimensions[0] != n) {
    throw py::value_error(std::string(name) + " must have the shape (" +
                          std::to_string(n) + ",), got " + Describe(array));
  }
  return py::reinterpret_borrow<py::array_t<double>>(array);
}

int64_t NumRows(py::handle arrays) {
  for (const py::handle array : arrays) {
    const Py_ssize_t n = PyObject_Size(array.ptr());
    if (n >= 0) return n;
    PyErr_Clear();
    throw py::value_error("a run's rows must be arrays [T, ...], got " +
                          Describe(array));
  }
  throw py::value_error("a run needs a column");
}

Flags::Flags(py::handle given, int64_t n, const char* name) {
  all_ = given.ptr() == Py_True;
  if (all_ || given.ptr() == Py_False) return;
  owner_ = FromAny(given, nullptr, kContiguous);
  const auto* proxy = Proxy(owner_.ptr());
  const bool scalar = proxy->nd == 0;
  if (Kind(owner_.ptr()) != 'b' ||
      (!scalar && (proxy->nd != 1 || proxy->dimensions[0] != n))) {
    throw py::value_error(std::string(name) + " must be a bool or bool(" +
                          std::to_string(n) + ",), got " + Describe(given));
  }
  const auto* data = reinterpret_cast<const uint8_t*>(proxy->data);
  if (scalar) {
    all_ = *data != 0;
  } else {
    data_ = data;
  }
}

}  // namespace tfa
