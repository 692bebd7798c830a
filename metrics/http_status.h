#pragma once
// What an HTTP status says (RFC 9110 15).

namespace understudy::metrics {

constexpr bool is_success(int status) noexcept {
  return status >= 200 && status < 300;
}

}  // namespace understudy::metrics
