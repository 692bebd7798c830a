#pragma once
// One request to an upstream outside of any exchange: keep-warm calls, preflights, questions to the
// control plane. Blocks the calling thread, which must not be one that moves bytes.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/error.h"
#include "proxy/snapshot.h"
#include "routing/operation.h"

namespace understudy::proxy {

// A call of another AWS service, in the account and region of the upstream and with its keys, in
// the protocol awsJson1_1.
struct ServiceAction {
  routing::Endpoint endpoint;
  std::string_view service;  // that it is signed for
  std::string_view name;     // x-amz-target
};

struct ProbeRequest {
  std::string_view method = "POST";
  std::string target{};  // without the endpoint's path
  std::string body{};    // JSON; empty: none
  routing::Surface surface = routing::Surface::runtime;
  std::optional<ServiceAction> action{};  // instead of the surface
};

struct ProbeAnswer {
  static constexpr std::size_t kMaxBodyBytes = 256u << 10;
  int status = 0;
  std::string body{};  // cut at kMaxBodyBytes
};

// By the upstream's own credentials: those that a client brings are not there. `timeout` bounds all
// of it, from the look-up of the name to the answer's last byte.
Result<ProbeAnswer> ask_upstream(std::shared_ptr<const Snapshot> snapshot, std::size_t upstream,
                                 ProbeRequest request, std::chrono::milliseconds timeout);

// The smallest request that every text model takes: one word, one token, by Converse.
ProbeRequest tiny_converse(std::string_view model);
// "/model/<the id, percent-encoded>/<operation>"
std::string model_target(std::string_view model, std::string_view operation);

// What an answer is called in ModelBook::Entry::problem; empty for a success.
std::string_view problem_of_status(int status) noexcept;

}  // namespace understudy::proxy
