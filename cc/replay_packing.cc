// Whoever waits for the thread that compresses.
#include <string>

#include "cc/replay.h"

namespace tfa {
namespace {

// What may wait to be compressed: more than any burst, little beside a large replay.
constexpr int64_t kMaxWaitingBytes = int64_t{256} << 20;

}  // namespace

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
    packer_.Wake();
    TFA_RETURN_IF_ERROR(Await(
        kMemory, [this] { return store_->num_unpacked() == 0; },
        "waiting for " + std::to_string(waiting) + " blocks of steps to be compressed",
        &lock, deadline));
  }
}

void Replay::Close() {
  {
    const Lock lock(mutex_);
    closed_ = true;
    waiters_.NotifyAll();
  }
  packer_.Stop();
}

}  // namespace tfa
