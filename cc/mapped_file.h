// Memory that is a file without a name.
#ifndef TFAGENTS_CORE_CC_MAPPED_FILE_H_
#define TFAGENTS_CORE_CC_MAPPED_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "cc/status.h"

namespace tfa {

// A file that grows piece by piece, each mapped into memory. It has no name, so the
// system removes it when the process ends, in whatever way. Errors are kIoError, with
// the directory. Not thread-safe.
class MappedFile {
 public:
  static StatusOr<std::unique_ptr<MappedFile>> Create(const std::string& directory);
  // Unmaps nothing.
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Memory for `bytes` more bytes, on a page of its own, to be given back by `Unmap`.
  // The file system has set the place aside: writing to it does not fail for want of
  // any. On an error nothing has changed.
  StatusOr<void*> Grow(int64_t bytes);
  static void Unmap(void* memory, int64_t bytes);

 private:
  MappedFile(int fd, std::string directory)
      : fd_(fd), directory_(std::move(directory)) {}
  Status Error(int error, const std::string& what) const;

  const int fd_;
  const std::string directory_;
  int64_t bytes_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_MAPPED_FILE_H_
