#include "cc/step_store.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "cc/block_codec.h"

namespace tfa {
namespace {

// A fixed-size copy is a plain load and store; a call to memcpy costs more than the
// few bytes of a scalar column.
void CopyRow(uint8_t* to, const uint8_t* from, int64_t bytes) {
  switch (bytes) {
    case 1:
      *to = *from;
      return;
    case 4:
      std::memcpy(to, from, 4);
      return;
    case 8:
      std::memcpy(to, from, 8);
      return;
    case 0:  // whose array may be null
      return;
    default:
      std::memcpy(to, from, static_cast<size_t>(bytes));
  }
}

Status CheckColumn(const Column& column, const StepStore::Options& options) {
  TFA_RETURN_IF_ERROR(column.Validate());
  if (column.compression == Compression::kNone) return OkStatus();
  const std::string asks = "column '" + column.name + "' asks for compression='lz4', ";
  if (!HasLz4()) {
    return FailedPreconditionError(
        asks +
        "but this replay was built without LZ4; install it (Debian and Ubuntu: "
        "liblz4-dev) and build again");
  }
  if (options.directory.empty()) return OkStatus();
  return InvalidArgumentError(asks +
                              "which keeps its rows in RAM, and storage_directory in a "
                              "file; give one or the other");
}

}  // namespace

StatusOr<std::unique_ptr<StepStore>> StepStore::Create(std::vector<Column> columns,
                                                       const Options& options) {
  if (columns.empty()) return InvalidArgumentError("a step needs at least one column");
  for (const Column& column : columns) {
    TFA_RETURN_IF_ERROR(CheckColumn(column, options));
  }
  if (options.num_streams < 1) {
    return InvalidArgumentError(
        "num_streams is " + std::to_string(options.num_streams) + "; it must be >= 1");
  }
  const int64_t history = std::max(options.history_rows, options.episode_rows);
  if (history > kMaxExtent || options.stack_rows > kMaxExtent) {
    return InvalidArgumentError("the replay would have to keep " +
                                std::to_string(history) +
                                " rows of each stream, and " +
                                std::to_string(options.stack_rows) +
                                " for stacks; both must be at most 2^31");
  }
  int64_t rows = options.segment_rows;
  if (rows == 0) rows = ChooseSegmentRows(columns);
  if (rows < 1 || (rows & (rows - 1)) != 0 || rows > (1 << 20)) {
    return InvalidArgumentError("segment_rows is " + std::to_string(rows) +
                                "; it must be a power of two, at most 2^20");
  }
  std::unique_ptr<MappedFile> file;
  if (!options.directory.empty()) {
    StatusOr<std::unique_ptr<MappedFile>> made = MappedFile::Create(options.directory);
    if (!made.ok()) return made.status();
    file = *std::move(made);
  }
  return std::unique_ptr<StepStore>(
      new StepStore(std::move(columns), options, rows, std::move(file)));
}

StepStore::StepStore(std::vector<Column> columns, const Options& options,
                     int64_t segment_rows, std::unique_ptr<MappedFile> file)
    : columns_(std::move(columns)),
      options_(options),
      segment_rows_(segment_rows),
      layout_(columns_, segment_rows, options.read_singly),
      pins_windows_(layout_.packs() || options.max_bytes > 0),
      segments_(layout_, options.max_bytes, std::move(file)),
      streams_(Index(options.num_streams)) {}

int64_t StepStore::HistoryRows(int32_t stream) const {
  const Stream& s = streams_[Index(stream)];
  const int64_t full = s.num_segments - 1;
  if (full < 0) return 0;
  return std::min(full * segment_rows_ + s.rows_in_last, MostHistoryRows(s));
}

int64_t StepStore::MostHistoryRows(const Stream& stream) const {
  return std::max(options_.history_rows,
                  std::min(options_.episode_rows, stream.next_step));
}

uint32_t* StepStore::steps(int32_t segment) const {
  return reinterpret_cast<uint32_t*>(segments_.data(segment) + layout_.steps_offset);
}

uint32_t StepStore::EpisodeStep(int32_t segment, int32_t offset) const {
  return steps(segment)[offset];
}

int64_t StepStore::NumNeeded(const RowFlags* rows, int64_t n) const {
  return std::count_if(rows, rows + n, [this](const RowFlags& row) {
    return NeedsSegment(streams_[Index(row.stream)]);
  });
}

void StepStore::StartSegment(Stream* stream) {
  stream->newest = segments_.Start(stream->newest);
  if (stream->num_segments++ == 0) stream->oldest = stream->newest;
  stream->data = segments_.data(stream->newest);
  stream->rows_in_last = 0;
}

// Lets go the oldest segments while the others hold history enough.
void StepStore::TrimHistory(Stream* stream) {
  while (stream->num_segments > 1) {
    const int64_t others = stream->num_segments - 2;
    const int64_t rows = others * segment_rows_ + stream->rows_in_last;
    if (rows < MostHistoryRows(*stream) + options_.stack_rows) return;
    const int32_t oldest = stream->oldest;
    stream->oldest = segments_.next(oldest);
    --stream->num_segments;
    segments_.Unref(oldest);
  }
}

Status StepStore::Append(const RowFlags* rows, int64_t n, const void* const* columns) {
  const int64_t needed = NumNeeded(rows, n);
  if (needed > 0) {
    if (needed > NumAvailable()) {
      return ResourceExhaustedError("no room for more steps (" +
                                    std::to_string(bytes_in_use()) +
                                    " bytes are in use); lower the tables' max_size");
    }
    TFA_RETURN_IF_ERROR(Reserve(needed));
  }
  for (int64_t i = 0; i < n; ++i) {
    Stream& stream = streams_[Index(rows[i].stream)];
    if (NeedsSegment(stream)) StartSegment(&stream);
    uint8_t* const data = stream.data;
    const int64_t row = stream.rows_in_last++;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const int64_t bytes = layout_.row_bytes[c];
      CopyRow(data + layout_.offsets[c] + row * layout_.strides[c],
              static_cast<const uint8_t*>(columns[c]) + i * bytes, bytes);
    }
    if (rows[i].first) {
      stream.next_step = 0;
    } else {
      ++stream.num_steps;
    }
    const auto step = static_cast<uint32_t>(stream.next_step++);
    reinterpret_cast<uint32_t*>(data + layout_.steps_offset)[row] = step;
    stream.open = !rows[i].last;
    if (stream.num_segments > 1) TrimHistory(&stream);
  }
  // Memory was reserved before it was known what would be freed.
  if (needed > 0) ReleaseIdle();
  return OkStatus();
}

