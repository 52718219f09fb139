#include "cc/step_store.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "cc/memory.h"

namespace tfa {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kTargetSegmentBytes = 256 * 1024;
constexpr int64_t kMaxSlabBytes = int64_t{16} << 20;
constexpr int64_t kMinRows = 16;
constexpr int64_t kMaxRows = 1024;

int64_t RoundUp(int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

int64_t BytesPerRow(const std::vector<Column>& columns) {
  int64_t bytes = static_cast<int64_t>(sizeof(uint32_t));
  for (const Column& column : columns) bytes += column.row_bytes();
  return bytes;
}

// The largest power of two of rows that fits the target, within bounds.
int64_t ChooseSegmentRows(const std::vector<Column>& columns) {
  const int64_t fitting = kTargetSegmentBytes / BytesPerRow(columns);
  int64_t rows = kMinRows;
  while (rows * 2 <= std::min(fitting, kMaxRows)) rows *= 2;
  return rows;
}

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
    default:
      std::memcpy(to, from, static_cast<size_t>(bytes));
  }
}

}  // namespace

StatusOr<std::unique_ptr<StepStore>> StepStore::Create(std::vector<Column> columns,
                                                       const Options& options) {
  if (columns.empty()) return InvalidArgumentError("a step needs at least one column");
  for (const Column& column : columns) {
    const bool negative = std::any_of(column.shape.begin(), column.shape.end(),
                                      [](int64_t extent) { return extent < 0; });
    if (negative) {
      return InvalidArgumentError("column '" + column.name + "' has the shape " +
                                  ShapeString(column.shape) +
                                  "; every extent must be known and >= 0");
    }
  }
  if (options.num_streams < 1) {
    return InvalidArgumentError(
        "num_streams is " + std::to_string(options.num_streams) + "; it must be >= 1");
  }
  int64_t rows = options.segment_rows;
  if (rows == 0) rows = ChooseSegmentRows(columns);
  if (rows < 1 || (rows & (rows - 1)) != 0 || rows > (1 << 20)) {
    return InvalidArgumentError("segment_rows is " + std::to_string(rows) +
                                "; it must be a power of two, at most 2^20");
  }
  return std::unique_ptr<StepStore>(new StepStore(std::move(columns), options, rows));
}

StepStore::StepStore(std::vector<Column> columns, const Options& options,
                     int64_t segment_rows)
    : columns_(std::move(columns)),
      options_(options),
      segment_rows_(segment_rows),
      streams_(Index(options.num_streams)) {
  int64_t offset = 0;
  for (const Column& column : columns_) {
    column_offsets_.push_back(offset);
    row_bytes_.push_back(column.row_bytes());
    offset = RoundUp(offset + column.row_bytes() * segment_rows_);
  }
  steps_offset_ = offset;
  segment_bytes_ =
      RoundUp(offset + segment_rows_ * static_cast<int64_t>(sizeof(uint32_t)));
}

StepStore::~StepStore() {
  for (const Slab& slab : slabs_) FreeAligned(slab.memory, slab.bytes);
}

int64_t StepStore::bytes_in_use() const {
  return (num_segments_ - static_cast<int64_t>(free_.size())) * segment_bytes_;
}

int64_t StepStore::HistoryRows(int32_t stream) const {
  const Stream& s = streams_[Index(stream)];
  const auto full = static_cast<int64_t>(s.segments.size()) - 1;
  if (full < 0) return 0;
  return std::min(full * segment_rows_ + s.rows_in_last, options_.history_rows);
}

uint32_t* StepStore::steps(int32_t segment) const {
  return reinterpret_cast<uint32_t*>(header(segment).data + steps_offset_);
}

uint32_t StepStore::EpisodeStep(int32_t segment, int32_t offset) const {
  return steps(segment)[offset];
}

// Makes sure that `n` segments can be started without failing.
Status StepStore::Reserve(int64_t n) {
  while (static_cast<int64_t>(free_.size()) < n) TFA_RETURN_IF_ERROR(AllocateSlab());
  return OkStatus();
}

