// Python's own numbers, which have no dtype: what a column takes of them.
#ifndef TFAGENTS_CORE_CC_BINDINGS_NUMBERS_H_
#define TFAGENTS_CORE_CC_BINDINGS_NUMBERS_H_

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>

#include "cc/column.h"

namespace tfa {

// NumPy's own dtype, or that of ml_dtypes for bfloat16. Throws if there is none.
pybind11::dtype DTypeObject(DType dtype);

// Whether `value` is a bool, int or float of Python, which NumPy's scalars are not.
bool IsNumber(pybind11::handle value);

// Whether `value` is such a number, or nested lists or tuples of nothing else.
bool HasNoDType(pybind11::handle value);

// `value` as an element of `column`, in the low bytes of the result. A bool fits every
// dtype, an int those of integers and floats, a float those of floats. Throws a
// ValueError for others, for what is out of the dtype's range, and for an int that the
// dtype would round; a float is rounded, as there is no other way to write it.
uint64_t ToElement(const Column& column, pybind11::handle value);

// The numbers of `array`, which NumPy made of lists of them, as an array of `dtype`,
// that of `column`. Throws as ToElement does.
pybind11::object ToElements(const Column& column, pybind11::handle dtype,
                            pybind11::handle array);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_NUMBERS_H_
