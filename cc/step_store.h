// Storage of rows: streams of ref-counted segments.
#ifndef TFAGENTS_CORE_CC_STEP_STORE_H_
#define TFAGENTS_CORE_CC_STEP_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cc/column.h"
#include "cc/packed_segment.h"
#include "cc/row_values.h"
#include "cc/segment_layout.h"
#include "cc/segments.h"
#include "cc/serial.h"
#include "cc/status.h"
#include "cc/window.h"

namespace tfa {

// A segment, and how many of its rows have been written.
struct SegmentRows {
  int32_t segment = 0;
  int32_t rows = 0;
  bool open = false;  // a stream's last, which takes more rows
  int64_t num_overwrites = 0;  // by the time of a snapshot
};

// The segments in use at one moment, numbered from 0 in the order they were started.
struct StoreSnapshot {
  std::vector<SegmentRows> segments;  // by number
  std::vector<int32_t> numbers;       // by segment; -1 where it is free
};

// Rows of K streams, stored once and shared by every item that covers them.
//
// A stream is a chain of segments of `segment_rows` rows each. It keeps a reference to
// those with its newest `history_rows`, of its newest episode `episode_rows`, and
// `stack_rows` before them. Items keep the rows of their windows (`Ref`), and whoever
// reads without the owner's mutex for a while pins them (`Pin`, `BeginGather`, `Save`).
// Their memory, counts and packing are Segments' job; see there.
//
// Append, Ref, Unref: O(rows touched / segment_rows). Row access: O(1) within a
// segment.
//
// Only Create, Reserve, BeginGather, StartFilling, Save and Load allocate; they throw
// std::bad_alloc, or say kResourceExhausted, having changed nothing that another call
// shows.
//
// Not thread-safe: the owner's mutex guards every call, but for `SegmentData`,
// `EpisodeStep`, `Advance` and `PackRows` on pinned segments, whose rows never change
// but by `Overwrite`, and `HoldRows`.
class StepStore {
 public:
  struct Options {
    int64_t num_streams = 1;
    int64_t history_rows = 1;  // newest rows of a stream that stay reachable
    int64_t episode_rows = 1;  // those of the newest episode alone
    int64_t stack_rows = 0;    // rows before an item that its views may look at
    int64_t segment_rows = 0;  // a power of two; 0 chooses by the size of a row
    int64_t max_bytes = 0;     // of all segments, in use or free; 0: no bound
    std::string directory;     // where to keep them in a file; empty: in RAM
    std::vector<bool> read_singly;  // by column: see SegmentLayout
  };

  static StatusOr<std::unique_ptr<StepStore>> Create(std::vector<Column> columns,
                                                     const Options& options);
  StepStore(const StepStore&) = delete;
  StepStore& operator=(const StepStore&) = delete;

  const std::vector<Column>& columns() const { return columns_; }
  const Options& options() const { return options_; }
  const SegmentLayout& layout() const { return layout_; }
  int64_t segment_rows() const { return segment_rows_; }
  int64_t segment_bytes() const { return layout_.bytes; }  // of a raw one

  // Segments that `Append` of these rows would start.
  int64_t NumNeeded(const RowFlags* rows, int64_t n) const;
  // The same for n consecutive rows of one stream.
  int64_t NumNeededByRun(int32_t stream, int64_t n) const;
  // Segments that could be started within max_bytes, if only the streams' histories
  // held any. O(segments of them). REQUIRES: max_bytes > 0.
  int64_t MostAvailable() const;

  // What Segments says and does: how many there are, may be, and are to be packed.
  int64_t num_segments() const { return segments_.size(); }
  int64_t bytes_allocated() const { return segments_.bytes_allocated(); }
  int64_t bytes_in_use() const { return segments_.bytes_in_use(); }
  int64_t NumAvailable() const { return segments_.NumAvailable(); }
  int64_t NumAvailableLater() const { return segments_.NumAvailableLater(); }
  int64_t StartedAt(int32_t segment) const { return segments_.started_at(segment); }
  Status Reserve(int64_t n) { return segments_.Reserve(n); }
  void ReleaseIdle() { segments_.ReleaseIdle(); }
  int64_t num_unpacked() const { return segments_.num_unpacked(); }
  int32_t StartPacking() { return segments_.StartPacking(); }
  // Packs the rows of a segment that was started on.
  PackedSegment PackRows(int32_t segment, PackingBuffer* buffer) const {
    return Pack(layout_, SegmentData(segment), buffer);
  }
  void FinishPacking(int32_t segment, PackedSegment packed) {
    segments_.FinishPacking(segment, std::move(packed));
  }