// Adds as many segments as there are, but not more than fill a slab of 16 MiB.
Status StepStore::AllocateSlab() {
  const int64_t most = std::max<int64_t>(1, kMaxSlabBytes / segment_bytes_);
  const int64_t count = std::clamp<int64_t>(num_segments_, 1, most);
  const bool numbered = num_segments_ + count <= kBlock * kMaxBlocks;
  void* const slab = numbered ? AllocateAligned(count * segment_bytes_) : nullptr;
  if (slab == nullptr) {
    return ResourceExhaustedError(
        "no memory for another " + std::to_string(count * segment_bytes_) +
        " bytes of steps (" + std::to_string(bytes_allocated()) +
        " bytes are allocated); lower the tables' max_size");
  }
  slabs_.push_back({slab, count * segment_bytes_});
  // Those at the start of the slab are used first.
  for (int64_t i = count - 1; i >= 0; --i) {
    const int64_t id = num_segments_ + i;
    std::unique_ptr<Header[]>& block = blocks_[Index(id / kBlock)];
    if (block == nullptr) block = std::make_unique<Header[]>(kBlock);
    block[Index(id % kBlock)].data = static_cast<uint8_t*>(slab) + i * segment_bytes_;
    free_.push_back(static_cast<int32_t>(id));
  }
  num_segments_ += count;
  return OkStatus();
}

void StepStore::StartSegment(Stream* stream) {
  const int32_t id = free_.back();
  free_.pop_back();
  Header& h = header(id);
  h.next = -1;
  h.prev = stream->segments.empty() ? -1 : stream->segments.back();
  h.refs = 1;
  if (h.prev >= 0) header(h.prev).next = id;
  stream->segments.push_back(id);
  stream->rows_in_last = 0;
}

// Lets go the oldest segments while the others hold history enough.
void StepStore::TrimHistory(Stream* stream) {
  while (stream->segments.size() > 1) {
    const auto others = static_cast<int64_t>(stream->segments.size()) - 2;
    const int64_t rows = others * segment_rows_ + stream->rows_in_last;
    if (rows < options_.history_rows + options_.stack_rows) return;
    const int32_t oldest = stream->segments.front();
    stream->segments.pop_front();
    --header(oldest).refs;
    Release(oldest);
  }
}

void StepStore::Release(int32_t segment) {
  const Header& h = header(segment);
  if (h.refs == 0 && h.pins == 0) free_.push_back(segment);
}

Status StepStore::Append(const RowFlags* rows, int64_t n, const void* const* columns) {
  const auto needs_segment = [this](const Stream& s) {
    return s.segments.empty() || s.rows_in_last == segment_rows_;
  };
  int64_t needed = 0;
  for (int64_t i = 0; i < n; ++i) {
    needed += needs_segment(streams_[Index(rows[i].stream)]) ? 1 : 0;
  }
  TFA_RETURN_IF_ERROR(Reserve(needed));

  for (int64_t i = 0; i < n; ++i) {
    Stream& stream = streams_[Index(rows[i].stream)];
    if (needs_segment(stream)) StartSegment(&stream);
    uint8_t* data = header(stream.segments.back()).data;
    const int64_t row = stream.rows_in_last++;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const int64_t bytes = row_bytes_[c];
      CopyRow(data + column_offsets_[c] + row * bytes,
              static_cast<const uint8_t*>(columns[c]) + i * bytes, bytes);
    }
    if (rows[i].first) stream.next_step = 0;
    steps(stream.segments.back())[row] = static_cast<uint32_t>(stream.next_step++);
    stream.open = !rows[i].last;
    TrimHistory(&stream);
  }
  return OkStatus();
}

void StepStore::AdvanceFar(int32_t* segment, int32_t* offset, int64_t to) const {
  for (; to < 0; to += segment_rows_) *segment = header(*segment).prev;
  for (; to >= segment_rows_; to -= segment_rows_) *segment = header(*segment).next;
  *offset = static_cast<int32_t>(to);
}

