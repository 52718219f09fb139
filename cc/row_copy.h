// Copies of rows that lie anywhere, one after another.
#ifndef TFAGENTS_CORE_CC_ROW_COPY_H_
#define TFAGENTS_CORE_CC_ROW_COPY_H_

#include <cstdint>

namespace tfa {

// Writes n rows of so many bytes one after another. `rows[i]` is where row i begins.
using RowCopy = void (*)(const uint8_t* const* rows, int64_t n, int64_t bytes,
                         uint8_t* out);

// The fastest for rows of so many bytes.
RowCopy ChooseRowCopy(int64_t bytes);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_ROW_COPY_H_
