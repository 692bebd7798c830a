#pragma once
// How expected failures travel: as values, with what a log line, a metric and a reply need.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace understudy::proxy {

enum class ErrorKind : std::uint8_t {
  resolve,      // no address for the upstream's name
  connect,      // refused, unreachable or timed out
  tls,          // handshake or verification
  credentials,  // none valid
  timeout,      // a deadline passed while a peer was silent
  closed,       // the peer closed or reset
  bad_message,  // the peer's bytes are not the protocol
  too_large,    // a limit was reached
  cancelled,    // we stopped it ourselves: client gone, shutting down
  internal,     // a bug, caught at the edge of one exchange
};
std::string_view label(ErrorKind kind) noexcept;

enum class Side : std::uint8_t { downstream, upstream, internal };

struct Error {
  ErrorKind kind = ErrorKind::internal;
  Side side = Side::internal;
  std::string context;  // for people; never a secret, never content
};

// A value or an Error. The caller asks before it takes.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: meant to convert
  Result(Error error) : state_(std::move(error)) {}  // NOLINT
  explicit operator bool() const noexcept { return state_.index() == 0; }
  T& operator*() noexcept { return std::get<0>(state_); }
  const T& operator*() const noexcept { return std::get<0>(state_); }
  T* operator->() noexcept { return &std::get<0>(state_); }
  const T* operator->() const noexcept { return &std::get<0>(state_); }
  const Error& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

// Success or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT
  explicit operator bool() const noexcept { return !error_; }
  const Error& error() const noexcept { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace understudy::proxy
