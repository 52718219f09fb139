// The thread that compresses, and whoever waits for it.
#include <system_error>
#include <utility>

#include "cc/replay.h"

namespace tfa {
namespace {

// What may wait to be compressed: more than any burst, little beside a large replay.
constexpr int64_t kMaxWaitingBytes = int64_t{256} << 20;

}  // namespace

Status Replay::StartPacker() {
  if (!store_->layout().packs()) return OkStatus();
  try {
    packer_ = std::thread([this] { PackUntilClosed(); });
  } catch (const std::system_error& error) {
    return ResourceExhaustedError(
        std::string("cannot start the thread that compresses steps: ") + error.what());
  }
  return OkStatus();
}

// Where there is no memory, steps stay as they are: nothing here throws.
void Replay::PackUntilClosed() {
  PackingBuffer buffer;
  Lock lock(mutex_);
  while (!closed_) {
    if (!PackOne(&lock, &buffer)) to_pack_.wait(lock);
  }
}

// False when there is nothing to do. Says so to whoever waits: segments that nothing
// refers to any more leave the queue without being packed.
bool Replay::PackOne(Lock* lock, PackingBuffer* buffer) {
  const std::shared_ptr<StepStore> store = store_;
  const int32_t segment = store->StartPacking();
  if (segment < 0) {
    NotifyAll();
    return false;
  }
  lock->unlock();
  PackedSegment packed = store->PackRows(segment, buffer);
  lock->lock();
  store->FinishPacking(segment, std::move(packed));
  NotifyAll();
  return true;
}

// Items must leave the same way whenever they are compressed: only when all are can
// it be said that max_bytes has no room.
bool Replay::MustAwaitPacker(int64_t num_segments) const {
  const int64_t waiting = store_->num_unpacked();
  if (waiting == 0 || num_segments == 0) return false;
  return num_segments > store_->NumAvailable() ||
         waiting * store_->segment_bytes() > kMaxWaitingBytes;
}

Status Replay::AwaitPacked(Deadline deadline) {
  Lock lock(mutex_);
  for (;;) {
    TFA_RETURN_IF_ERROR(CheckOpen());
    const int64_t waiting = store_->num_unpacked();
    if (waiting == 0) return OkStatus();
    to_pack_.notify_one();
    TFA_RETURN_IF_ERROR(Await(
        "waiting for " + std::to_string(waiting) + " blocks of steps to be compressed",
        &lock, deadline));
  }
}

void Replay::Close() {
  {
    const Lock lock(mutex_);
    closed_ = true;
    NotifyAll();
    to_pack_.notify_all();
  }
  std::call_once(joined_, [this] {
    if (packer_.joinable()) packer_.join();
  });
}

}  // namespace tfa
