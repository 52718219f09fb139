#include "cc/saved_rows.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

#include "cc/column_reader.h"
#include "cc/crc32c.h"

namespace tfa {
namespace {

// A file has at least half as many bytes, or a thousandth of all: so that there are not
// too many files, and few bytes are written again with what is new.
constexpr int64_t kFileBytes = int64_t{2} << 20;
constexpr int64_t kMostFiles = 1024;
constexpr char kPrefix[] = "rows";

size_t Index(int64_t i) { return static_cast<size_t>(i); }

// Some successive rows of a segment, given by its number, and where they are saved.
struct Rows {
  int32_t number = 0;
  const RowFile* file = nullptr;
  RowExtent extent;

  bool operator<(const Rows& other) const {
    return std::tie(number, extent.first) <
           std::tie(other.number, other.extent.first);
  }
};

// Finds segments by when they were started.
class Numbers {
 public:
  Numbers(const StepStore& store, const std::vector<SegmentRows>& segments)
      : segments_(segments) {
    started_.reserve(segments.size());
    for (const SegmentRows& each : segments) {
      started_.push_back(store.StartedAt(each.segment));
    }
  }

  // -1 where it is in use no more.
  int32_t Of(int64_t started_at) const {
    const auto at = std::lower_bound(started_.begin(), started_.end(), started_at);
    if (at == started_.end() || *at != started_at) return -1;
    return static_cast<int32_t>(at - started_.begin());
  }

  int64_t started_at(int32_t number) const { return started_[Index(number)]; }

  // Whether the rows of an extent are in use, and as they were saved.
  bool AreInUse(const RowExtent& extent) const {
    const int32_t number = Of(extent.started_at);
    return number >= 0 &&
           segments_[Index(number)].num_overwrites == extent.num_overwrites;
  }

 private:
  const std::vector<SegmentRows>& segments_;
  std::vector<int64_t> started_;  // by number
};

int64_t RowBytes(const StepStore& store) {
  int64_t bytes = sizeof(uint32_t);
  for (const int64_t each : store.layout().row_bytes) bytes += each;
  return bytes;
}

// What is in use still of a file.
RowFile InUse(const RowFile& file, const Numbers& numbers) {
  RowFile used = {file.file, {}};
  for (const RowExtent& each : file.extents) {
    if (numbers.AreInUse(each)) used.extents.push_back(each);
  }
  return used;
}

std::vector<RowFile> LinkFiles(const std::string& directory, const std::string& base,
                               const std::vector<RowFile>& before,
                               const Numbers& numbers, int64_t row_bytes,
                               int64_t file_bytes) {
  std::vector<RowFile> linked;
  for (const RowFile& each : before) {
    RowFile used = InUse(each, numbers);
    int64_t bytes = 0;
    for (const RowExtent& extent : used.extents) bytes += extent.rows * row_bytes;
    const bool worth = 2 * bytes >= std::max(each.file.bytes, file_bytes);
    if (!base.empty() && worth && LinkFile(base, directory, each.file)) {
      linked.push_back(std::move(used));
    }
  }
  return linked;
}

// The rows that are in none of the files, in order.
std::vector<Rows> Missing(const std::vector<RowFile>& files, const Numbers& numbers,
                          const std::vector<SegmentRows>& segments) {
  std::vector<Rows> saved;
  for (const RowFile& file : files) {
    for (const RowExtent& each : file.extents) {
      saved.push_back({numbers.Of(each.started_at), &file, each});
    }
  }
  std::sort(saved.begin(), saved.end());
  std::vector<Rows> missing;
  auto next = saved.begin();
  for (int32_t s = 0; Index(s) < segments.size(); ++s) {
    int32_t row = 0;
    const auto skip_to = [&](int32_t to) {
      if (row < to) {
        missing.push_back({s,
                           nullptr,
                           {numbers.started_at(s), 0, row, to - row, 0,
                            segments[Index(s)].num_overwrites}});
      }
    };
    for (; next != saved.end() && next->number == s; ++next) {
      skip_to(next->extent.first);
      row = next->extent.first + next->extent.rows;
    }
    skip_to(segments[Index(s)].rows);
  }
  return missing;
}

// Writes one file of rows.
class RowFileWriter {
 public:
  RowFileWriter(const std::string& directory, StepStore* store)
      : store_(*store), file_(directory, UniqueName(kPrefix)) {}

  Status Open() { return file_.Open(); }

