#include "cc/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

namespace tfa {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // bits reversed

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b]: the remainder of byte b followed by k bytes of zeros.
Tables MakeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

uint64_t Load64(const uint8_t* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) uint32_t Crc32cHardware(uint32_t crc,
                                                          const uint8_t* at,
                                                          int64_t n) {
  uint64_t state = ~crc;
  for (; n >= 8; n -= 8, at += 8) state = _mm_crc32_u64(state, Load64(at));
  auto tail = static_cast<uint32_t>(state);
  for (; n > 0; --n, ++at) tail = _mm_crc32_u8(tail, *at);
  return ~tail;
}
#endif

}  // namespace

uint32_t Crc32cPortable(uint32_t crc, const void* data, int64_t n) {
  static const Tables tables = MakeTables();
  const auto* at = static_cast<const uint8_t*>(data);
  uint32_t state = ~crc;
  for (; n >= 8; n -= 8, at += 8) {
    const uint64_t word = Load64(at) ^ state;
    state = 0;
    for (size_t k = 0; k < 8; ++k) state ^= tables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; n > 0; --n, ++at) state = (state >> 8) ^ tables[0][(state ^ *at) & 0xff];
  return ~state;
}

uint32_t Crc32c(uint32_t crc, const void* data, int64_t n) {
#ifdef __x86_64__
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return Crc32cHardware(crc, static_cast<const uint8_t*>(data), n);
#endif
  return Crc32cPortable(crc, data, n);
}

}  // namespace tfa
