#include "cc/block_codec.h"

#include <cstdlib>

#ifdef TFAGENTS_HAVE_LZ4
#include <lz4.h>
#endif

namespace tfa {

#ifdef TFAGENTS_HAVE_LZ4

bool HasLz4() { return true; }

int64_t Compress(const uint8_t* data, int64_t n, uint8_t* out, int64_t capacity) {
  if (n > LZ4_MAX_INPUT_SIZE || capacity < 1) return 0;
  const int64_t room = capacity < n ? capacity : n;
  return LZ4_compress_default(reinterpret_cast<const char*>(data),
                              reinterpret_cast<char*>(out), static_cast<int>(n),
                              static_cast<int>(room));
}

void Decompress(const uint8_t* data, int64_t bytes, uint8_t* out, int64_t n) {
  const int written = LZ4_decompress_safe(reinterpret_cast<const char*>(data),
                                          reinterpret_cast<char*>(out),
                                          static_cast<int>(bytes), static_cast<int>(n));
  if (written != n) std::abort();  // somebody wrote over our memory
}

#else

bool HasLz4() { return false; }

int64_t Compress(const uint8_t* /*data*/, int64_t /*n*/, uint8_t* /*out*/,
                 int64_t /*capacity*/) {
  std::abort();
}

void Decompress(const uint8_t* /*data*/, int64_t /*bytes*/, uint8_t* /*out*/,
                int64_t /*n*/) {
  std::abort();
}

#endif

}  // namespace tfa