void StepStore::AdvanceFar(int32_t* segment, int32_t* offset, int64_t to) const {
  for (; to < 0; to += segment_rows_) *segment = segments_.prev(*segment);
  for (; to >= segment_rows_; to -= segment_rows_) *segment = segments_.next(*segment);
  *offset = static_cast<int32_t>(to);
}

StatusOr<Window> StepStore::Recent(int32_t stream, int64_t back, int64_t length) const {
  const int64_t history = HistoryRows(stream);
  if (back < 0 || back >= history || length < 1 || length > history - back) {
    return OutOfRangeError(std::to_string(length) + " rows ending " +
                           std::to_string(back) + " rows before the newest of stream " +
                           std::to_string(stream) + " are not within its history of " +
                           std::to_string(history) + " rows");
  }
  const uint32_t last_step = At(stream, back, 1).episode_step;
  if (last_step + 1 < length) {
    return InvalidArgumentError("an item of " + std::to_string(length) +
                                " rows would reach over the start of its episode: it "
                                "ends at the episode's row " +
                                std::to_string(last_step));
  }
  return At(stream, back, length);
}

// `length` rows of which the last is `back` rows before the newest.
Window StepStore::At(int32_t stream, int64_t back, int64_t length) const {
  const Stream& s = streams_[Index(stream)];
  Window window;
  window.length = static_cast<int32_t>(length);
  window.segment = s.newest;
  window.offset = static_cast<int32_t>(s.rows_in_last - 1);
  Advance(&window.segment, &window.offset, 1 - back - length);
  window.episode_step = EpisodeStep(window.segment, window.offset);
  return window;
}

int64_t StepStore::RowsOfSteps(int32_t stream, int64_t num_steps,
                               const uint32_t* coming, int64_t num_coming) const {
  const int64_t history =
      std::min(HistoryRows(stream) + num_coming, options_.history_rows);
  int64_t rows = 0;  // newer than the episode that is looked at
  while (rows < history) {
    // A row's index within its episode is the number of steps up to it there.
    const int64_t steps = rows < num_coming
                              ? coming[num_coming - 1 - rows]
                              : At(stream, rows - num_coming, 1).episode_step;
    if (num_steps <= steps) {
      rows += num_steps + 1;
      return rows <= history ? rows : 0;
    }
    num_steps -= steps;
    rows += steps + 1;
  }
  return 0;
}

