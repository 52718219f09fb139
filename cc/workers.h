// Threads that share a piece of work with whoever has it.
#ifndef TFAGENTS_CORE_CC_WORKERS_H_
#define TFAGENTS_CORE_CC_WORKERS_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tfa {

// A few threads, started at the first work and idle between. Thread-safe.
class Workers {
 public:
  // At most so many threads beside the caller's, and no more in all than the process
  // may run at once.
  explicit Workers(int64_t max_threads);
  // REQUIRES: no call of Run is in progress.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Those that may work at the same time, the caller's among them.
  int64_t num_threads() const { return num_helpers_ + 1; }

  // Calls part(0, t) to part(n - 1, t), each on some thread, in any order, and returns
  // when all of them have; t, in [0, num_threads()), is of one thread at a time. The
  // caller's thread works too: while others are busy, or cannot be started, it does
  // everything by itself. REQUIRES: `part` throws nothing.
  void Run(int64_t n, const std::function<void(int64_t, int64_t)>& part);

 private:
  // What is to be done, and how much of it has been begun.
  struct Work {
    const std::function<void(int64_t, int64_t)>& part;
    const int64_t n;
    std::atomic<int64_t> next{0};
    void Take(int64_t thread);
  };

  bool Start();
  void Help(int64_t thread);

  const int64_t num_helpers_;
  std::mutex only_;  // of the caller that has the threads
  std::vector<std::thread> threads_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Work* work_ = nullptr;     // may still be taken up
  int64_t num_works_ = 0;    // so far
  int64_t num_helping_ = 0;  // threads at work_
  bool stop_ = false;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_WORKERS_H_
