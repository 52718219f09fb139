// NumPy arrays in and out: checked pointers into the caller's arrays, and new arrays
// whose capsules own our buffers.
#ifndef TFAGENTS_CORE_CC_BINDINGS_ARRAYS_H_
#define TFAGENTS_CORE_CC_BINDINGS_ARRAYS_H_

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cc/buffer_pool.h"
#include "cc/column.h"

namespace tfa {

// The leading axes of arrays of rows: `size` rows, or none when negative, as so many
// batches of that size where `num_batches` > 0.
struct BatchShape {
  int64_t size = -1;
  int64_t num_batches = 0;

  int64_t num_rows() const { return size * std::max<int64_t>(num_batches, 1); }
};

// A column's dtype and shape as NumPy objects. REQUIRES: the GIL for every call.
class ArraySpec {
 public:
  // `batch_axis`: position of the axis of rows, if there is one.
  explicit ArraySpec(const Column& column, int batch_axis = 0);

  const Column& column() const { return column_; }
  size_t batch_axis() const { return batch_axis_; }
  PyObject* dtype() const { return dtype_.ptr(); }
  // Whether `object` is a NumPy scalar of this dtype.
  bool IsScalar(PyObject* object) const {
    return reinterpret_cast<PyObject*>(Py_TYPE(object)) == scalar_type_.ptr();
  }

  // Writes the shape of an array of rows and returns how many axes it has: that of
  // batches first, that of rows at `batch_axis` of what follows.
  int PutShape(BatchShape batch, Py_ssize_t* shape) const;
  // Whether `array` has this dtype and shape.
  bool Matches(PyObject* array, BatchShape batch) const;
  // Throws a ValueError that names the dtype and shape expected and given.
  [[noreturn]] void Refuse(pybind11::handle given, BatchShape batch,
                           const std::string& what) const;

 private:
  Column column_;
  size_t batch_axis_;
  pybind11::dtype dtype_;
  pybind11::object scalar_type_;
};

// Pointers to the caller's rows, one contiguous array per column: the caller's own
// memory if dtype, shape and layout match, a contiguous copy if only the layout does
// not, and a converted value for Python's numbers and lists of them, which have no
// dtype. Lives for one call, in which the caller's arrays must not be freed.
class RowPointers {
 public:
  // `arrays`: a list or tuple with one entry per column. `rows`: size of the leading
  // axis, or -1 for a single row without one. Throws a ValueError if they do not match.
  RowPointers(const std::vector<ArraySpec>& specs, pybind11::handle arrays,
              int64_t rows);

  const void* const* data() const { return pointers_.data(); }

 private:
  const void* Take(const ArraySpec& spec, pybind11::handle given, int64_t rows);
  pybind11::object MakeArray(const ArraySpec& spec, pybind11::handle given,
                             int64_t rows);
  const void* TakeNumPyScalar(const ArraySpec& spec, pybind11::handle given);
  template <class T>
  const void* Keep(T value);

  std::vector<const void*> pointers_;
  std::vector<pybind11::object> owned_;
  std::vector<uint64_t> scalars_;  // reserved at first use, so that pointers stay valid
};

// A new array of rows in a pooled buffer, which returns to the pool when the last
// reference to the array is gone.
pybind11::object NewArray(BufferPool* pool, const ArraySpec& spec, BatchShape batch,
                          void** data);

// Several arrays in one such buffer, which returns to the pool once all of them are
// gone. For small arrays this is faster than a buffer for each.
class SharedBuffer {
 public:
  SharedBuffer(BufferPool* pool, int64_t bytes);

  // Bytes that an array of `rows` rows takes in the buffer, rounded up for alignment.
  static int64_t Bytes(const ArraySpec& spec, int64_t rows);

  // A new array after the previous ones. REQUIRES: enough space is left.
  pybind11::object NewArray(const ArraySpec& spec, BatchShape batch, void** data);

 private:
  uint8_t* next_;
  pybind11::object owner_;
};

// The memory of a caller's array, to write into. Throws a ValueError unless the array
// matches `spec` and is writable, aligned and C-contiguous.
void* OutputPointer(const ArraySpec& spec, pybind11::handle array, BatchShape batch);

// `given` as a 1-D int64 array. Throws a ValueError unless it is 1-D and of integers.
pybind11::array_t<int64_t> IntegerArray(pybind11::handle given, const char* name);

// `given` as a 1-D float64 array. Throws a ValueError unless its length is n.
pybind11::array_t<double> FloatArray(pybind11::handle given, int64_t n,
                                     const char* name);

// The extent of the first axis of the first array in a list or tuple of arrays. Throws
// a ValueError unless there is one.
int64_t NumRows(pybind11::handle arrays);

// n booleans, given as one bool for all of them or as a bool array [n].
class Flags {
 public:
  Flags(pybind11::handle given, int64_t n, const char* name);
  bool operator[](int64_t i) const { return data_ == nullptr ? all_ : data_[i] != 0; }
  // Whether there is one bool for all of them.
  bool is_one() const { return data_ == nullptr; }

 private:
  bool all_ = false;
  const uint8_t* data_ = nullptr;
  pybind11::object owner_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_ARRAYS_H_
