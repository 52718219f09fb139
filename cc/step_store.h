// Storage of rows: ref-counted segments, linked into streams.
#ifndef TFAGENTS_CORE_CC_STEP_STORE_H_
#define TFAGENTS_CORE_CC_STEP_STORE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "cc/column.h"
#include "cc/serial.h"
#include "cc/status.h"

namespace tfa {

// A run of rows of one episode: `length` rows from (segment, offset) on. The first
// of them is row `episode_step` of its episode, so that many rows precede it there.
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

// A segment, and how many of its rows have been written.
struct SegmentRows {
  int32_t segment = 0;
  int32_t rows = 0;
};

// The segments in use at one moment, numbered from 0.
struct StoreSnapshot {
  std::vector<SegmentRows> segments;  // by number
  std::vector<int32_t> numbers;       // by segment; -1 where it is free
};

// Rows of K streams, stored once and shared by every item that covers them.
//
// A segment holds `segment_rows` rows in one 64-byte-aligned piece of memory: each
// column's rows one after another (a column starts on a 64-byte line), then each
// row's index within its episode. The segments of a stream are linked. A segment
// lives while anyone counts on it: its stream (which keeps the newest
// `history_rows + stack_rows` rows), items (`Ref`), gathers in progress (`Pin`); then
// it goes to a free list and is used again, so the memory is that of the fullest
// moment.
//
// Append, Ref, Unref: O(rows touched / segment_rows). Row access: O(1) within a
// segment.
//
// Not thread-safe: the owner's mutex guards every call, but for `RowData` and
// `Locate` on rows of referenced or pinned segments, which never change.
class StepStore {
 public:
  struct Options {
    int64_t num_streams = 1;
    int64_t history_rows = 1;  // newest rows of a stream that stay reachable
    int64_t stack_rows = 0;    // rows before an item that its views may look at
    int64_t segment_rows = 0;  // a power of two; 0 chooses by the size of a row
  };

  static StatusOr<std::unique_ptr<StepStore>> Create(std::vector<Column> columns,
                                                     const Options& options);
  ~StepStore();
  StepStore(const StepStore&) = delete;
  StepStore& operator=(const StepStore&) = delete;

  const std::vector<Column>& columns() const { return columns_; }
  const Options& options() const { return options_; }
  int64_t segment_rows() const { return segment_rows_; }
  int64_t segment_bytes() const { return segment_bytes_; }
  int64_t bytes_allocated() const { return num_segments_ * segment_bytes_; }
  int64_t bytes_in_use() const;

  // Whether the stream has an episode that has begun and not ended.
  bool EpisodeOpen(int32_t stream) const { return streams_[Index(stream)].open; }
  // Index that the next row would have within the open episode.
  int64_t NextStep(int32_t stream) const { return streams_[Index(stream)].next_step; }
  // Rows of the stream's history that can be reached, newest backwards.
  int64_t HistoryRows(int32_t stream) const;

  // Appends one row to each of the `n` streams; `columns[c] + i * row_bytes` is
  // column c of the i-th row. On an error nothing was written.
  // REQUIRES: streams in range and different; `first` or an open episode.
  Status Append(const RowFlags* rows, int64_t n, const void* const* columns);

  // The `length` rows of which the last is `back` rows before the stream's newest.
  // kOutOfRange when they are not all in history, kInvalidArgument when they are not
  // all of one episode.
  StatusOr<Window> Recent(int32_t stream, int64_t back, int64_t length) const;

  // Keeps, and lets go, the rows of a window and what precedes it for stacking.
  void Ref(const Window& window);
  void Unref(const Window& window);
  // The same for a gather in progress.
  void Pin(const Window& window);
  void Unpin(const Window& window);

  // Drops every stream's history and open episode.
  void Reset();

