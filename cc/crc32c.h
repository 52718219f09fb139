#ifndef TFAGENTS_CORE_CC_CRC32C_H_
#define TFAGENTS_CORE_CC_CRC32C_H_

#include <cstdint>

namespace tfa {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of a piece of data, given that of all
// that came before it, 0 at first. Finds every error within 32 consecutive bits.
// O(n), several bytes a cycle where the processor has an instruction for it.
uint32_t Crc32c(uint32_t crc, const void* data, int64_t n);

// The same by tables, for processors without the instruction.
uint32_t Crc32cPortable(uint32_t crc, const void* data, int64_t n);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_CRC32C_H_
