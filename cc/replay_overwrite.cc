// Stored values that are overwritten, and the gathers that must not see half of one.
//
// Gathers read rows without the mutex. So an overwrite waits until none is in progress,
// and whoever would begin one meanwhile waits for the overwrite: as long as the longest
// gather takes that had begun. Then it writes in place, with the mutex held. A save is
// not waited for: it copies rows segment by segment, and lets others write in between
// (StepStore::HoldRows). The compressing thread reads nothing that can be overwritten.
#include <new>

#include "cc/gather.h"
#include "cc/replay.h"

namespace tfa {
namespace {

// So many bytes take a millisecond or longer.
constexpr int64_t kManyBytes = int64_t{1} << 20;

// One more while it exists. REQUIRES: whoever makes it guards the number.
class Counted {
 public:
  explicit Counted(int64_t* number) : number_(number) { ++*number_; }
  ~Counted() { --*number_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  int64_t* const number_;
};

}  // namespace

// Gathers without the mutex what `begun` keeps.
void Replay::RunGather(int64_t begun, const std::vector<Window>& windows,
                       StepStore* store, Gather* gather, Lock* lock) {
  ++num_gathers_;
  waiters_.Notify();
  lock->unlock();
  gather->Run(windows.data());
  lock->lock();
  --num_gathers_;
  store->EndGather(begun, windows.data(), static_cast<int64_t>(windows.size()));
  waiters_.Notify();
}

// Waits for a change; whoever would begin a gather then looks again.
Status Replay::AwaitOverwrites(Waiters::Line line, const std::string& waiting,
                               Lock* lock, Deadline deadline) {
  return Await(
      line, [this] { return num_overwrites_ == 0; },
      waiting + ": stored values are being overwritten", lock, deadline,
      StatusCode::kUnavailable);
}

// Waits until nobody gathers. Who gives up tells nobody: it mostly comes back at once,
// for its next slice of a wait, and would find that others had begun.
Status Replay::AwaitGathers(Lock* lock, Deadline deadline) {
  const Counted waiting(&num_overwrites_);
  while (num_gathers_ > 0) {
    TFA_RETURN_IF_ERROR(Await(
        kOverwrites, [this] { return num_gathers_ == 0; },
        "waiting to overwrite stored values: samples of them are being copied", lock,
        deadline, StatusCode::kUnavailable));
    TFA_RETURN_IF_ERROR(CheckOpen());
  }
  return OkStatus();
}

StatusOr<int64_t> Replay::Overwrite(int64_t table, const int64_t* keys, int64_t n,
                                    const RowValues& values, Deadline deadline) try {
  TFA_RETURN_IF_ERROR(values.Validate(columns()));
  int64_t bytes = 0;
  for (const RowValues::ColumnValues& each : values.columns) {
    bytes += n * values.num_rows() *
             columns()[static_cast<size_t>(each.column)].row_bytes();
  }
  std::vector<Window> windows(static_cast<size_t>(n));
  std::optional<Long> is_long;
  if (bytes > kManyBytes) is_long.emplace(&num_long_);
  Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  TFA_RETURN_IF_ERROR(AwaitGathers(&lock, deadline));
  StatusOr<int64_t> found = At(table).FindWindows(keys, n, windows.data());
  if (found.ok()) store_->Overwrite(windows.data(), n, values);
  waiters_.Notify();
  return found;
} catch (const std::bad_alloc&) {
  return NoMemory("overwrite stored values");
}

}  // namespace tfa
