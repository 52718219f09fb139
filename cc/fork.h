// Whether this process is a fork of the one that made something.
#ifndef TFAGENTS_CORE_CC_FORK_H_
#define TFAGENTS_CORE_CC_FORK_H_

#include <cstdint>

namespace tfa {

// How many forks lie between this process and the one that loaded the program. A forked
// process has a copy of all memory, but only the thread that forked: locks may be held
// by threads that do not exist, and threads that should be joined never end. Whoever
// has either notes this number when it is made, and is not to be touched, not even
// destroyed, where it is another one. Thread-safe; a load.
int64_t NumForks();

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_FORK_H_
