#include "proxy/stand_in.h"

namespace understudy::proxy {

using metrics::FallbackReason;

namespace {

// The head's views end with the first part that is read behind it.
void keep_fields(ResponseHead& head, std::string& storage) {
  std::size_t size = head.reason.size();
  for (const routing::Field& field : head.fields) size += field.name.size() + field.value.size();
  storage.clear();
  storage.reserve(size);  // so that no view moves
  const auto keep = [&storage](std::string_view text) {
    const std::size_t at = storage.size();
    storage.append(text);
    return std::string_view{storage}.substr(at);
  };
  head.reason = keep(head.reason);
  for (routing::Field& field : head.fields) {
    field.name = keep(field.name);
    field.value = keep(field.value);
  }
}

}  // namespace

std::optional<FallbackReason> fallback_reason(int status) noexcept {
  if (status < 400) return std::nullopt;
  switch (status) {
    case 401:
    case 403:
      return FallbackReason::access;
    case 404:
      return FallbackReason::not_found;
    case 408:
      return FallbackReason::timeout;
    case 424:
      return FallbackReason::server_error;
    case 429:
      return FallbackReason::throttled;
    default:
      return status >= 500 ? FallbackReason::server_error : FallbackReason::validation;
  }
}

std::optional<FallbackReason> fallback_reason(const Error& error) noexcept {
  if (error.side == Side::downstream) return std::nullopt;
  switch (error.kind) {
    case ErrorKind::resolve:
    case ErrorKind::connect:
    case ErrorKind::tls:
      return FallbackReason::unreachable;
    case ErrorKind::credentials:
      return FallbackReason::credentials;
    case ErrorKind::timeout:
      return FallbackReason::timeout;
    case ErrorKind::closed:
    case ErrorKind::bad_message:
    case ErrorKind::too_large:
      return FallbackReason::transport;
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      break;
  }
  return std::nullopt;
}

Task<Status> hold_answer(UpstreamCall& call, ResponseHead& head, HeldAnswer& held) {
  keep_fields(head, held.fields);
  for (auto part = call.buffered();; part = co_await call.read_part()) {
    if (!part) co_return part.error();
    for (const std::string_view piece : part->pieces) held.body.append(piece);
    held.last = part->last;
    if (part->last || held.body.size() > HeldAnswer::kMaxBytes) co_return Status{};
  }
}

}  // namespace understudy::proxy