  // Whether the stream has an episode that has begun and not ended.
  bool EpisodeOpen(int32_t stream) const { return streams_[Index(stream)].open; }
  // Index that the next row would have within the open episode.
  int64_t NextStep(int32_t stream) const { return streams_[Index(stream)].next_step; }
  // Rows of the stream, since it began, that do not begin an episode.
  int64_t NumSteps(int32_t stream) const { return streams_[Index(stream)].num_steps; }
  // Rows of the stream's history that can be reached, newest backwards. An episode's
  // are until the stream's next one begins.
  int64_t HistoryRows(int32_t stream) const;

  // Appends one row to each of the `n` streams; `columns[c] + i * row_bytes` is
  // column c of the i-th row. kResourceExhausted when max_bytes has no room for the
  // NumNeeded segments; other errors are those of Reserve, which it calls. On an error
  // nothing was written.
  // REQUIRES: streams in range and different; `first` or an open episode.
  Status Append(const RowFlags* rows, int64_t n, const void* const* columns);

  // Appends n consecutive rows of one stream; `steps[i]` is row i's index within its
  // episode. On an error nothing was written. What the stream held stays held until
  // FinishRun, so that the windows of all items can be found and referenced before.
  // REQUIRES: n >= 1 rows of one stream, each `first` or of an open episode.
  Status AppendRun(const RowFlags* rows, int64_t n, const uint32_t* steps,
                   const void* const* columns);
  // Writes the windows of some items that the n newest rows, a run, make.
  // REQUIRES: AppendRun of n rows was called last, no row before an item is missing.
  void FindRunWindows(int32_t stream, int64_t n, const RunItem* items,
                      int64_t num_items, Window* windows) const;
  // Lets go what the stream's history no longer needs.
  void FinishRun(int32_t stream);

  // The `length` rows of which the last is `back` rows before the stream's newest.
  // kOutOfRange when they are not all in history, kInvalidArgument when they are not
  // all of one episode.
  StatusOr<Window> Recent(int32_t stream, int64_t back, int64_t length) const;
  // Rows, up to the newest, that hold the stream's newest `num_steps` steps: from the
  // row directly before the first of them on, over episode ends. 0 when they are not
  // all in history. As if `num_coming` rows had been appended, of which coming[i] is
  // the index of row i within its episode. O(episodes).
  int64_t RowsOfSteps(int32_t stream, int64_t num_steps,
                      const uint32_t* coming = nullptr, int64_t num_coming = 0) const;
  // The stream's newest `length` rows, of whatever episodes.
  // REQUIRES: they are in history, length >= 1.
  Window Newest(int32_t stream, int64_t length) const { return At(stream, 0, length); }

  // Keeps, and lets go, the rows of a window and what precedes it for stacking.
  void Ref(const Window& window);
  void Unref(const Window& window);
  // The same for n windows; those of one segment that follow each other cost one.
  void RefAll(const Window* windows, int64_t n);
  void UnrefAll(const Window* windows, int64_t n);
  // The same for whoever reads without the owner's mutex, for a while.
  void Pin(const Window& window);
  void Unpin(const Window& window);

  // A gather begins: the rows of the windows it is to `Hold`, which are referenced at
  // that moment, stay as they are until it ends. Without a bound in bytes and without
  // packing, so do all that were referenced at its beginning, which costs less than
  // pinning each window; O(segments let go meanwhile).
  int64_t BeginGather() { return pins_windows_ ? 0 : segments_.BeginGather(); }
  void Hold(const Window& window) {
    if (pins_windows_) Pin(window);
  }
  void EndGather(int64_t gather, const Window* windows, int64_t n);

  // Overwrites values in rows of n items, one after another; rows that an item does
  // not have are left out, and so are windows of length 0.
  // REQUIRES: valid values; no gather that has begun is in progress.
  void Overwrite(const Window* windows, int64_t n, const RowValues& values);
  // No row is overwritten while the lock exists. `Overwrite`, and with it the owner's
  // mutex, waits for it: to be held for no more than copying a segment takes.
  std::unique_lock<std::mutex> HoldRows() const {
    return std::unique_lock<std::mutex>(overwriting_);
  }

  // Drops a stream's history and open episode, as if it had never begun.
  void CloseStream(int32_t stream);
  // Drops every stream's history and open episode, and what items hold, which must all
  // go at once. O(segments).
  void Reset();

