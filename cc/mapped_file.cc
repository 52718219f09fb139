#include "cc/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace tfa {
namespace {

int64_t RoundUpToPages(int64_t bytes) {
  static const int64_t page = sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

// Has the disk set bytes [offset, offset + size) aside at the end of a file, so that
// writing to them cannot fail. Returns errno, or 0.
int Allocate(int fd, int64_t offset, int64_t size) {
#ifdef __APPLE__
  fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, size, 0};
  if (fcntl(fd, F_PREALLOCATE, &store) != 0) return errno;
  return ftruncate(fd, offset + size) == 0 ? 0 : errno;
#else
  return posix_fallocate(fd, offset, size);
#endif
}

// -1, with errno, when there cannot be one.
int OpenNameless(const std::string& directory) {
#ifdef O_TMPFILE
  const int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  const bool unknown = errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL;
  if (fd >= 0 || !unknown) return fd;
#endif
  // A file system that makes no such file: the name goes as soon as it is there.
  std::string path = directory + "/replay-XXXXXX";
  const int named = mkstemp(path.data());
  if (named >= 0) unlink(path.c_str());
  return named;
}

}  // namespace

StatusOr<std::unique_ptr<MappedFile>> MappedFile::Create(const std::string& directory) {
  const int fd = OpenNameless(directory);
  if (fd >= 0) return std::unique_ptr<MappedFile>(new MappedFile(fd, directory));
  const int error = errno;
  return IoError(error, "cannot keep steps in a file in '" + directory +
                            "': " + std::generic_category().message(error));
}

MappedFile::~MappedFile() { close(fd_); }

Status MappedFile::Error(int error, const std::string& what) const {
  return IoError(error, "the file of steps in '" + directory_ + "', of " +
                            std::to_string(bytes_) + " bytes, cannot " + what + ": " +
                            std::generic_category().message(error) +
                            "; make room there, or lower the tables' max_size");
}

StatusOr<void*> MappedFile::Grow(int64_t bytes) {
  const int64_t size = RoundUpToPages(bytes);
  const int error = Allocate(fd_, bytes_, size);
  if (error != 0) {
    // What there was of it goes back.
    const bool same = ftruncate(fd_, bytes_) == 0;
    return Error(error, same ? "grow" : "grow, nor become as small as it was");
  }
  void* const memory = mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE,
                            MAP_SHARED, fd_, bytes_);
  if (memory == MAP_FAILED) return Error(errno, "be mapped into memory");
  bytes_ += size;
  return memory;
}

void MappedFile::Unmap(void* memory, int64_t bytes) {
  munmap(memory, static_cast<size_t>(RoundUpToPages(bytes)));
}

}  // namespace tfa
