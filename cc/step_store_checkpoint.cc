// The store in a checkpoint: everything but the rows themselves.
#include <algorithm>
#include <string>
#include <utility>

#include "cc/step_store.h"

namespace tfa {
namespace {

std::string Describe(const std::vector<Column>& columns) {
  std::string text;
  for (const Column& column : columns) {
    if (!text.empty()) text += ", ";
    text += column.name + " " + DTypeName(column.dtype) + ShapeString(column.shape);
  }
  return text;
}

void PutColumns(const std::vector<Column>& columns, Writer* out) {
  out->Put(static_cast<int64_t>(columns.size()));
  for (const Column& column : columns) {
    out->PutString(column.name);
    out->Put(static_cast<int32_t>(column.dtype));
    out->PutArray(column.shape);
  }
}

std::vector<Column> GetColumns(Reader* in) {
  std::vector<Column> columns;
  const auto n = in->Get<int64_t>();
  for (int64_t i = 0; i < n && in->ok(); ++i) {
    Column& column = columns.emplace_back();
    column.name = in->GetString();
    const auto dtype = in->Get<int32_t>();
    const bool known = 0 <= dtype && dtype <= static_cast<int32_t>(DType::kBfloat16);
    column.dtype = known ? static_cast<DType>(dtype) : DType::kBool;
    column.shape = in->GetArray<int64_t>();
  }
  return columns;
}

Status CheckFit(const std::vector<Column>& columns, const StepStore::Options& options,
                const std::vector<Column>& saved, const StepStore::Options& was) {
  if (Describe(columns) != Describe(saved)) {
    return InvalidArgumentError("the checkpoint's columns are " + Describe(saved) +
                                "; this replay's are " + Describe(columns));
  }
  if (options.segment_rows != 0 && options.segment_rows != was.segment_rows) {
    return InvalidArgumentError(
        "the checkpoint has segment_rows = " + std::to_string(was.segment_rows) +
        ", this replay " + std::to_string(options.segment_rows) +
        "; give the same, or 0 to take the checkpoint's");
  }
  if (options.num_streams < was.num_streams) {
    return InvalidArgumentError(
        "the checkpoint has " + std::to_string(was.num_streams) +
        " streams, this replay " + std::to_string(options.num_streams) +
        "; give num_streams at least as many");
  }
  const auto check = [&](int64_t needed, int64_t kept, const char* of_what) {
    needed += options.stack_rows;
    kept += was.stack_rows;
    if (options.stack_rows <= was.stack_rows && needed <= kept) return OkStatus();
    return InvalidArgumentError(
        "the patterns, views and history of this replay need the newest " +
        std::to_string(needed) + " rows of " + of_what + ", " +
        std::to_string(options.stack_rows) +
        " of them for stacking; the checkpoint kept " + std::to_string(kept) + " and " +
        std::to_string(was.stack_rows));
  };
  TFA_RETURN_IF_ERROR(check(options.history_rows, was.history_rows, "a stream"));
  // What is kept of any episode is kept of the newest one too.
  return check(std::max(options.history_rows, options.episode_rows),
               std::max(was.history_rows, was.episode_rows), "a stream's episode");
}

Status Contradiction() {
  return DataLossError("the checkpoint contradicts itself about its steps");
}

}  // namespace

StepStore::ColumnRows StepStore::RowsOf(int32_t segment, int64_t column) {
  uint8_t* const data = segments_.data(segment);
  if (column == static_cast<int64_t>(columns_.size())) {
    const auto bytes = static_cast<int64_t>(sizeof(uint32_t));
    return {data + layout_.steps_offset, bytes, bytes};
  }
  const size_t c = Index(column);
  return {data + layout_.offsets[c], layout_.row_bytes[c], layout_.strides[c]};
}

StoreSnapshot StepStore::Save(Writer* out) {
  StoreSnapshot snapshot;
  snapshot.numbers.resize(Index(segments_.size()), -1);
  for (int32_t s = 0; s < segments_.size(); ++s) {
    if (!segments_.referenced(s)) continue;
    snapshot.segments.push_back(
        {s, static_cast<int32_t>(segment_rows_), false, segments_.num_overwrites(s)});
  }
  std::sort(snapshot.segments.begin(), snapshot.segments.end(),
            [this](const SegmentRows& a, const SegmentRows& b) {
              return StartedAt(a.segment) < StartedAt(b.segment);
            });
  for (size_t i = 0; i < snapshot.segments.size(); ++i) {
    snapshot.numbers[Index(snapshot.segments[i].segment)] = static_cast<int32_t>(i);
  }
  const auto number = [&snapshot](int32_t s) { return snapshot.numbers[Index(s)]; };
  for (const Stream& stream : streams_) {
    if (stream.num_segments == 0) continue;
    snapshot.segments[Index(number(stream.newest))].rows =
        static_cast<int32_t>(stream.rows_in_last);
  }
  PutColumns(columns_, out);
  for (const int64_t option :
       {segment_rows_, options_.num_streams, options_.history_rows,
        options_.stack_rows, options_.episode_rows}) {
    out->Put(option);
  }
  const auto n = static_cast<int64_t>(snapshot.segments.size());
  out->PutArrayOf<int32_t>(n,
                           [&](int64_t i) { return snapshot.segments[Index(i)].rows; });
  // A link counts where both ends agree: others lead to where a freed segment was.
  out->PutArrayOf<int32_t>(n, [&](int64_t i) {
    const int32_t s = snapshot.segments[Index(i)].segment;
    const int32_t next = segments_.next(s);
    return next >= 0 && segments_.prev(next) == s ? number(next) : -1;
  });
  out->PutArrayOf<int64_t>(
      n, [&](int64_t i) { return StartedAt(snapshot.segments[Index(i)].segment); });
  out->Put(segments_.num_started());
  for (const Stream& stream : streams_) {
    out->Put(stream.rows_in_last);
    out->Put(stream.next_step);
    out->Put(stream.num_steps);
    out->Put(static_cast<uint8_t>(stream.open));
    int32_t s = stream.oldest;
    out->PutArrayOf<int32_t>(stream.num_segments, [&](int64_t) {
      return number(std::exchange(s, segments_.next(s)));
    });
  }
  // Last, when nothing can fail any more.
  for (const SegmentRows& each : snapshot.segments) segments_.Pin(each.segment);
  return snapshot;
}

void StepStore::Unpin(const std::vector<SegmentRows>& segments) {
  for (const SegmentRows& each : segments) segments_.Unpin(each.segment);
}

Status StepStore::StartFilling(const SegmentRows& each) {
  return segments_.GiveMemory(each.segment);
}

Status StepStore::FinishFilling(const SegmentRows& each, PackingBuffer* buffer) {
  if (layout_.packs() && !each.open) {
    PackedSegment packed = PackRows(each.segment, buffer);
    if (buffer->failed()) return NoMemory("compress the checkpoint's steps");
    segments_.MoveIn(each.segment, std::move(packed));
  }
  if (options_.max_bytes == 0 || bytes_in_use() <= options_.max_bytes) {
    return OkStatus();
  }
  return InvalidArgumentError(
      "the checkpoint's steps, compressed, are more than this replay's max_bytes = " +
      std::to_string(options_.max_bytes) + "; give more");
}

void StepStore::FinishLoading(const std::vector<SegmentRows>& segments) {
  for (Stream& stream : streams_) {
    if (stream.num_segments > 0) stream.data = segments_.data(stream.newest);
  }
  for (const SegmentRows& each : segments) segments_.Unref(each.segment);
}

StatusOr<std::unique_ptr<StepStore>> StepStore::Load(
    std::vector<Column> columns, const Options& options, uint32_t version, Reader* in,
    std::vector<SegmentRows>* segments) {
  const std::vector<Column> saved = GetColumns(in);
  Options was;
  was.segment_rows = in->Get<int64_t>();
  was.num_streams = in->Get<int64_t>();
  was.history_rows = in->Get<int64_t>();
  was.stack_rows = in->Get<int64_t>();
  was.episode_rows = version > 2 ? in->Get<int64_t>() : was.history_rows;
  if (!in->ok()) return Contradiction();
  TFA_RETURN_IF_ERROR(CheckFit(columns, options, saved, was));
  Options adopted = options;
  adopted.segment_rows = was.segment_rows;
  StatusOr<std::unique_ptr<StepStore>> store = Create(std::move(columns), adopted);
  if (!store.ok()) return store.status();

  const std::vector<int32_t> rows = in->GetArray<int32_t>();
  const std::vector<int32_t> next = in->GetArray<int32_t>();
  if (!in->ok() || next.size() != rows.size()) return Contradiction();
  const auto num_segments = static_cast<int64_t>(rows.size());
  // What packs is known when it is packed.
  if (!(*store)->layout_.packs() && num_segments > (*store)->NumAvailable()) {
    return InvalidArgumentError(
        "the checkpoint has " +
        std::to_string(num_segments * (*store)->segment_bytes()) +
        " bytes of steps, this replay max_bytes = " +
        std::to_string(options.max_bytes) + "; give max_bytes at least as many");
  }
  (*store)->segments_.ReserveNumbers(num_segments);
  for (const int32_t written : rows) {
    segments->push_back({(*store)->segments_.StartEmpty(), written});
  }
  bool good = (*store)->LinkSegments(next, *segments);
  if (version > 3) good = good && (*store)->LoadStarts(in, *segments);
  std::vector<bool> taken(segments->size());
  for (int64_t i = 0; i < was.num_streams && good; ++i) {
    Stream* const stream = &(*store)->streams_[Index(i)];
    good = (*store)->LoadStream(version, in, stream, &taken, *segments);
    if (stream->num_segments > 0) (*segments)[Index(stream->newest)].open = true;
  }
  if (!good) return Contradiction();
  return store;
}

// Segments stay known by when they were started: the files of rows name them by it.
bool StepStore::LoadStarts(Reader* in, const std::vector<SegmentRows>& segments) {
  const std::vector<int64_t> starts = in->GetArray<int64_t>();
  const auto num_started = in->Get<int64_t>();
  if (!in->ok() || starts.size() != segments.size()) return false;
  int64_t next = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (starts[i] < next || starts[i] >= num_started) return false;
    segments_.SetStartedAt(segments[i].segment, starts[i]);
    next = starts[i] + 1;
  }
  segments_.SetNumStarted(num_started);
  return num_started >= next;
}

