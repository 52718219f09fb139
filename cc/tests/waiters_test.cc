#include "cc/waiters.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tfa {
namespace {

constexpr auto kLong = std::chrono::seconds(20);

// Threads that each take one of what there is, in the line that they are given.
class WaitersTest : public testing::Test {
 protected:
  // Starts a thread, and returns once it waits or has taken.
  void Start(Waiters::Line line, int64_t amount) {
    const auto id = static_cast<int64_t>(threads_.size());
    threads_.emplace_back([=] { Take(line, amount, id); });
    while (true) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (num_started_ > id) return;
    }
  }
  void Put(int64_t amount) {
    const std::lock_guard<std::mutex> lock(mutex_);
    there_ += amount;
    waiters_.Notify();
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::mutex mutex_;
  Waiters waiters_;
  int64_t there_ = 0;
  std::vector<int64_t> order_;  // in which they took
  int64_t num_started_ = 0;
  int64_t num_looks_ = 0;

 private:
  void Take(Waiters::Line line, int64_t amount, int64_t id) {
    const KeptPlace place;
    const auto until = std::chrono::steady_clock::now() + kLong;
    std::unique_lock<std::mutex> lock(mutex_);
    const auto can_go = [&] { return there_ >= amount; };
    bool is_first_look = true;
    while (!can_go() || waiters_.IsBehind(line)) {
      ++num_looks_;
      if (is_first_look) ++num_started_;
      is_first_look = false;
      waiters_.Wait(line, can_go, &lock, until);
    }
    if (is_first_look) ++num_started_;
    there_ -= amount;
    order_.push_back(id);
    waiters_.Notify();
  }

  std::vector<std::thread> threads_;
};

TEST_F(WaitersTest, WhoCameFirstGoesFirst) {
  for (int i = 0; i < 20; ++i) Start(0, 1);
  // Longer than a slice: they keep their places.
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  Put(20);
  Join();
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(order_[static_cast<size_t>(i)], i);
}

TEST_F(WaitersTest, WhoCannotGoHoldsNobodyUp) {
  Start(0, 5);
  Start(0, 1);
  Put(1);
  while (true) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!order_.empty()) break;
  }
  EXPECT_EQ(order_[0], 1);
  Put(5);
  Join();
}

TEST_F(WaitersTest, OneWhoComesLaterStandsBehindThoseThatCanGo) {
  Start(0, 1);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    EXPECT_FALSE(waiters_.IsBehind(0));
    there_ = 1;  // and nobody is woken yet
    EXPECT_TRUE(waiters_.IsBehind(0));
    EXPECT_FALSE(waiters_.IsBehind(1));
    waiters_.Notify();
  }
  Join();
}

TEST_F(WaitersTest, AChangeWakesOneOfEachLine) {
  for (int i = 0; i < 10; ++i) Start(0, 1);
  for (int i = 0; i < 10; ++i) Start(7, 1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) Put(1);
  Join();
  const int64_t slices = (std::chrono::steady_clock::now() - begin) /
                         std::chrono::milliseconds(100);
  // Each looked when it began, was woken, and perhaps once in vain, for one of the other
  // line was faster; and looked after each slice.
  EXPECT_LE(num_looks_, 20 * (3 + slices + 1));
  for (const int64_t begin_of_line : {0, 10}) {
    int64_t last = -1;
    for (const int64_t id : order_) {
      if (id / 10 * 10 != begin_of_line) continue;
      EXPECT_GT(id, last);
      last = id;
    }
  }
}

TEST_F(WaitersTest, AChangeThatNobodyAnnouncedIsFoundOut) {
  Start(0, 1);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    there_ = 1;
  }
  Join();
}

TEST_F(WaitersTest, ADeadlineEndsAWait) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto begin = std::chrono::steady_clock::now();
  const auto until = begin + std::chrono::milliseconds(20);
  waiters_.Wait(0, [] { return false; }, &lock, until);
  EXPECT_GE(std::chrono::steady_clock::now(), until);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kLong);
}

bool IsReadable(int fd) {
  pollfd polled = {fd, POLLIN, 0};
  return poll(&polled, 1, 0) == 1;
}

TEST_F(WaitersTest, TheEventIsReadableFromAChangeOnUntilItIsCleared) {
  waiters_.ClearEvent();
  const StatusOr<int> event = waiters_.Event();
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(*waiters_.Event(), *event);
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(IsReadable(*event));
    for (int i = 0; i < 100'000; ++i) waiters_.Notify();
    EXPECT_TRUE(IsReadable(*event));
    waiters_.ClearEvent();
  }
  waiters_.NotifyAll();
  EXPECT_TRUE(IsReadable(*event));
}

}  // namespace
}  // namespace tfa