  // Writes everything but the rows and pins the segments in use, whose written rows
  // stay there until `Unpin`, and as they are but for `Overwrite`: see `HoldRows`.
  StoreSnapshot Save(Writer* out);
  void Unpin(const std::vector<SegmentRows>& segments);
  // A store as it was saved, without its rows, by a release of that `version` of the
  // format; segment i of `*segments`, all referenced until `Unref`, is number i.
  // `options` count, not those of then, but for segment_rows. kInvalidArgument when the
  // saved store does not fit them, kDataLoss when it contradicts itself.
  static StatusOr<std::unique_ptr<StepStore>> Load(std::vector<Column> columns,
                                                   const Options& options,
                                                   uint32_t version, Reader* in,
                                                   std::vector<SegmentRows>* segments);
  // Gives a loaded segment memory, for its rows to be written to `ColumnRows`; packs
  // them if they would have been by now. Both for each in turn, then all are let go.
  // kInvalidArgument when max_bytes is too little.
  Status StartFilling(const SegmentRows& each);
  Status FinishFilling(const SegmentRows& each, PackingBuffer* buffer);
  void FinishLoading(const std::vector<SegmentRows>& segments);
  // Whether a window's rows, and those before it for stacking, are all in segments
  // that were loaded.
  bool Contains(const Window& window, const std::vector<SegmentRows>& segments) const;
  // REQUIRES: a window of rows that are held.
  bool RunsOverAnEpisodesEnd(const Window& window) const;
  // Where a raw segment's rows of one column are; of the one after the last: their
  // steps.
  struct ColumnRows {
    uint8_t* first = nullptr;
    int64_t row_bytes = 0;
    int64_t stride = 0;
  };
  ColumnRows RowsOf(int32_t segment, int64_t column);

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
  const uint8_t* SegmentData(int32_t segment) const { return segments_.data(segment); }
  uint32_t EpisodeStep(int32_t segment, int32_t offset) const;

  // `item_refs[s]` is how many items hold segment s (missing ones: none).
  Status CheckValid(const std::vector<int32_t>& item_refs) const;
  // Adds one to `refs[s]` for every segment that `window` holds.
  void CountRefs(const Window& window, std::vector<int32_t>* refs) const;

 private:
  struct Stream {
    int32_t oldest = -1;  // segment, from which each links to the next, up to
    int32_t newest = -1;  // this one; the stream holds one reference to each
    int64_t num_segments = 0;
    uint8_t* data = nullptr;  // of the newest
    int64_t rows_in_last = 0;
    int64_t next_step = 0;
    int64_t num_steps = 0;
    bool open = false;
  };

  StepStore(std::vector<Column> columns, const Options& options, int64_t segment_rows,
            std::unique_ptr<MappedFile> file);

  template <class T>
  static size_t Index(T i) {
    return static_cast<size_t>(i);
  }
  uint32_t* steps(int32_t segment) const;
  Window At(int32_t stream, int64_t back, int64_t length) const;
  void AdvanceFar(int32_t* segment, int32_t* offset, int64_t to) const;
  void StartSegment(Stream* stream);
  int64_t MostHistoryRows(const Stream& stream) const;
  void TrimHistory(Stream* stream);
  bool NeedsSegment(const Stream& stream) const {
    return stream.num_segments == 0 || stream.rows_in_last == segment_rows_;
  }
  // The only segment that a window holds; -1 if there are several.
  int32_t OnlySegment(const Window& window) const;
  void OverwriteRow(int32_t segment, int64_t row, const RowValues& values, int64_t i);
  template <class One, class Many>
  void ForEachGroup(const Window* windows, int64_t n, One one, Many many);
  bool LinkSegments(const std::vector<int32_t>& next,
                    const std::vector<SegmentRows>& segments);
  bool LoadStarts(Reader* in, const std::vector<SegmentRows>& segments);
  bool LoadStream(uint32_t version, Reader* in, Stream* stream,
                  std::vector<bool>* taken, const std::vector<SegmentRows>& segments);
  template <class Visitor>
  void ForEachSegment(const Window& window, Visitor visit) const;

  const std::vector<Column> columns_;
  const Options options_;
  const int64_t segment_rows_;
  const SegmentLayout layout_;

  // Whether gathers pin each window: what is referenced may move, or is to be counted.
  const bool pins_windows_;

  Segments segments_;
  std::vector<Stream> streams_;
  mutable std::mutex overwriting_;  // see HoldRows
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_STEP_STORE_H_
