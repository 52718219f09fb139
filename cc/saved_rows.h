// The rows in a checkpoint, which successive checkpoints share.
#ifndef TFAGENTS_CORE_CC_SAVED_ROWS_H_
#define TFAGENTS_CORE_CC_SAVED_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/file.h"
#include "cc/serial.h"
#include "cc/status.h"
#include "cc/step_store.h"

namespace tfa {

// Where some successive rows of a segment are in a file: those of the first column,
// then of the next, ..., then their indices within their episodes.
struct RowExtent {
  int64_t started_at = 0;  // names the segment
  int64_t offset = 0;      // in the file
  int32_t first = 0;       // row of the segment
  int32_t rows = 0;
  uint32_t crc32c = 0;
  // Of the segment, at the moment that was saved; not saved itself, as it is zero when
  // the segment is loaded.
  int64_t num_overwrites = 0;
};

// A file of rows, of which only the extents are still of use.
struct RowFile {
  FileSum file;
  std::vector<RowExtent> extents;  // in the order of their segments
};

// What a file holds of a segment that is in use stays right until a row of the segment
// is overwritten; then all its rows are written again. Files never change. Checkpoints
// link the file until half of it is of no use, or so little is that it is better
// written together with other rows.

// Writes the rows of the segments, which are pinned and numbered in the order they were
// started, into new files in `directory`, but for those that are in files of `before`
// in `base`, which are linked where that works. Of a row that is overwritten meanwhile,
// what was there before or after. Returns the files. O(rows written).
StatusOr<std::vector<RowFile>> SaveRows(const std::string& directory,
                                        const std::string& base,
                                        const std::vector<RowFile>& before,
                                        const std::vector<SegmentRows>& segments,
                                        StepStore* store);

void PutRowFiles(const std::vector<RowFile>& files, Writer* out);

// The files that were put, which must be as `sums` says. kDataLoss.
Status GetRowFiles(const std::vector<FileSum>& sums, Reader* in,
                   std::vector<RowFile>* files);

// Fills the segments of a loaded store. kDataLoss unless the files have each of their
// rows once, undamaged.
Status LoadRows(const std::string& directory, const std::vector<RowFile>& files,
                const std::vector<SegmentRows>& segments, StepStore* store);

// Copies n rows of which each begins some bytes after the one before.
void CopyRows(const uint8_t* from, int64_t from_stride, int64_t n, int64_t row_bytes,
              uint8_t* to, int64_t to_stride);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SAVED_ROWS_H_
