#pragma once
// What an exchange knows of the client's side. It does not know by which protocol the request came:
// HTTP/1.1 today.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "metrics/blocks.h"
#include "proxy/body_budget.h"
#include "proxy/client_auth.h"
#include "proxy/error.h"
#include "proxy/http_head.h"
#include "proxy/snapshot.h"
#include "proxy/task.h"
#include "routing/operation.h"

namespace understudy::proxy {

// A listener as its connections know it. A connection keeps the one that it came in by; who may
// come and by which certificates follows the config in force. The io thread's.
struct ServedListener : routing::ListenerConfig {
  ListenerTarget target{};
};

struct DownstreamRequest {
  const RequestHead* head = nullptr;  // valid until Exchange::run() ends
  routing::RequestTarget target;
  metrics::Block body{};  // whole; empty when there is none
  BodyShare share{};      // of all bodies' budget, for as long as the exchange holds the body
  // Who sends it, as far as the listener asked; the views live as long as the head's.
  Identification client{};
};

struct AnswerHead {
  int status = 200;
  std::string_view reason{};
  std::span<const routing::Field> fields{};       // end-to-end, as the upstream gave them
  std::span<const routing::Field> added{};        // ours
  std::optional<std::uint64_t> content_length{};  // none: not known beforehand
  bool has_body = true;  // false: HEAD, 204, 304; content_length is then only told
};

class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  // The head and what there is of the body already, in one write where possible. The head is read
  // before begin() returns, the pieces until what it returns has been awaited.
  virtual Task<Status> begin(const AnswerHead& head, std::span<const std::string_view> pieces,
                             bool last) = 0;
  virtual Task<Status> write(std::span<const std::string_view> pieces, bool last) = 0;
  // The answer cannot be completed: the client must be able to tell that from an end.
  virtual void truncate() noexcept = 0;
};

}  // namespace understudy::proxy
