// The thread that compresses a replay's steps.
#ifndef TFAGENTS_CORE_CC_PACKING_THREAD_H_
#define TFAGENTS_CORE_CC_PACKING_THREAD_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "cc/packed_segment.h"
#include "cc/status.h"
#include "cc/step_store.h"

namespace tfa {

// Packs what waits in its owner's store, one segment at a time. It holds the owner's
// mutex to take a segment and to give it back, but not while it packs. Where there is
// no memory, rows stay as they are.
//
// Thread-safe; no call but Stop waits.
class PackingThread {
 public:
  // `mutex` guards the store, and `store` says which one it is by now. `when_done` is
  // called after a segment was packed, or dropped as nobody needs it any more. Both are
  // called with the mutex held; `when_done` throws nothing.
  PackingThread(std::mutex* mutex, std::function<std::shared_ptr<StepStore>()> store,
                std::function<void()> when_done);
  ~PackingThread() { Stop(); }
  PackingThread(const PackingThread&) = delete;
  PackingThread& operator=(const PackingThread&) = delete;

  // kResourceExhausted when the system has no thread left. REQUIRES: called once.
  Status Start();
  // There is something to pack.
  void Wake() { wake_.notify_one(); }
  // Ends the thread, after the segment at hand. REQUIRES: the mutex is not held.
  void Stop();

 private:
  using Lock = std::unique_lock<std::mutex>;

  void Run();
  bool PackOne(Lock* lock, PackingBuffer* buffer);

  std::mutex* const mutex_;
  const std::function<std::shared_ptr<StepStore>()> store_;
  const std::function<void()> when_done_;
  std::condition_variable wake_;  // there is something to pack, or no more
  bool stopped_ = false;          // guarded by *mutex_
  std::once_flag joined_;
  std::thread thread_;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_PACKING_THREAD_H_
