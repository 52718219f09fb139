#include "cc/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>

#include "cc/crc32c.h"

namespace tfa {
namespace {

// Large enough for the disk, small enough for the second-level cache, where the
// checksum finds the bytes again.
constexpr int64_t kBufferBytes = 512 * 1024;
constexpr mode_t kMode = 0644;

Status SystemError(const char* action, const std::string& path) {
  const int error = errno;
  return IoError(error, std::string("cannot ") + action + " '" + path +
                            "': " + std::generic_category().message(error));
}

// 0, or -1 with errno.
int FlushToDisk(int fd) {
#ifdef __APPLE__
  // There, fsync leaves the data in the disk's own cache.
  if (fcntl(fd, F_FULLFSYNC) == 0) return 0;
#endif
  return fsync(fd);
}

}  // namespace

StatusOr<FileSum> FindFile(const std::vector<FileSum>& files, const std::string& name) {
  const auto found =
      std::find_if(files.begin(), files.end(),
                   [&name](const FileSum& each) { return each.name == name; });
  if (found != files.end()) return *found;
  return DataLossError("the checkpoint's manifest does not name " + name);
}

FileWriter::FileWriter(const std::string& directory, const std::string& name)
    : path_(directory + "/" + name) {
  sum_.name = name;
  buffer_.reserve(static_cast<size_t>(kBufferBytes));
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) close(fd_);
}

Status FileWriter::Error(const char* action) const {
  return SystemError(action, path_);
}

Status FileWriter::Open() {
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  return fd_ < 0 ? Error("create") : OkStatus();
}

Status FileWriter::Append(const void* data, int64_t n) {
  const auto* at = static_cast<const uint8_t*>(data);
  if (static_cast<int64_t>(buffer_.size()) + n > kBufferBytes) {
    TFA_RETURN_IF_ERROR(Flush());
  }
  if (n >= kBufferBytes) return WriteOut(at, n);
  buffer_.insert(buffer_.end(), at, at + n);
  return OkStatus();
}

Status FileWriter::Flush() {
  TFA_RETURN_IF_ERROR(WriteOut(buffer_.data(), static_cast<int64_t>(buffer_.size())));
  buffer_.clear();
  return OkStatus();
}

Status FileWriter::WriteOut(const uint8_t* data, int64_t n) {
  sum_.crc32c = Crc32c(sum_.crc32c, data, n);
  sum_.bytes += n;
  while (n > 0) {
    const ssize_t written = write(fd_, data, static_cast<size_t>(n));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error("write");
    data += written;
    n -= written;
  }
  return OkStatus();
}

StatusOr<FileSum> FileWriter::Finish() {
  TFA_RETURN_IF_ERROR(Flush());
  if (FlushToDisk(fd_) != 0) return Error("flush");
  const int fd = fd_;
  fd_ = -1;
  if (close(fd) != 0) return Error("close");
  return sum_;
}

FileReader::FileReader(const std::string& directory, const FileSum& expected)
    : path_(directory + "/" + expected.name),
      expected_(expected),
      left_(expected.bytes) {}

FileReader::~FileReader() {
  if (fd_ >= 0) close(fd_);
}

Status FileReader::Damaged(const std::string& what) const {
  return DataLossError("'" + path_ + "' is damaged: " + what +
                       "; restore an earlier checkpoint");
}

Status FileReader::Open() {
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0 && errno == ENOENT) return Damaged("it is missing");
  if (fd_ < 0) return SystemError("open", path_);
  struct stat info {};
  if (fstat(fd_, &info) != 0) return SystemError("read", path_);
  if (info.st_size == expected_.bytes) return OkStatus();
  return Damaged("it has " + std::to_string(info.st_size) + " bytes, not the " +
                 std::to_string(expected_.bytes) + " that were written");
}

Status FileReader::Read(void* data, int64_t n) {
  if (n > left_) return Damaged("it ends early");
  TFA_RETURN_IF_ERROR(Fetch(expected_.bytes - left_, data, n));
  left_ -= n;
  crc32c_ = Crc32c(crc32c_, data, n);
  return OkStatus();
}

Status FileReader::ReadAt(int64_t offset, void* data, int64_t n) {
  if (offset < 0 || n > expected_.bytes - offset) return Damaged("it ends early");
  return Fetch(offset, data, n);
}

Status FileReader::Fetch(int64_t offset, void* data, int64_t n) {
  auto* at = static_cast<uint8_t*>(data);
  while (n > 0) {
    const ssize_t got = pread(fd_, at, static_cast<size_t>(n), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EIO) return Damaged("the disk cannot read it");
    if (got < 0) return SystemError("read", path_);
    if (got == 0) return Damaged("it ends early");
    at += got;
    offset += got;
    n -= got;
  }
  return OkStatus();
}

Status FileReader::Finish() {
  if (left_ != 0) return Damaged("it is longer than its contents");
  if (crc32c_ != expected_.crc32c) return Damaged("its checksum does not match");
  return OkStatus();
}

bool LinkFile(const std::string& from, const std::string& to, const FileSum& file) {
  const std::string path = from + "/" + file.name;
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || info.st_size != file.bytes) return false;
  return link(path.c_str(), (to + "/" + file.name).c_str()) == 0;
}

std::string UniqueName(const std::string& prefix) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string name = prefix + "-";
  for (int word = 0; word < 4; ++word) {
    uint32_t bits = random();
    for (int i = 0; i < 8; ++i, bits >>= 4) name += kDigits[bits & 15];
  }
  return name + ".bin";
}

Status VerifyFile(const std::string& directory, const FileSum& expected) {
  FileReader reader(directory, expected);
  TFA_RETURN_IF_ERROR(reader.Open());
  std::vector<uint8_t> buffer(static_cast<size_t>(kBufferBytes));
  while (reader.bytes_left() > 0) {
    const int64_t n = std::min(reader.bytes_left(), kBufferBytes);
    TFA_RETURN_IF_ERROR(reader.Read(buffer.data(), n));
  }
  return reader.Finish();
}

}  // namespace tfa
