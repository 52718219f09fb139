#include "cc/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tfa {
namespace {

TEST(StatusTest, DefaultIsOkWithoutMessage) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_TRUE(OkStatus().ok());
}

TEST(StatusTest, EachFactoryGivesItsCodeAndKeepsTheMessage) {
  const struct {
    Status status;
    StatusCode code;
  } cases[] = {
      {InvalidArgumentError("m"), StatusCode::kInvalidArgument},
      {NotFoundError("m"), StatusCode::kNotFound},
      {OutOfRangeError("m"), StatusCode::kOutOfRange},
      {ResourceExhaustedError("m"), StatusCode::kResourceExhausted},
      {CancelledError("m"), StatusCode::kCancelled},
      {FailedPreconditionError("m"), StatusCode::kFailedPrecondition},
  };
  for (const auto& [status, code] : cases) {
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.code(), code);
    EXPECT_EQ(status.message(), "m");
  }
}

Status Positive(int x, int* calls) {
  ++*calls;
  return x > 0 ? OkStatus() : InvalidArgumentError("not positive");
}

Status BothPositive(int x, int y, int* calls) {
  TFA_RETURN_IF_ERROR(Positive(x, calls));
  TFA_RETURN_IF_ERROR(Positive(y, calls));
  return OkStatus();
}

TEST(StatusTest, ReturnIfErrorStopsAtTheFirstErrorAndEvaluatesOnce) {
  int calls = 0;
  EXPECT_TRUE(BothPositive(1, 1, &calls).ok());
  EXPECT_EQ(calls, 2);
  calls = 0;
  EXPECT_EQ(BothPositive(-1, 1, &calls).message(), "not positive");
  EXPECT_EQ(calls, 1);
}

TEST(StatusOrTest, HoldsAValue) {
  StatusOr<std::string> text = std::string("abc");
  ASSERT_TRUE(text.ok());
  EXPECT_TRUE(text.status().ok());
  EXPECT_EQ(*text, "abc");
  EXPECT_EQ(text->size(), 3u);
  *text += "d";
  EXPECT_EQ(text.value(), "abcd");
}

TEST(StatusOrTest, HoldsAnError) {
  const StatusOr<std::string> text = NotFoundError("no text");
  EXPECT_FALSE(text.ok());
  EXPECT_EQ(text.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(text.status().message(), "no text");
}

TEST(StatusOrTest, GivesUpAMoveOnlyValue) {
  StatusOr<std::unique_ptr<int>> number = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(number);
  EXPECT_EQ(*taken, 7);
}

}  // namespace
}  // namespace tfa
