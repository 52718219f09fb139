#include "cc/packing_thread.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "cc/block_codec.h"
#include "cc/step_store.h"

namespace tfa {
namespace {

constexpr int64_t kPixels = 4096;

std::shared_ptr<StepStore> MakeStore() {
  StepStore::Options options;
  options.segment_rows = 4;
  options.history_rows = 1000;
  return *StepStore::Create({{"pixels", DType::kUint8, {kPixels}, Compression::kLz4}},
                            options);
}

// What a replay is to its thread.
class Owner {
 public:
  Owner()
      : thread_(
            &mutex_, [this] { return store_; },
            [this] {
              ++num_done_;
              changed_.notify_all();
            }) {}

  PackingThread& thread() { return thread_; }

  void Append(int64_t num_rows) {
    const std::vector<uint8_t> pixels(kPixels, 7);
    const void* const columns[] = {pixels.data()};
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int64_t i = 0; i < num_rows; ++i) {
      const RowFlags row = {0, !store_->EpisodeOpen(0), false};
      ASSERT_TRUE(store_->Append(&row, 1, columns).ok());
    }
  }
  // Waits until nothing waits to be packed.
  void Await() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return store_->num_unpacked() == 0; });
  }
  void Replace() {
    const std::lock_guard<std::mutex> lock(mutex_);
    store_ = MakeStore();
  }
  void Reset() {
    const std::lock_guard<std::mutex> lock(mutex_);
    store_->Reset();
  }
  int64_t num_done() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return num_done_;
  }
  int64_t num_unpacked() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return store_->num_unpacked();
  }
  // Segments that the store's bytes would be, if they were raw.
  double RawSegments() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<double>(store_->bytes_in_use()) /
           static_cast<double>(store_->segment_bytes());
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<StepStore> store_ = MakeStore();
  int64_t num_done_ = 0;
  PackingThread thread_;
};

class PackingThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasLz4()) GTEST_SKIP() << "built without LZ4";
  }
};

TEST_F(PackingThreadTest, ItPacksWhatWaitedWhenItWasStartedAndWhenItIsWoken) {
  Owner owner;
  owner.Append(41);
  ASSERT_TRUE(owner.thread().Start().ok());
  owner.Await();
  EXPECT_LT(owner.RawSegments(), 3);
  owner.Append(40);
  owner.thread().Wake();
  owner.Await();
  EXPECT_LT(owner.RawSegments(), 5);
}

TEST_F(PackingThreadTest, ItTellsWhoWaitsForSegmentsThatNobodyNeedsAnyMore) {
  Owner owner;
  owner.Append(41);
  owner.Reset();
  EXPECT_EQ(owner.num_unpacked(), 10);
  ASSERT_TRUE(owner.thread().Start().ok());
  owner.Await();
  EXPECT_GE(owner.num_done(), 1);
}

TEST_F(PackingThreadTest, ItPacksTheStoreThatItsOwnerHasByNow) {
  Owner owner;
  ASSERT_TRUE(owner.thread().Start().ok());
  owner.Replace();
  owner.Append(41);
  owner.thread().Wake();
  owner.Await();
  EXPECT_LT(owner.RawSegments(), 3);
}

TEST_F(PackingThreadTest, NothingIsPackedOnceItWasStopped) {
  Owner owner;
  ASSERT_TRUE(owner.thread().Start().ok());
  owner.thread().Stop();
  owner.thread().Stop();
  owner.Append(41);
  owner.thread().Wake();
  EXPECT_EQ(owner.num_unpacked(), 10);
}

TEST_F(PackingThreadTest, OneThatWasNeverStartedCanBeStopped) {
  Owner owner;
  owner.Append(41);
  owner.thread().Stop();
  EXPECT_EQ(owner.num_unpacked(), 10);
}

}  // namespace
}  // namespace tfa
