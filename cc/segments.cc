#include "cc/segments.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "cc/slot_array.h"

namespace tfa {
namespace {

constexpr size_t kMarkBytes = sizeof(int64_t);

}  // namespace

Segments::~Segments() {
  for (int32_t s = 0; s < size_ && layout_.packs(); ++s) {
    if (data(s) != nullptr) Free(s);
  }
}

int64_t Segments::NumWithin(int64_t bytes_in_use) const {
  const int64_t numbers = kMaxSegments - size_ + static_cast<int64_t>(free_.size());
  if (max_bytes_ == 0) return numbers;
  return std::min((max_bytes_ - bytes_in_use) / layout_.bytes, numbers);
}

int64_t Segments::BytesOf(int32_t segment) const {
  const int64_t packed = layout_.packs() ? layout_.PackedBytes(data(segment)) : 0;
  return packed > 0 ? packed : layout_.bytes;
}

Status Segments::Reserve(int64_t n) {
  ReserveNumbers(n);
  while (memory_.num_idle() < n) {
    // What is freed to make room for others is used again, and not allocated anew; but
    // packed segments that are freed leave no raw memory.
    const bool fits = max_bytes_ == 0 || layout_.packs() ||
                      bytes_allocated() + layout_.bytes <= max_bytes_;
    if (!fits) return OkStatus();
    const Status grown = Grow();
    if (grown.ok()) continue;
    ReleaseIdle();
    return grown;
  }
  return OkStatus();
}

// Room for `n` more segments wherever segments are listed.
void Segments::ReserveNumbers(int64_t n) {
  const int64_t in_use = size_ - static_cast<int64_t>(free_.size());
  const int64_t most = std::max(size_, std::min(in_use + n, kMaxSegments));
  for (int64_t b = size_ / kBlock; b * kBlock < most; ++b) {
    std::unique_ptr<Header[]>& block = blocks_[Index(b)];
    if (block == nullptr) block = std::make_unique<Header[]>(kBlock);
  }
  ReserveMore(&free_, Index(most) - free_.size());
  // A segment is there once at most: those that gathers keep are not used again.
  gathers_.Reserve(most);
  if (layout_.packs()) queue_.Reserve(n);
}

Status Segments::Grow() {
  if (max_bytes_ == 0) return memory_.Grow(kMaxSegments);
  const int64_t left = (max_bytes_ - bytes_allocated()) / layout_.bytes;
  return memory_.Grow(std::max<int64_t>(1, left));
}

void Segments::ReleaseIdle() {
  if (!layout_.packs()) return;
  // As much as is in use is likely to be used.
  const auto too_much = [this] {
    const bool over = max_bytes_ > 0 && bytes_allocated() > max_bytes_;
    return over || memory_.num_idle() > std::max<int64_t>(memory_.num_taken(), 1);
  };
  while (memory_.num_idle() > 0 && too_much()) memory_.Release();
}

int32_t Segments::StartEmpty() {
  int32_t segment = static_cast<int32_t>(size_);
  if (free_.empty()) {
    ++size_;
  } else {
    segment = free_.back();
    free_.pop_back();
  }
  Header& h = header(segment);
  h.next = -1;
  h.prev = -1;
  h.refs = 1;
  h.started_at = num_started_++;
  return segment;
}

void Segments::TakeMemory(Header* header) {
  header->data = memory_.Take();
  if (layout_.packs()) std::memset(header->data + layout_.mark_offset, 0, kMarkBytes);
}

int32_t Segments::Start(int32_t prev) {
  const int32_t segment = StartEmpty();
  TakeMemory(&header(segment));
  if (prev < 0) return segment;
  Link(prev, segment);
  if (layout_.packs()) queue_.Add(prev, started_at(prev));
  return segment;
}

Status Segments::GiveMemory(int32_t segment) {
  // Also where it is above max_bytes until the rows are packed.
  if (memory_.num_idle() == 0) TFA_RETURN_IF_ERROR(Grow());
  TakeMemory(&header(segment));
  return OkStatus();
}

void Segments::Link(int32_t segment, int32_t next) {
  header(segment).next = next;
  header(next).prev = segment;
}

// The last reference is gone.
void Segments::LetGo(int32_t segment) {
  Header& h = header(segment);
  if (gathers_.num_gathers() > 0) {
    h.pins += static_cast<int32_t>(gathers_.num_gathers());
    gathers_.Add(segment);
  }
  if (h.pins == 0) {
    Free(segment);
  } else {
    bytes_only_pinned_ += BytesOf(segment);
  }
}

// The last pin is gone.
void Segments::Unpinned(int32_t segment) {
  if (!referenced(segment)) {
    bytes_only_pinned_ -= BytesOf(segment);
    Free(segment);
  } else if (queue_.has_packed()) {
    MoveIn(segment, queue_.Take(segment));
  }
}

void Segments::UnrefAll() {
  for (int32_t s = 0; s < size_; ++s) {
    if (referenced(s)) Unref(s, header(s).refs);
  }
}

void Segments::Free(int32_t segment) {
  Header& h = header(segment);
  const int64_t packed = layout_.packs() ? layout_.PackedBytes(h.data) : 0;
  if (packed > 0) {
    FreeAligned(h.data, packed);
    packed_bytes_ -= packed;
  } else {
    memory_.Give(h.data);
  }
  h.data = nullptr;
  free_.push_back(segment);
  if (queue_.has_packed()) queue_.Take(segment);
}

int32_t Segments::StartPacking() {
  const int32_t segment = queue_.Start([this](int32_t s, int64_t started_at) {
    return referenced(s) && header(s).started_at == started_at;
  });
  if (segment >= 0) Pin(segment);
  return segment;
}

void Segments::FinishPacking(int32_t segment, PackedSegment packed) {
  queue_.Finish(segment, std::move(packed));
  Unpin(segment);
}

void Segments::MoveIn(int32_t segment, PackedSegment packed) {
  if (packed.empty()) return;
  Header& h = header(segment);
  uint8_t* const raw = h.data;
  packed_bytes_ += packed.bytes();
  h.data = packed.Release();
  std::memcpy(h.data, raw, Index(layout_.mark_offset));
  memory_.Give(raw);
  ReleaseIdle();
}

Status Segments::CheckValid(const std::vector<int32_t>& refs) const {
  std::vector<bool> is_free(Index(size_));
  for (const int32_t s : free_) {
    if (is_free[Index(s)]) return FailedPreconditionError("segment is free twice");
    is_free[Index(s)] = true;
  }
  int64_t only_pinned = 0;
  for (int32_t s = 0; s < size_; ++s) {
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
    if (h.refs == 0 && h.pins > 0) only_pinned += BytesOf(s);
  }
  if (only_pinned != bytes_only_pinned_ || NumAvailable() < 0) {
    return FailedPreconditionError("segments are counted wrong");
  }
  return CheckBytes();
}

Status Segments::CheckBytes() const {
  int64_t raw = 0;
  int64_t packed = 0;
  for (int32_t s = 0; s < size_; ++s) {
    if (data(s) == nullptr) continue;
    const int64_t bytes = BytesOf(s);
    (bytes == layout_.bytes ? raw : packed) += bytes;
  }
  const bool over = max_bytes_ > 0 && bytes_allocated() > max_bytes_;
  if (raw == memory_.num_taken() * layout_.bytes && packed == packed_bytes_ && !over) {
    return OkStatus();
  }
  return FailedPreconditionError("the bytes of segments are counted wrong");
}

}  // namespace tfa
