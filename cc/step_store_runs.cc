// Rows of one stream that are appended at once, and references counted many at a time.
#include <algorithm>
#include <cstring>

#include "cc/step_store.h"

namespace tfa {
namespace {

// Copies n rows of so many bytes, which lie `stride` apart where they go.
template <int64_t kBytes>
void CopyRowsOf(uint8_t* to, int64_t stride, const uint8_t* from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(to + i * stride, from + i * kBytes, static_cast<size_t>(kBytes));
  }
}

void CopyRows(uint8_t* to, int64_t stride, const uint8_t* from, int64_t bytes,
              int64_t n) {
  if (bytes == 0) return;  // and the array may be null
  if (stride == bytes) {
    std::memcpy(to, from, static_cast<size_t>(n * bytes));
    return;
  }
  // Copies of a size known at compile time become loads and stores.
  switch (bytes) {
    case 1:
      return CopyRowsOf<1>(to, stride, from, n);
    case 4:
      return CopyRowsOf<4>(to, stride, from, n);
    case 8:
      return CopyRowsOf<8>(to, stride, from, n);
    case 16:
      return CopyRowsOf<16>(to, stride, from, n);
    default:
      for (int64_t i = 0; i < n; ++i) {
        std::memcpy(to + i * stride, from + i * bytes, static_cast<size_t>(bytes));
      }
  }
}

}  // namespace

int64_t StepStore::NumNeededByRun(int32_t stream, int64_t n) const {
  const Stream& s = streams_[Index(stream)];
  const int64_t left = s.num_segments == 0 ? 0 : segment_rows_ - s.rows_in_last;
  return n <= left ? 0 : (n - left + segment_rows_ - 1) / segment_rows_;
}

int64_t StepStore::MostAvailable() const {
  int64_t held = 0;
  for (const Stream& stream : streams_) {
    int32_t s = stream.oldest;
    for (int64_t i = 0; i < stream.num_segments; ++i, s = segments_.next(s)) {
      held += segments_.BytesOf(s);
    }
  }
  return std::max<int64_t>((options_.max_bytes - held) / layout_.bytes, 0);
}

Status StepStore::AppendRun(const RowFlags* rows, int64_t n, const uint32_t* steps,
                            const void* const* columns) {
  TFA_RETURN_IF_ERROR(Reserve(NumNeededByRun(rows->stream, n)));
  Stream& stream = streams_[Index(rows->stream)];
  for (int64_t i = 0; i < n;) {
    if (NeedsSegment(stream)) StartSegment(&stream);
    const int64_t row = stream.rows_in_last;
    const int64_t count = std::min(n - i, segment_rows_ - row);
    for (size_t c = 0; c < columns_.size(); ++c) {
      const int64_t bytes = layout_.row_bytes[c];
      CopyRows(stream.data + layout_.offsets[c] + row * layout_.strides[c],
               layout_.strides[c], static_cast<const uint8_t*>(columns[c]) + i * bytes,
               bytes, count);
    }
    std::copy_n(steps + i, count,
                reinterpret_cast<uint32_t*>(stream.data + layout_.steps_offset) + row);
    stream.rows_in_last += count;
    i += count;
  }
  stream.num_steps +=
      std::count_if(rows, rows + n, [](const RowFlags& row) { return !row.first; });
  stream.next_step = steps[n - 1] + int64_t{1};
  stream.open = !rows[n - 1].last;
  return OkStatus();
}

void StepStore::FindRunWindows(int32_t stream, int64_t n, const RunItem* items,
                               int64_t num_items, Window* windows) const {
  const Stream& s = streams_[Index(stream)];
  // Rows of the stream count from the first of its oldest segment.
  int64_t from = (s.num_segments - 1) * segment_rows_;  // of the segment at hand
  const int64_t begin = from + s.rows_in_last - n;
  int32_t segment = s.newest;
  for (int64_t i = 0; i < num_items; ++i) {
    const int64_t first = begin + items[i].row + 1 - items[i].length;
    // The items' first rows hardly ever go back, so that this is a step or none.
    for (; first < from; from -= segment_rows_) segment = segments_.prev(segment);
    for (; first >= from + segment_rows_; from += segment_rows_) {
      segment = segments_.next(segment);
    }
    windows[i].segment = segment;
    windows[i].offset = static_cast<int32_t>(first - from);
    windows[i].length = items[i].length;
    windows[i].episode_step = steps(segment)[first - from];
  }
}

void StepStore::FinishRun(int32_t stream) { TrimHistory(&streams_[Index(stream)]); }

int32_t StepStore::OnlySegment(const Window& window) const {
  const auto before = std::min<int64_t>(options_.stack_rows, window.episode_step);
  const bool is_within =
      window.offset >= before && window.offset + window.length <= segment_rows_;
  return is_within ? window.segment : -1;
}

template <class One, class Many>
void StepStore::ForEachGroup(const Window* windows, int64_t n, One one, Many many) {
  for (int64_t i = 0; i < n;) {
    const int32_t segment = OnlySegment(windows[i]);
    int64_t end = i + 1;
    while (segment >= 0 && end < n && OnlySegment(windows[end]) == segment) ++end;
    if (segment < 0) {
      one(windows[i]);
    } else {
      many(segment, static_cast<int32_t>(end - i));
    }
    i = end;
  }
}

void StepStore::RefAll(const Window* windows, int64_t n) {
  ForEachGroup(
      windows, n, [this](const Window& window) { Ref(window); },
      [this](int32_t segment, int32_t count) { segments_.Ref(segment, count); });
}

void StepStore::UnrefAll(const Window* windows, int64_t n) {
  ForEachGroup(
      windows, n, [this](const Window& window) { Unref(window); },
      [this](int32_t segment, int32_t count) { segments_.Unref(segment, count); });
}

}  // namespace tfa