bool StepStore::LinkSegments(const std::vector<int32_t>& next,
                             const std::vector<SegmentRows>& segments) {
  const auto n = static_cast<int32_t>(segments.size());
  for (int32_t s = 0; s < n; ++s) {
    const SegmentRows& each = segments[Index(s)];
    const int32_t to = next[Index(s)];
    // Numbers are used as segments from here on.
    if (each.segment != s || each.rows < 1 || each.rows > segment_rows_) return false;
    if (to == -1) continue;
    const bool full = each.rows == segment_rows_;
    if (!full || to < 0 || to >= n || segments_.prev(to) != -1) return false;
    segments_.Link(s, to);
  }
  return true;
}

bool StepStore::LoadStream(uint32_t version, Reader* in, Stream* stream,
                           std::vector<bool>* taken,
                           const std::vector<SegmentRows>& segments) {
  stream->rows_in_last = in->Get<int64_t>();
  stream->next_step = in->Get<int64_t>();
  // Version 1 did not count steps: unrolls begin with the next one.
  if (version > 1) stream->num_steps = in->Get<int64_t>();
  stream->open = in->Get<uint8_t>() != 0;
  const std::vector<int32_t> ids = in->GetArray<int32_t>();
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t s = ids[i];
    if (s < 0 || Index(s) >= segments.size() || (*taken)[Index(s)]) return false;
    (*taken)[Index(s)] = true;
    segments_.Ref(s);
    if (segments_.next(s) != (i + 1 < ids.size() ? ids[i + 1] : -1)) return false;
  }
  const bool empty = ids.empty();
  if (!empty) {
    stream->oldest = ids.front();
    stream->newest = ids.back();
    stream->num_segments = static_cast<int64_t>(ids.size());
  }
  const int64_t rows = empty ? 0 : segments[Index(ids.back())].rows;
  return in->ok() && stream->rows_in_last == rows && stream->next_step >= 0 &&
         stream->num_steps >= 0 && !(empty && stream->open);
}

