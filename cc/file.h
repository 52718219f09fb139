// Files of a checkpoint: written through to the disk, and checked when read.
#ifndef TFAGENTS_CORE_CC_FILE_H_
#define TFAGENTS_CORE_CC_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/memory.h"
#include "cc/status.h"

namespace tfa {

// What a file must hold to be intact.
struct FileSum {
  std::string name;
  int64_t bytes = 0;
  uint32_t crc32c = 0;
};

// What the file of a name must hold; kDataLoss when it is not among them.
StatusOr<FileSum> FindFile(const std::vector<FileSum>& files, const std::string& name);

// Writes one new file. Errors are kIoError, with the path. Not thread-safe.
class FileWriter {
 public:
  FileWriter(const std::string& directory, const std::string& name);
  ~FileWriter();  // an unfinished file stays as it is
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // Creates the file. REQUIRES: first.
  Status Open();
  Status Append(const void* data, int64_t n);
  // Waits until all of it is on the disk.
  StatusOr<FileSum> Finish();

 private:
  Status Flush();
  Status WriteOut(const uint8_t* data, int64_t n);
  Status Error(const char* action) const;

  const std::string path_;
  int fd_ = -1;
  FileSum sum_;
  std::vector<uint8_t, AlignedAllocator<uint8_t>> buffer_;
};

// Reads one file from its beginning to its end. Not thread-safe.
class FileReader {
 public:
  FileReader(const std::string& directory, const FileSum& expected);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  // kDataLoss unless the file is there and has the expected size. REQUIRES: first.
  Status Open();
  // The next n bytes; kDataLoss when there are fewer.
  Status Read(void* data, int64_t n);
  // Any n bytes, whatever else was read; they do not count for `Finish`.
  Status ReadAt(int64_t offset, void* data, int64_t n);
  // What is wrong, in the words of the others. kDataLoss.
  Status Damaged(const std::string& what) const;
  // kDataLoss unless all was read and is what was written.
  Status Finish();

  int64_t bytes_left() const { return left_; }

 private:
  Status Fetch(int64_t offset, void* data, int64_t n);

  const std::string path_;
  const FileSum expected_;
  int fd_ = -1;
  int64_t left_ = 0;
  uint32_t crc32c_ = 0;
};

// Gives a file of one directory the same name in another, too. Whether it worked; not
// where file systems differ or have no links, nor unless the file has the bytes that
// were written. What it holds is for the reader to check.
bool LinkFile(const std::string& from, const std::string& to, const FileSum& file);

// A name for a file that no other file ever has: it stands for what is in it.
std::string UniqueName(const std::string& prefix);

// Reads the whole file; ok when it is intact, kDataLoss when it is not.
Status VerifyFile(const std::string& directory, const FileSum& expected);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_FILE_H_
