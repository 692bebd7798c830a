#pragma once
// Why a served exchange was answered by another variant than the one it was drawn for. Each label
// is its enumerator's spelling.

#include <array>
#include <cstdint>
#include <string_view>

namespace understudy::metrics {

// What the candidate did, so that the primary answers instead of it.
enum class FallbackReason : std::uint8_t {
  throttled,     // 429, or a quota that is used up
  server_error,  // 5xx, or the model's own failure (424)
  unreachable,   // no address, refused, no TLS
  timeout,       // no answer in time (also 408)
  transport,     // the connection broke, or no HTTP came back
  validation,    // the request's shape was refused (400, 413 and their kin)
  access,        // 401, 403
  not_found,     // 404: no such model, or none any more
  credentials    // there are none for its upstream
};
inline constexpr std::size_t kFallbackReasons = 9;
std::string_view label(FallbackReason reason) noexcept;

// How the primary's model is gone, so that the candidate answers instead of it.
enum class ModelGone : std::uint8_t {
  ended,       // its end of life is reached
  locked_out,  // legacy, and this account did not use it for too long
  drill        // it is not: the route plays it
};
inline constexpr std::size_t kModelGoneKinds = 3;
std::string_view label(ModelGone kind) noexcept;

}  // namespace understudy::metrics
