#ifndef TFAGENTS_CORE_CC_SLOT_ARRAY_H_
#define TFAGENTS_CORE_CC_SLOT_ARRAY_H_

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "cc/memory.h"

namespace tfa {

// An array of plain values whose bytes are all zero until they are written.
//
// Memory is taken for all of them at once, and pages that nobody has written to cost
// none: so a table may set aside what its max_size asks for when it is made, and
// allocates, copies and waits for nothing afterwards. `T` must be such that zeros are
// what an element that was never written is to be. Not thread-safe.
template <class T>
class SlotArray {
  static_assert(std::is_trivially_copyable_v<T>, "moved and zeroed as bytes");

 public:
  SlotArray() = default;
  ~SlotArray() { FreeAligned(data_, Bytes(capacity_)); }
  SlotArray(SlotArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  SlotArray& operator=(SlotArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  int64_t capacity() const { return capacity_; }

  // Makes room for n elements and keeps those that there are: O(capacity()), and
  // nothing where there is room. std::bad_alloc when there is no memory, having changed
  // nothing.
  void Reserve(int64_t n) {
    if (n <= capacity_) return;
    SlotArray grown;
    grown.data_ = static_cast<T*>(AllocateZeroed(Bytes(n)));
    if (grown.data_ == nullptr) throw std::bad_alloc();
    grown.capacity_ = n;
    if (capacity_ > 0) {
      std::memcpy(static_cast<void*>(grown.data_), data_,
                  static_cast<size_t>(Bytes(capacity_)));
    }
    *this = std::move(grown);
  }

  // Makes all elements zero.
  void Clear() {
    if (data_ != nullptr) ZeroAgain(data_, Bytes(capacity_));
  }

  T* data() { return data_; }
  const T* data() const { return data_; }

  // REQUIRES: 0 <= i < capacity().
  T& operator[](int64_t i) {
    assert(0 <= i && i < capacity_);
    return data_[i];
  }
  const T& operator[](int64_t i) const {
    assert(0 <= i && i < capacity_);
    return data_[i];
  }

 private:
  static int64_t Bytes(int64_t n) { return n * static_cast<int64_t>(sizeof(T)); }

  T* data_ = nullptr;
  int64_t capacity_ = 0;
};

// A vector's memory for n more elements, so that adding those allocates nothing. At
// least doubles it, so that doing this again and again costs O(1) an element.
template <class Vector>
void ReserveMore(Vector* vector, size_t n) {
  if (vector->capacity() - vector->size() >= n) return;
  vector->reserve(std::max(vector->size() + n, 2 * vector->capacity()));
}

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SLOT_ARRAY_H_
