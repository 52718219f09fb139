// Segments of rows: their memory, and who counts on it.
#ifndef TFAGENTS_CORE_CC_SEGMENTS_H_
#define TFAGENTS_CORE_CC_SEGMENTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cc/gather_log.h"
#include "cc/mapped_file.h"
#include "cc/packed_segment.h"
#include "cc/packing_queue.h"
#include "cc/segment_layout.h"
#include "cc/segment_memory.h"
#include "cc/status.h"

namespace tfa {

// Segments by number: 64-byte-aligned memory as SegmentLayout says, a place in a chain,
// and two counts. References are of streams and items; pins are of those who read
// without the owner's mutex for a while, gathers and saves. When both are zero, number
// and memory are free for another segment: memory stays allocated, so there is as much
// as at the fullest moment.
//
// Where columns are to be compressed, a segment with a successor is full and waits to
// be packed by whoever calls `StartPacking`, `Pack` and `FinishPacking`. Once it has no
// pins, its packed rows take the place of the raw ones, whose memory is free then.
//
// All calls are O(1), but for what says otherwise. Only Reserve, BeginGather and
// GiveMemory allocate; they throw std::bad_alloc, or say kResourceExhausted, having
// changed nothing that another call shows.
//
// Not thread-safe, but for `data`, `next` and `prev` of pinned segments, which never
// change or move.
class Segments {
 public:
  // Borrows the layout. `max_bytes`: of all segments, in use or free; 0: no bound. In
  // RAM unless there is a file.
  Segments(const SegmentLayout& layout, int64_t max_bytes,
           std::unique_ptr<MappedFile> file)
      : layout_(layout),
        max_bytes_(max_bytes),
        memory_(layout.bytes, layout.packs(), std::move(file)) {}
  ~Segments();
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;

  int64_t size() const { return size_; }  // in use or free
  int64_t bytes_allocated() const { return memory_.bytes_allocated() + packed_bytes_; }
  int64_t bytes_in_use() const {
    return memory_.num_taken() * layout_.bytes + packed_bytes_;
  }
  // Segments that can be started within max_bytes.
  int64_t NumAvailable() const { return NumWithin(bytes_in_use()); }
  // Those that can once gathers and saves in progress are done.
  int64_t NumAvailableLater() const {
    return NumWithin(bytes_in_use() - bytes_only_pinned_);
  }

  uint8_t* data(int32_t segment) const { return header(segment).data; }
  int32_t next(int32_t segment) const { return header(segment).next; }
  int32_t prev(int32_t segment) const { return header(segment).prev; }
  // Orders segments by when they were started.
  int64_t started_at(int32_t segment) const { return header(segment).started_at; }
  int64_t num_started() const { return num_started_; }
  bool referenced(int32_t segment) const { return header(segment).refs > 0; }
  // Bytes that a segment takes, packed or raw.
  int64_t BytesOf(int32_t segment) const;

  // Sees to it that `n` segments can be started, as far as max_bytes allows now.
  // kResourceExhausted or kIoError, or std::bad_alloc, when there is no memory. O(n).
  Status Reserve(int64_t n);
  // The same, but for memory.
  void ReserveNumbers(int64_t n);
  // Frees memory that waits to be used and for which max_bytes has no room, or that is
  // more than is likely to be used. O(what is freed).
  void ReleaseIdle();

  // Starts a segment with one reference, which follows `prev` in its chain, or begins
  // one if that is -1. REQUIRES: it was reserved.
  int32_t Start(int32_t prev);
  // For what is loaded: starts one without memory; gives it some; puts it before
  // another in a chain.
  int32_t StartEmpty();
  Status GiveMemory(int32_t segment);
  void Link(int32_t segment, int32_t next);
  // When a segment was started, and how many were, in the store that was saved.
  void SetStartedAt(int32_t segment, int64_t at) { header(segment).started_at = at; }
  void SetNumStarted(int64_t n) { num_started_ = n; }

  // How often rows of segments of this number were overwritten.
  int64_t num_overwrites(int32_t segment) const {
    return header(segment).num_overwrites;
  }
  void CountOverwrite(int32_t segment) { ++header(segment).num_overwrites; }

  void Ref(int32_t segment, int32_t n = 1) { header(segment).refs += n; }
  void Unref(int32_t segment, int32_t n = 1) {
    if ((header(segment).refs -= n) == 0) LetGo(segment);
  }
  void Pin(int32_t segment) { ++header(segment).pins; }
  void Unpin(int32_t segment) {
    if (--header(segment).pins == 0) Unpinned(segment);
  }
  // Drops all references there are. O(segments).
  void UnrefAll();

  // All that are referenced when a gather begins stay as they are until it ends, but
  // for packing, so it must pin what it reads where columns are compressed.
  int64_t BeginGather() { return gathers_.Begin(); }
  void EndGather(int64_t gather) {
    gathers_.End(gather, [this](int32_t segment) { Unpin(segment); });
  }

  // Segments that wait to be packed, or are being packed.
  int64_t num_unpacked() const { return queue_.num_unpacked(); }
  // Pins the next of them; -1 when there is none.
  int32_t StartPacking();
  // Unpins the segment; what was packed, if anything, takes the place of its rows.
  void FinishPacking(int32_t segment, PackedSegment packed);
  // Puts packed rows into the place of raw ones. What is plain is copied only now, as
  // it may have been overwritten meanwhile. REQUIRES: nobody reads the segment.
  void MoveIn(int32_t segment, PackedSegment packed);

  // `refs[s]`: how many references segment s should have.
  Status CheckValid(const std::vector<int32_t>& refs) const;

 private:
  struct Header {
    uint8_t* data = nullptr;
    int32_t next = -1;
    int32_t prev = -1;
    int32_t refs = 0;
    int32_t pins = 0;
    int64_t started_at = 0;
    int64_t num_overwrites = 0;
  };
  // Headers live in blocks that never move, so gathers read them without a lock.
  static constexpr int64_t kBlock = 1024;
  static constexpr int64_t kMaxBlocks = 4096;
  static constexpr int64_t kMaxSegments = kBlock * kMaxBlocks;

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }
  Header& header(int32_t s) { return blocks_[Index(s) / kBlock][Index(s) % kBlock]; }
  const Header& header(int32_t s) const {
    return blocks_[Index(s) / kBlock][Index(s) % kBlock];
  }
  int64_t NumWithin(int64_t bytes_in_use) const;
  Status Grow();
  void TakeMemory(Header* header);
  void LetGo(int32_t segment);
  void Unpinned(int32_t segment);
  void Free(int32_t segment);
  Status CheckBytes() const;

  const SegmentLayout& layout_;
  const int64_t max_bytes_;

  std::array<std::unique_ptr<Header[]>, kMaxBlocks> blocks_;
  int64_t size_ = 0;
  std::vector<int32_t> free_;
  int64_t num_started_ = 0;  // ever

  SegmentMemory memory_;           // of raw segments
  int64_t packed_bytes_ = 0;       // of packed ones
  int64_t bytes_only_pinned_ = 0;  // of segments without references

  GatherLog gathers_;
  PackingQueue queue_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_SEGMENTS_H_
