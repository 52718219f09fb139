// What is not rows in a checkpoint, written as changes to an earlier one.
#ifndef TFAGENTS_CORE_CC_SAVED_STATE_H_
#define TFAGENTS_CORE_CC_SAVED_STATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/file.h"
#include "cc/serial.h"
#include "cc/status.h"

namespace tfa {

// A file with one block of the state, as it was when the file was written.
struct StateFile {
  int64_t section = 0;
  int64_t block = 0;
  FileSum file;
};

// The sections of the state are cut into blocks. A large block is a file, which the
// checkpoints after it link, and what has changed in it since then; a small one is all
// change. A block whose changes take half of it is written anew, and so are those with
// the most changes, as many bytes in all as the changes take: then no save has to write
// most of them.

// Writes the state into `directory` and `out`. Blocks that are among `before`, in
// `base`, are linked where that works and saves something. Returns the files.
// O(bytes of the state).
StatusOr<std::vector<StateFile>> SaveState(const std::string& directory,
                                           const std::string& base,
                                           const std::vector<StateFile>& before,
                                           const Writer& state, Writer* out);

// The state as it was, and the files that it was read from, which must be as `sums`
// says.
Status LoadState(const std::string& directory, const std::vector<FileSum>& sums,
                 Reader* in, std::vector<uint8_t>* state,
                 std::vector<StateFile>* files);

// Writes and reads how n bytes differ from others; for tests.
void PutChanges(const std::vector<uint8_t>& base, const uint8_t* now, int64_t n,
                std::vector<uint8_t>* changes);
// False when the changes are of another block.
bool ApplyChanges(const std::vector<uint8_t>& changes, uint8_t* block, int64_t n);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SAVED_STATE_H_