  // Writes everything but the rows and pins the segments in use, whose written rows
  // stay as they are until `Unpin`.
  StoreSnapshot Save(Writer* out);
  void Unpin(const std::vector<SegmentRows>& segments);
  // A store as it was saved, with rows still to be filled in; segment i of
  // `*segments`, all pinned, is number i. `options` count, not those of then, but for
  // segment_rows. kInvalidArgument when the saved store does not fit them, kDataLoss
  // when it contradicts itself.
  static StatusOr<std::unique_ptr<StepStore>> Load(std::vector<Column> columns,
                                                   const Options& options, Reader* in,
                                                   std::vector<SegmentRows>* segments);
  // Whether a window's rows, and those before it for stacking, are all in segments
  // that were loaded.
  bool Contains(const Window& window, const std::vector<SegmentRows>& segments) const;
  // A segment's rows of one column; of the one after the last: their steps.
  uint8_t* ColumnRows(int32_t segment, int64_t column);
  int64_t ColumnRowBytes(int64_t column) const;

  // Moves (segment, offset) `delta` rows along its stream.
  // REQUIRES: the rows between are referenced.
  void Advance(int32_t* segment, int32_t* offset, int64_t delta) const {
    const int64_t to = *offset + delta;
    if (to >= 0 && to < segment_rows_) {
      *offset = static_cast<int32_t>(to);
    } else {
      AdvanceFar(segment, offset, to);
    }
  }
  const uint8_t* SegmentData(int32_t segment) const { return header(segment).data; }
  int64_t column_offset(int64_t column) const { return column_offsets_[Index(column)]; }
  uint32_t EpisodeStep(int32_t segment, int32_t offset) const;

  // `item_refs[s]` is how many items hold segment s (missing ones: none).
  Status CheckValid(const std::vector<int32_t>& item_refs) const;
  // Adds one to `refs[s]` for every segment that `window` holds.
  void CountRefs(const Window& window, std::vector<int32_t>* refs) const;

 private:
  struct Header {
    uint8_t* data = nullptr;
    int32_t next = -1;
    int32_t prev = -1;
    int32_t refs = 0;  // of streams and items
    int32_t pins = 0;  // of gathers in progress
  };
  struct Slab {  // the memory of several segments
    void* memory;
    int64_t bytes;
  };
  struct Stream {
    std::deque<int32_t> segments;  // oldest first; each holds one reference
    int64_t rows_in_last = 0;
    int64_t next_step = 0;
    bool open = false;
  };
  // Headers live in blocks that never move, so gathers read them without a lock.
  static constexpr int64_t kBlock = 1024;
  static constexpr int64_t kMaxBlocks = 4096;

  StepStore(std::vector<Column> columns, const Options& options, int64_t segment_rows);

  template <class T>
  static size_t Index(T i) {
    return static_cast<size_t>(i);
  }
  Header& header(int32_t s) { return blocks_[Index(s) / kBlock][Index(s) % kBlock]; }
  const Header& header(int32_t s) const {
    return blocks_[Index(s) / kBlock][Index(s) % kBlock];
  }
  uint32_t* steps(int32_t segment) const;
  void AdvanceFar(int32_t* segment, int32_t* offset, int64_t to) const;
  Status Reserve(int64_t n);
  Status AllocateSlab();
  void StartSegment(Stream* stream);
  void TrimHistory(Stream* stream);
  void Release(int32_t segment);
  bool LinkSegments(const std::vector<int32_t>& next,
                    const std::vector<SegmentRows>& segments);
  bool LoadStream(Reader* in, Stream* stream, std::vector<bool>* taken,
                  const std::vector<SegmentRows>& segments);
  template <class Visitor>
  void ForEachSegment(const Window& window, Visitor visit) const;

  const std::vector<Column> columns_;
  const Options options_;
  const int64_t segment_rows_;
  int64_t segment_bytes_ = 0;
  int64_t steps_offset_ = 0;
  std::vector<int64_t> column_offsets_;
  std::vector<int64_t> row_bytes_;

  std::array<std::unique_ptr<Header[]>, kMaxBlocks> blocks_;
  std::vector<Slab> slabs_;
  int64_t num_segments_ = 0;
  std::vector<int32_t> free_;
  std::vector<Stream> streams_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_STEP_STORE_H_
