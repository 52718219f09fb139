#include "cc/waiters.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <system_error>

namespace tfa {
namespace {

constexpr int64_t kNone = -1;   // calls are waits of their own
constexpr int64_t kNotYet = 0;  // a place is to be kept once there is one
thread_local int64_t kept_place = kNone;

}  // namespace

KeptPlace::KeptPlace() { kept_place = kNotYet; }

KeptPlace::~KeptPlace() { kept_place = kNone; }

Waiters::~Waiters() {
  for (const int fd : {event_in_.load(), event_out_.load()}) {
    if (fd >= 0) close(fd);
  }
}

// This thread's.
int64_t Waiters::Place() {
  if (kept_place > kNotYet) return kept_place;
  const int64_t place = ++num_places_;
  if (kept_place == kNotYet) kept_place = place;
  return place;
}

bool Waiters::IsBehind(Line line) const {
  for (const Waiter& each : waiters_) {
    if (kept_place > kNotYet && each.place >= kept_place) return false;
    if (each.line == line && (*each.can_go)()) return true;
  }
  return false;
}

void Waiters::Wait(Line line, const CanGo& can_go, std::unique_lock<std::mutex>* lock,
                   Deadline deadline) {
  constexpr auto kSlice = std::chrono::milliseconds(100);
  // Those that came before and can go, if a change was not announced.
  WakeFirsts();
  const int64_t place = Place();
  auto before = waiters_.end();
  while (before != waiters_.begin() && std::prev(before)->place > place) --before;
  const auto self = waiters_.emplace(before);
  self->place = place;
  self->line = line;
  self->can_go = &can_go;
  self->wake.wait_until(*lock,
                        std::min(deadline, std::chrono::steady_clock::now() + kSlice));
  waiters_.erase(self);
}

void Waiters::Notify() {
  SignalEvent();
  WakeFirsts();
}

void Waiters::WakeFirsts() {
  // Of each line, one at a time is on its way.
  for (auto each = waiters_.begin(); each != waiters_.end(); ++each) {
    if (each->is_woken || !(*each->can_go)()) continue;
    const bool is_first =
        std::none_of(waiters_.begin(), waiters_.end(), [&each](const Waiter& other) {
          return other.line == each->line && other.is_woken;
        });
    if (!is_first) continue;
    each->is_woken = true;
    each->wake.notify_one();
  }
}

void Waiters::NotifyAll() {
  SignalEvent();
  for (Waiter& each : waiters_) each.wake.notify_one();
}

StatusOr<int> Waiters::Event() {
  if (event_out_ >= 0) return event_out_.load();
  int ends[2];
  if (pipe(ends) != 0) {
    const int error = errno;
    return IoError(error, "cannot make a descriptor to wait on: " +
                              std::generic_category().message(error));
  }
  for (const int fd : ends) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  event_in_ = ends[1];
  event_out_ = ends[0];
  return ends[0];
}

// A few bytes are in the pipe at most: one for each time that it was cleared while it
// was being signalled.
void Waiters::SignalEvent() {
  if (event_in_ < 0 || is_signalled_.exchange(true)) return;
  const char byte = 1;
  while (write(event_in_, &byte, 1) < 0 && errno == EINTR) {
  }
}

void Waiters::ClearEvent() {
  if (event_out_ < 0) return;
  char bytes[64];
  while (read(event_out_, bytes, sizeof(bytes)) < 0 && errno == EINTR) {
  }
  // What changes before this is seen by whoever looks afterwards.
  is_signalled_ = false;
}

}  // namespace tfa
