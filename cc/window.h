// Rows by where they are, and rows to come.
#ifndef TFAGENTS_CORE_CC_WINDOW_H_
#define TFAGENTS_CORE_CC_WINDOW_H_

#include <cstdint>

namespace tfa {

// A run of rows of one stream: `length` rows from (segment, offset) on. The first
// of them is row `episode_step` of its episode, so that many rows precede it there.
// All are of that episode, but for windows of unrolls, which run over episode ends.
struct Window {
  int32_t segment = 0;
  int32_t offset = 0;
  int32_t length = 0;
  uint32_t episode_step = 0;
};

// What one `Append` writes to one stream.
struct RowFlags {
  int32_t stream = 0;
  bool first = false;
  bool last = false;
};

// An item that a run of rows makes: the `length` rows that end with row `row` of it.
struct RunItem {
  int32_t row = 0;
  int32_t length = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_WINDOW_H_