template <class Visitor>
void StepStore::ForEachSegment(const Window& window, Visitor visit) const {
  const auto before = std::min<int64_t>(options_.stack_rows, window.episode_step);
  int32_t segment = window.segment;
  int32_t offset = window.offset;
  Advance(&segment, &offset, -before);
  int64_t remaining = before + window.length + offset;
  for (;;) {
    remaining -= segment_rows_;
    const int32_t next = remaining > 0 ? segments_.next(segment) : -1;
    visit(segment);
    if (remaining <= 0) return;
    segment = next;
  }
}

void StepStore::Ref(const Window& window) {
  ForEachSegment(window, [this](int32_t s) { segments_.Ref(s); });
}

void StepStore::Unref(const Window& window) {
  ForEachSegment(window, [this](int32_t s) { segments_.Unref(s); });
}

void StepStore::Pin(const Window& window) {
  ForEachSegment(window, [this](int32_t s) { segments_.Pin(s); });
}

void StepStore::Unpin(const Window& window) {
  ForEachSegment(window, [this](int32_t s) { segments_.Unpin(s); });
}

void StepStore::EndGather(int64_t gather, const Window* windows, int64_t n) {
  if (!pins_windows_) return segments_.EndGather(gather);
  for (int64_t i = 0; i < n; ++i) Unpin(windows[i]);
}

void StepStore::Overwrite(const Window* windows, int64_t n, const RowValues& values) {
  const std::unique_lock<std::mutex> held = HoldRows();
  const int64_t num_rows = values.num_rows();
  for (int64_t i = 0; i < n; ++i) {
    const Window& window = windows[i];
    const int64_t first = values.start + (values.start < 0 ? window.length : 0);
    const int64_t end = std::min<int64_t>(first + num_rows, window.length);
    for (int64_t row = std::max<int64_t>(first, 0); row < end; ++row) {
      int32_t segment = window.segment;
      int32_t offset = window.offset;
      Advance(&segment, &offset, row);
      OverwriteRow(segment, offset, values, i * num_rows + row - first);
    }
  }
}

// Writes row `i` of the values. What is plain lies in the same place whether the
// segment is packed or not.
void StepStore::OverwriteRow(int32_t segment, int64_t row, const RowValues& values,
                             int64_t i) {
  for (const RowValues::ColumnValues& each : values.columns) {
    const ColumnRows rows = RowsOf(segment, each.column);
    CopyRow(rows.first + row * rows.stride,
            static_cast<const uint8_t*>(each.data) + i * rows.row_bytes,
            rows.row_bytes);
  }
  segments_.CountOverwrite(segment);
}

void StepStore::CloseStream(int32_t stream) {
  Stream& s = streams_[Index(stream)];
  for (; s.num_segments > 0; --s.num_segments) {
    const int32_t oldest = s.oldest;
    s.oldest = segments_.next(oldest);
    segments_.Unref(oldest);
  }
  s = Stream();
}

void StepStore::Reset() {
  std::fill(streams_.begin(), streams_.end(), Stream());
  segments_.UnrefAll();
}

void StepStore::CountRefs(const Window& window, std::vector<int32_t>* refs) const {
  refs->resize(std::max(refs->size(), Index(segments_.size())));
  ForEachSegment(window, [refs](int32_t s) { ++(*refs)[Index(s)]; });
}

Status StepStore::CheckValid(const std::vector<int32_t>& item_refs) const {
  std::vector<int32_t> refs = item_refs;
  refs.resize(Index(segments_.size()));
  for (const Stream& stream : streams_) {
    int32_t at = stream.oldest;
    for (int64_t i = 0; i < stream.num_segments; ++i) {
      ++refs[Index(at)];
      const bool is_newest = i + 1 == stream.num_segments;
      const int32_t next = segments_.next(at);
      if (is_newest ? at != stream.newest : next < 0 || segments_.prev(next) != at) {
        return FailedPreconditionError("segments of a stream are not linked");
      }
      at = next;
    }
  }
  return segments_.CheckValid(refs);
}

}  // namespace tfa