  Status Append(int32_t segment, RowExtent extent) {
    Copy(segment, extent);
    const auto n = static_cast<int64_t>(scratch_.size());
    extent.offset = bytes_;
    extent.crc32c = Crc32c(0, scratch_.data(), n);
    extents_.push_back(extent);
    bytes_ += n;
    return file_.Append(scratch_.data(), n);
  }

  int64_t bytes() const { return bytes_; }

  StatusOr<RowFile> Finish() {
    StatusOr<FileSum> sum = file_.Finish();
    if (!sum.ok()) return sum.status();
    return RowFile{*sum, std::move(extents_)};
  }

 private:
  // Rows are written as they were appended, whatever form they are kept in. They are
  // copied first, so that who overwrites some need not wait for the disk.
  void Copy(int32_t segment, const RowExtent& extent) {
    scratch_.resize(Index(extent.rows * RowBytes(store_)));
    uint8_t* to = scratch_.data();
    const auto num_columns = static_cast<int64_t>(store_.columns().size());
    const std::unique_lock<std::mutex> held = store_.HoldRows();
    for (int64_t c = 0; c <= num_columns; ++c) {
      const StepStore::ColumnRows rows = store_.RowsOf(segment, c);
      if (c < num_columns && store_.layout().packs(c)) {
        CopyPacked(segment, extent, c, to);
      } else {
        CopyRows(rows.first + extent.first * rows.stride, rows.stride, extent.rows,
                 rows.row_bytes, to, rows.row_bytes);
      }
      to += extent.rows * rows.row_bytes;
    }
  }

  void CopyPacked(int32_t segment, const RowExtent& extent, int64_t column,
                  uint8_t* to) const {
    const ColumnReader reader(store_, column);
    const int64_t row_bytes = reader.row_bytes();
    const int32_t end = extent.first + extent.rows;
    const LocatedWindow rows = {{segment, 0, end, 0}, store_.SegmentData(segment)};
    for (int64_t i = extent.first; i < end;) {
      const int64_t run = reader.Run(rows, i, end - i);
      CopyRows(reader.Row(rows, i), row_bytes, run, row_bytes, to, row_bytes);
      to += run * row_bytes;
      i += run;
    }
  }