bool StepStore::Contains(const Window& window,
                         const std::vector<SegmentRows>& segments) const {
  const auto n = static_cast<int64_t>(segments.size());
  if (window.segment < 0 || window.segment >= n || window.offset < 0 ||
      window.offset >= segments[Index(window.segment)].rows || window.length < 1 ||
      EpisodeStep(window.segment, window.offset) != window.episode_step) {
    return false;
  }
  const auto before = std::min<int64_t>(options_.stack_rows, window.episode_step);
  int32_t segment = window.segment;
  for (int64_t at = window.offset - before; at < 0; at += segment_rows_) {
    segment = segments_.prev(segment);
    if (segment < 0) return false;
  }
  segment = window.segment;
  int64_t end = int64_t{window.offset} + window.length;
  for (; end > segment_rows_; end -= segment_rows_) {
    segment = segments_.next(segment);
    if (segment < 0) return false;
  }
  return end <= segments[Index(segment)].rows;
}

bool StepStore::RunsOverAnEpisodesEnd(const Window& window) const {
  Window last = window;
  Advance(&last.segment, &last.offset, window.length - 1);
  const uint32_t in_one = window.episode_step + static_cast<uint32_t>(window.length);
  return EpisodeStep(last.segment, last.offset) + 1 != in_one;
}

}  // namespace tfa
