// Result: a value, or an error that says what the caller can do about it.
//
// Nothing in runnel throws across a file; a function that can fail for a
// reason outside the program returns a Result. A bug is a CHECK (check.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace runnel {

// What the caller can do next.
enum class ErrorKind {
  kFix,        // somebody must change a file, an option or a permission
  kRetry,      // the same call may succeed later
  kReconnect,  // the peer is gone; a new connection may help
  kGiveUp,     // the data is damaged or the state is lost
};

struct Error {
  ErrorKind kind = ErrorKind::kGiveUp;
  std::string message;  // lower case, no full stop: what is wrong, expected, found

  // The same error with what was being done in front: `opening the spool: …`.
  Error In(std::string_view context) && {
    message.insert(0, std::string(context) + ": ");
    return std::move(*this);
  }
};

template <typename T>
class [[nodiscard]] Result final {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  // REQUIRES: ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  // REQUIRES: !ok().
  Error& error() { return *std::get_if<1>(&state_); }
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

// The result of a call that gives nothing back.
class [[nodiscard]] Status final {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  // REQUIRES: !ok().
  Error& error() { return *error_; }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace runnel
