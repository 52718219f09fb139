// NumPy arrays in and out: checked pointers to theirs, capsules around ours.
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

// A column as NumPy describes it. Use under the GIL.
class ArraySpec {
 public:
  // `batch_axis`: where the axis of rows goes, if there is one.
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
  // ValueError that says what was expected, and what came.
  [[noreturn]] void Refuse(pybind11::handle given, BatchShape batch,
                           const std::string& what) const;

 private:
  Column column_;
  size_t batch_axis_;
  pybind11::dtype dtype_;
  pybind11::object scalar_type_;
};

// Pointers to the caller's rows, one contiguous array per column: its own memory
// where dtype, shape and layout fit, a contiguous copy where only the layout does
// not, converted scalars for scalar columns. Lives for one call.
class RowPointers {
 public:
  // `arrays`: a list or tuple with one entry per column. `rows`: extent of the
  // leading axis, or -1 for a single row without one. ValueError when they do not fit.
  RowPointers(const std::vector<ArraySpec>& specs, pybind11::handle arrays,
              int64_t rows);

  const void* const* data() const { return pointers_.data(); }

 private:
  const void* Take(const ArraySpec& spec, pybind11::handle given, int64_t rows);
  const void* TakeScalar(const ArraySpec& spec, pybind11::handle given);
  const void* TakeNumPyScalar(const ArraySpec& spec, pybind11::handle given);
  template <class T>
  const void* Keep(T value);

  std::vector<const void*> pointers_;
  std::vector<pybind11::object> owned_;
  std::vector<uint64_t> scalars_;  // room for one value each; never moves
};

// A new array of rows in a pooled buffer that goes back with the array's last holder.
pybind11::object NewArray(BufferPool* pool, const ArraySpec& spec, BatchShape batch,
                          void** data);

// Several arrays in one such buffer, which goes back once all are gone: less work than
// a buffer for each.
class SharedBuffer {
 public:
  SharedBuffer(BufferPool* pool, int64_t bytes);

  // What an array of `rows` rows takes of the buffer.
  static int64_t Bytes(const ArraySpec& spec, int64_t rows);

  // A new array behind those before it. REQUIRES: room for it.
  pybind11::object NewArray(const ArraySpec& spec, BatchShape batch, void** data);

 private:
  uint8_t* next_;
  pybind11::object owner_;
};

// Memory of a caller's array to write into. ValueError unless it is writable,
// C-contiguous and fits.
void* OutputPointer(const ArraySpec& spec, pybind11::handle array, BatchShape batch);

// A 1-D int64 array; ValueError when `given` is not one of integers.
pybind11::array_t<int64_t> IntegerArray(pybind11::handle given, const char* name);

// A 1-D float64 array of length n.
pybind11::array_t<double> FloatArray(pybind11::handle given, int64_t n,
                                     const char* name);

// n booleans: True or False for all, or a bool array [n].
class Flags {
 public:
  Flags(pybind11::handle given, int64_t n, const char* name);
  bool operator[](int64_t i) const { return data_ == nullptr ? all_ : data_[i] != 0; }

 private:
  bool all_ = false;
  const uint8_t* data_ = nullptr;
  pybind11::object owner_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_ARRAYS_H_
