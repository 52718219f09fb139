// The compressed tier of the store: what waits, what moves, and what it then weighs.
#include <algorithm>
#include <utility>

#include "cc/step_store.h"

namespace tfa {

StepStore::~StepStore() {
  for (int32_t s = 0; s < num_segments_ && layout_.packs(); ++s) {
    if (header(s).data != nullptr) FreeSegment(s);
  }
}

int64_t StepStore::SegmentBytes(const Header& header) const {
  const int64_t packed = layout_.packs() ? layout_.PackedBytes(header.data) : 0;
  return packed > 0 ? packed : layout_.bytes;
}

void StepStore::FreeSegment(int32_t segment) {
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
  if (!layout_.packs()) return;
  const auto same = [segment](const Packed& each) { return each.segment == segment; };
  packed_.erase(std::remove_if(packed_.begin(), packed_.end(), same), packed_.end());
}

void StepStore::AwaitPacking(int32_t segment) {
  to_pack_.push_back({segment, header(segment).started_at});
}

int32_t StepStore::StartPacking() {
  while (!to_pack_.empty()) {
    const Started next = to_pack_.front();
    to_pack_.erase(to_pack_.begin());
    Header& h = header(next.segment);
    if (h.refs == 0 || h.started_at != next.started_at) continue;
    ++h.pins;
    ++num_packing_;
    return next.segment;
  }
  return -1;
}

void StepStore::FinishPacking(int32_t segment, PackedSegment packed) {
  --num_packing_;
  if (!packed.empty()) packed_.push_back({segment, std::move(packed)});
  DropPin(segment);
}

void StepStore::PutPacked(int32_t segment) {
  const auto at =
      std::find_if(packed_.begin(), packed_.end(),
                   [segment](const Packed& each) { return each.segment == segment; });
  if (at == packed_.end()) return;
  MoveIn(&header(segment), std::move(at->rows));
  packed_.erase(at);
}

void StepStore::MoveIn(Header* header, PackedSegment packed) {
  memory_.Give(header->data);
  packed_bytes_ += packed.bytes();
  header->data = packed.Release();
  ReleaseIdle();
}

// Frees idle memory that max_bytes has no room for, or that is more than is likely to
// be used: as much as is in use.
void StepStore::ReleaseIdle() {
  if (!layout_.packs()) return;
  const auto too_much = [this] {
    const bool over = options_.max_bytes > 0 && bytes_allocated() > options_.max_bytes;
    return over || memory_.num_idle() > std::max<int64_t>(memory_.num_taken(), 1);
  };
  while (memory_.num_idle() > 0 && too_much()) memory_.Release();
}

Status StepStore::CheckMemory() const {
  int64_t raw = 0;
  int64_t packed = 0;
  for (int32_t s = 0; s < num_segments_; ++s) {
    const Header& h = header(s);
    if (h.data == nullptr) continue;
    const int64_t bytes = SegmentBytes(h);
    (bytes == layout_.bytes ? raw : packed) += bytes;
  }
  const bool over = options_.max_bytes > 0 && bytes_allocated() > options_.max_bytes;
  if (raw == memory_.num_taken() * layout_.bytes && packed == packed_bytes_ && !over) {
    return OkStatus();
  }
  return FailedPreconditionError("the bytes of segments are counted wrong");
}

}  // namespace tfa
