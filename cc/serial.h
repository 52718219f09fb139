// Plain values as little-endian bytes, one after another.
#ifndef TFAGENTS_CORE_CC_SERIAL_H_
#define TFAGENTS_CORE_CC_SERIAL_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "cc/memory.h"
#include "cc/status.h"

namespace tfa {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "checkpoints are written as the memory of a little-endian machine");

// Collects values. Arrays are preceded by their number of elements.
// O(bytes), amortised. Not thread-safe.
class Writer {
 public:
  // Fetches memory for so many bytes now, so that writing them need not.
  void Reserve(int64_t n) {
    bytes_.resize(Index(n));
    bytes_.clear();
  }

  template <class T>
  void Put(T value) {
    static_assert(std::is_arithmetic_v<T>, "one number at a time");
    std::memcpy(Extend(kSize<T>), &value, sizeof(T));
  }

  template <class T>
  void PutArray(const T* values, int64_t n) {
    static_assert(std::is_trivially_copyable_v<T>, "bytes are all there is to it");
    Put(n);
    if (n > 0) std::memcpy(Extend(n * kSize<T>), values, Index(n * kSize<T>));
  }

  template <class T, class Allocator>
  void PutArray(const std::vector<T, Allocator>& values) {
    PutArray(values.data(), static_cast<int64_t>(values.size()));
  }

  void PutString(const std::string& text) {
    PutArray(text.data(), static_cast<int64_t>(text.size()));
  }

  // Puts the array of make(0), ..., make(n - 1), of a type T.
  template <class T, class Make>
  void PutArrayOf(int64_t n, Make make) {
    static_assert(std::is_trivially_copyable_v<T>, "bytes are all there is to it");
    Put(n);
    uint8_t* to = Extend(n * kSize<T>);
    for (int64_t i = 0; i < n; ++i, to += kSize<T>) {
      const T value = make(i);
      std::memcpy(to, &value, sizeof(T));
    }
  }

  // Ends a section: successive checkpoints are compared section by section, so what
  // grows or shrinks within one does not move the others.
  void EndSection() { section_ends_.push_back(size()); }
  const std::vector<int64_t>& section_ends() const { return section_ends_; }

  // Makes what is put until EndBlock a block, which a reader may skip.
  int64_t BeginBlock() {
    Put(int64_t{0});
    return size();
  }
  void EndBlock(int64_t begin) {
    const int64_t bytes = size() - begin;
    std::memcpy(bytes_.data() + begin - kSize<int64_t>, &bytes, sizeof(bytes));
  }

  const uint8_t* data() const { return bytes_.data(); }
  int64_t size() const { return static_cast<int64_t>(bytes_.size()); }

 private:
  template <class T>
  static constexpr int64_t kSize = static_cast<int64_t>(sizeof(T));

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  uint8_t* Extend(int64_t n) {
    bytes_.resize(bytes_.size() + Index(n));
    return bytes_.data() + bytes_.size() - n;
  }

  std::vector<uint8_t, AlignedAllocator<uint8_t>> bytes_;
  std::vector<int64_t> section_ends_;
};

// Gives back what a Writer collected, in the same order.
//
// Reading past the end gives zeros and empty arrays, and `ok` is false from then on:
// look at it before a value is used to size or to index anything.
// Borrows the bytes. O(bytes). Not thread-safe.
class Reader {
 public:
  Reader(const uint8_t* data, int64_t size) : at_(data), left_(size) {}

  template <class T>
  T Get() {
    T value{};
    if (Take(sizeof(T))) std::memcpy(&value, at_ - sizeof(T), sizeof(T));
    return value;
  }

  template <class T>
  std::vector<T> GetArray() {
    static_assert(std::is_trivially_copyable_v<T>, "bytes are all there is to it");
    const auto n = Get<int64_t>();
    constexpr auto kSize = static_cast<int64_t>(sizeof(T));
    const bool fits = 0 <= n && n <= left_ / kSize;
    std::vector<T> values;
    if (!Take(fits ? n * kSize : -1) || n == 0) return values;
    values.resize(static_cast<size_t>(n));
    std::memcpy(values.data(), at_ - n * kSize, static_cast<size_t>(n * kSize));
    return values;
  }

  std::string GetString() {
    const std::vector<char> text = GetArray<char>();
    return std::string(text.begin(), text.end());
  }

  // The next block, as a reader of its own.
  Reader GetBlock() {
    const auto n = Get<int64_t>();
    if (!Take(n)) return Reader(at_, 0);
    return Reader(at_ - n, n);
  }

  bool ok() const { return ok_; }
  // Whether everything was read, and nothing more.
  bool done() const { return ok_ && left_ == 0; }

 private:
  bool Take(int64_t n) {
    ok_ = ok_ && 0 <= n && n <= left_;
    if (!ok_) return false;
    at_ += n;
    left_ -= n;
    return true;
  }

  const uint8_t* at_;
  int64_t left_;
  bool ok_ = true;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SERIAL_H_
