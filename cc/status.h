#ifndef TFAGENTS_CORE_CC_STATUS_H_
#define TFAGENTS_CORE_CC_STATUS_H_

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace tfa {

// What kind of mistake or event a `Status` reports. The bindings map each kind
// to one Python exception.
enum class StatusCode {
  kOk,
  kInvalidArgument,
  kNotFound,
  kOutOfRange,
  kResourceExhausted,
  kDeadlineExceeded,
  kCancelled,
  kFailedPrecondition,
  kDataLoss,
  kIoError,
  kUnavailable,  // what is waited for is at work and will be done soon
};

// The outcome of a call: success, or a code with one sentence for the user.
// A plain value; thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, int error_number = 0)
      : code_(code), message_(std::move(message)), error_number_(error_number) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // The system's errno of a kIoError.
  int error_number() const { return error_number_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
  int error_number_ = 0;
};

inline Status OkStatus() { return Status(); }

inline Status InvalidArgumentError(std::string message) {
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

inline Status NotFoundError(std::string message) {
  return Status(StatusCode::kNotFound, std::move(message));
}

inline Status OutOfRangeError(std::string message) {
  return Status(StatusCode::kOutOfRange, std::move(message));
}

inline Status ResourceExhaustedError(std::string message) {
  return Status(StatusCode::kResourceExhausted, std::move(message));
}

inline Status NoMemory(const std::string& action) {
  return ResourceExhaustedError("no memory to " + action + "; nothing has changed");
}

inline Status CancelledError(std::string message) {
  return Status(StatusCode::kCancelled, std::move(message));
}

inline Status FailedPreconditionError(std::string message) {
  return Status(StatusCode::kFailedPrecondition, std::move(message));
}

inline Status DataLossError(std::string message) {
  return Status(StatusCode::kDataLoss, std::move(message));
}

inline Status IoError(int error_number, std::string message) {
  return Status(StatusCode::kIoError, std::move(message), error_number);
}

// Either a value or the error that stands in its place.
// Reading the value REQUIRES: ok().
template <class T>
class [[nodiscard]] StatusOr {
 public:
  // Implicit on purpose, so that functions return values and errors alike.
  StatusOr(T value) : value_(std::move(value)) {}         // NOLINT
  StatusOr(Status status) : status_(std::move(status)) {  // NOLINT
    assert(!status_.ok() && "an OK StatusOr needs a value");
  }

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }

  T& value() & {
    assert(ok());
    return *value_;
  }
  const T& value() const& {
    assert(ok());
    return *value_;
  }
  T&& value() && {
    assert(ok());
    return *std::move(value_);
  }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace tfa

// Evaluates `expr` once; leaves the calling function with its error, if any.
#define TFA_RETURN_IF_ERROR(expr)              \
  do {                                         \
    ::tfa::Status tfa_status_ = (expr);        \
    if (!tfa_status_.ok()) return tfa_status_; \
  } while (false)

#endif  // TFAGENTS_CORE_CC_STATUS_H_
