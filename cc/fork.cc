#include "cc/fork.h"

#include <pthread.h>

#include <atomic>

namespace tfa {
namespace {

std::atomic<int64_t> num_forks{0};

// Runs in the child, where only one thread is.
void CountFork() { num_forks.fetch_add(1, std::memory_order_relaxed); }

// Once, when the library is loaded: before anything can note a number.
const bool kRegistered = pthread_atfork(nullptr, nullptr, &CountFork) == 0;

}  // namespace

int64_t NumForks() {
  static_cast<void>(kRegistered);
  return num_forks.load(std::memory_order_relaxed);
}

}  // namespace tfa
