#pragma once
// The client's own AWS signature where its request is a stream of events, each signed for itself:
// there is no body that the head's signature could cover.

#include <optional>
#include <span>
#include <string>

#include "proxy/client_auth.h"
#include "proxy/event_signing.h"

namespace understudy::proxy {

// Instead of Identification::check_body(), behind its check_head(). `seed` is set where the client
// signed, and its events are to be checked.
std::optional<HeadProblem> check_stream(const ClientAuth& auth, const RequestHead& head,
                                        std::span<const std::string> names, Signer& verifier,
                                        std::optional<EventChainSeed>& seed);

}  // namespace understudy::proxy