  StepStore& store_;
  FileWriter file_;
  int64_t bytes_ = 0;
  std::vector<RowExtent> extents_;
  std::vector<uint8_t> scratch_;
};

Status Contradiction() {
  return DataLossError("the checkpoint contradicts itself about its rows");
}

// All that is in the files, in the order of segments and their rows. kDataLoss unless
// it is each row once.
StatusOr<std::vector<Rows>> Order(const std::vector<RowFile>& files,
                                  const std::vector<SegmentRows>& segments,
                                  const StepStore& store) {
  const Numbers numbers(store, segments);
  std::vector<Rows> order;
  for (const RowFile& file : files) {
    for (const RowExtent& each : file.extents) {
      const int32_t number = numbers.Of(each.started_at);
      if (number < 0 || each.first < 0 || each.rows < 1) return Contradiction();
      order.push_back({number, &file, each});
    }
  }
  std::sort(order.begin(), order.end());
  std::vector<int64_t> next(segments.size());
  for (const Rows& each : order) {
    if (next[Index(each.number)] != each.extent.first) return Contradiction();
    next[Index(each.number)] += each.extent.rows;
  }
  for (size_t s = 0; s < segments.size(); ++s) {
    if (next[s] != segments[s].rows) return Contradiction();
  }
  return order;
}

Status ReadExtent(const RowExtent& extent, int32_t segment, FileReader* file,
                  std::vector<uint8_t>* scratch, StepStore* store) {
  scratch->resize(Index(extent.rows * RowBytes(*store)));
  const auto bytes = static_cast<int64_t>(scratch->size());
  TFA_RETURN_IF_ERROR(file->ReadAt(extent.offset, scratch->data(), bytes));
  if (Crc32c(0, scratch->data(), bytes) != extent.crc32c) {
    return file->Damaged("its checksum does not match");
  }
  const uint8_t* from = scratch->data();
  const auto num_columns = static_cast<int64_t>(store->columns().size());
  for (int64_t c = 0; c <= num_columns; ++c) {
    const StepStore::ColumnRows rows = store->RowsOf(segment, c);
    CopyRows(from, rows.row_bytes, extent.rows, rows.row_bytes,
             rows.first + extent.first * rows.stride, rows.stride);
    from += extent.rows * rows.row_bytes;
  }
  return OkStatus();
}

}  // namespace

void CopyRows(const uint8_t* from, int64_t from_stride, int64_t n, int64_t row_bytes,
              uint8_t* to, int64_t to_stride) {
  if (row_bytes == 0) return;  // and memory of no rows may be null
  if (from_stride == row_bytes && to_stride == row_bytes) {
    std::memcpy(to, from, Index(n * row_bytes));
    return;
  }
  for (int64_t i = 0; i < n; ++i, from += from_stride, to += to_stride) {
    std::memcpy(to, from, Index(row_bytes));
  }
}

StatusOr<std::vector<RowFile>> SaveRows(const std::string& directory,
                                        const std::string& base,
                                        const std::vector<RowFile>& before,
                                        const std::vector<SegmentRows>& segments,
                                        StepStore* store) {
  const Numbers numbers(*store, segments);
  const int64_t row_bytes = RowBytes(*store);
  int64_t bytes = 0;
  for (const SegmentRows& each : segments) bytes += each.rows * row_bytes;
  const int64_t file_bytes = std::max(kFileBytes, bytes / kMostFiles);
  std::vector<RowFile> files =
      LinkFiles(directory, base, before, numbers, row_bytes, file_bytes);
  std::unique_ptr<RowFileWriter> writer;
  const auto finish = [&] {
    StatusOr<RowFile> file = writer->Finish();
    if (!file.ok()) return file.status();
    files.push_back(*std::move(file));
    writer.reset();
    return OkStatus();
  };
  for (const Rows& each : Missing(files, numbers, segments)) {
    if (writer == nullptr) {
      writer = std::make_unique<RowFileWriter>(directory, store);
      TFA_RETURN_IF_ERROR(writer->Open());
    }
    TFA_RETURN_IF_ERROR(
        writer->Append(segments[Index(each.number)].segment, each.extent));
    if (writer->bytes() >= file_bytes) TFA_RETURN_IF_ERROR(finish());
  }
  if (writer != nullptr) TFA_RETURN_IF_ERROR(finish());
  return files;
}

void PutRowFiles(const std::vector<RowFile>& files, Writer* out) {
  out->Put(static_cast<int64_t>(files.size()));
  for (const RowFile& file : files) {
    out->PutString(file.file.name);
    out->Put(static_cast<int64_t>(file.extents.size()));
    for (const RowExtent& each : file.extents) {
      out->Put(each.started_at);
      out->Put(each.offset);
      out->Put(each.first);
      out->Put(each.rows);
      out->Put(each.crc32c);
    }
  }
}

Status GetRowFiles(const std::vector<FileSum>& sums, Reader* in,
                   std::vector<RowFile>* files) {
  for (auto n = in->Get<int64_t>(); n > 0 && in->ok(); --n) {
    const StatusOr<FileSum> sum = FindFile(sums, in->GetString());
    if (!sum.ok()) return sum.status();
    RowFile& file = files->emplace_back();
    file.file = *sum;
    for (auto extents = in->Get<int64_t>(); extents > 0 && in->ok(); --extents) {
      RowExtent& each = file.extents.emplace_back();
      each.started_at = in->Get<int64_t>();
      each.offset = in->Get<int64_t>();
      each.first = in->Get<int32_t>();
      each.rows = in->Get<int32_t>();
      each.crc32c = in->Get<uint32_t>();
    }
  }
  return in->ok() ? OkStatus() : Contradiction();
}

Status LoadRows(const std::string& directory, const std::vector<RowFile>& files,
                const std::vector<SegmentRows>& segments, StepStore* store) {
  const StatusOr<std::vector<Rows>> order = Order(files, segments, *store);
  if (!order.ok()) return order.status();
  std::vector<uint8_t> scratch;
  PackingBuffer buffer;
  const RowFile* open = nullptr;
  std::unique_ptr<FileReader> reader;
  auto next = order->begin();
  // Segment by segment, so that what packs needs the raw memory of one.
  for (int32_t s = 0; Index(s) < segments.size(); ++s) {
    const SegmentRows& segment = segments[Index(s)];
    TFA_RETURN_IF_ERROR(store->StartFilling(segment));
    for (; next != order->end() && next->number == s; ++next) {
      if (next->file != open) {
        open = next->file;
        reader = std::make_unique<FileReader>(directory, open->file);
        TFA_RETURN_IF_ERROR(reader->Open());
      }
      TFA_RETURN_IF_ERROR(ReadExtent(next->extent, segment.segment, reader.get(),
                                     &scratch, store));
    }
    TFA_RETURN_IF_ERROR(store->FinishFilling(segment, &buffer));
  }
  return OkStatus();
}

}  // namespace tfa