StatusOr<Window> StepStore::Recent(int32_t stream, int64_t back, int64_t length) const {
  const int64_t history = HistoryRows(stream);
  if (back < 0 || length < 1 || back + length > history) {
    return OutOfRangeError(std::to_string(length) + " rows ending " +
                           std::to_string(back) + " rows before the newest of stream " +
                           std::to_string(stream) + " are not within its history of " +
                           std::to_string(history) + " rows");
  }
  const Stream& s = streams_[Index(stream)];
  Window window;
  window.length = static_cast<int32_t>(length);
  window.segment = s.segments.back();
  window.offset = static_cast<int32_t>(s.rows_in_last - 1);
  Advance(&window.segment, &window.offset, -back);
  const uint32_t last_step = EpisodeStep(window.segment, window.offset);
  if (last_step + 1 < length) {
    return InvalidArgumentError("an item of " + std::to_string(length) +
                                " rows would reach over the start of its episode: it "
                                "ends at the episode's row " +
                                std::to_string(last_step));
  }
  Advance(&window.segment, &window.offset, 1 - length);
  window.episode_step = last_step + 1 - static_cast<uint32_t>(length);
  return window;
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
    const int32_t next = remaining > 0 ? header(segment).next : -1;
    visit(segment);
    if (remaining <= 0) return;
    segment = next;
  }
}

void StepStore::Ref(const Window& window) {
  ForEachSegment(window, [this](int32_t s) { ++header(s).refs; });
}

void StepStore::Unref(const Window& window) {
  ForEachSegment(window, [this](int32_t s) {
    --header(s).refs;
    Release(s);
  });
}

void StepStore::Pin(const Window& window) {
  ForEachSegment(window, [this](int32_t s) { ++header(s).pins; });
}

void StepStore::Unpin(const Window& window) {
  ForEachSegment(window, [this](int32_t s) {
    --header(s).pins;
    Release(s);
  });
}

void StepStore::Reset() {
  for (Stream& stream : streams_) {
    for (const int32_t s : stream.segments) {
      --header(s).refs;
      Release(s);
    }
    stream = Stream();
  }
}

void StepStore::CountRefs(const Window& window, std::vector<int32_t>* refs) const {
  refs->resize(std::max(refs->size(), Index(num_segments_)));
  ForEachSegment(window, [refs](int32_t s) { ++(*refs)[Index(s)]; });
}

Status StepStore::CheckValid(const std::vector<int32_t>& item_refs) const {
  std::vector<int32_t> refs = item_refs;
  refs.resize(Index(num_segments_));
  for (const Stream& stream : streams_) {
    for (const int32_t s : stream.segments) ++refs[Index(s)];
    for (size_t i = 1; i < stream.segments.size(); ++i) {
      const int32_t earlier = stream.segments[i - 1];
      const int32_t later = stream.segments[i];
      if (header(earlier).next != later || header(later).prev != earlier) {
        return FailedPreconditionError("segments of a stream are not linked");
      }
    }
  }
  std::vector<bool> is_free(Index(num_segments_));
  for (const int32_t s : free_) {
    if (is_free[Index(s)]) return FailedPreconditionError("segment is free twice");
    is_free[Index(s)] = true;
  }
  for (int32_t s = 0; s < num_segments_; ++s) {
    const Header& h = header(s);
    if (h.refs != refs[Index(s)] || h.pins < 0) {
      return FailedPreconditionError(
          "segment " + std::to_string(s) + " counts " + std::to_string(h.refs) +
          " references, its holders " + std::to_string(refs[Index(s)]));
    }
    if (is_free[Index(s)] != (h.refs == 0 && h.pins == 0)) {
      return FailedPreconditionError("segment " + std::to_string(s) +
                                     " is both free and held, or neither");
    }
  }
  return OkStatus();
}

}  // namespace tfa
