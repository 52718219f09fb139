// LZ4 on blocks of memory, if the build has it.
#ifndef TFAGENTS_CORE_CC_BLOCK_CODEC_H_
#define TFAGENTS_CORE_CC_BLOCK_CODEC_H_

#include <cstdint>

namespace tfa {

// Whether this build can compress; the other two calls REQUIRE it.
bool HasLz4();

// Writes `n` bytes, compressed, to `out` and returns how many they are then; 0 when
// they would not fit `capacity` bytes, or be more than before.
int64_t Compress(const uint8_t* data, int64_t n, uint8_t* out, int64_t capacity);

// Undoes `Compress`, whose `bytes` bytes were `n` before.
void Decompress(const uint8_t* data, int64_t bytes, uint8_t* out, int64_t n);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BLOCK_CODEC_H_
