#pragma once
// Checks requests as Bedrock's front door does: SigV4 over the raw wire path, or a bearer key.
// Written apart from the proxy's signer, so that each checks the other. Pure; the clock is a
// parameter.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "tests/simulator/config.h"
#include "tests/simulator/message.h"
#include "tests/simulator/service_error.h"

namespace understudy::simulator {

std::string sha256_hex(std::string_view bytes);

// The error that the request earns, or nothing when it may pass. `body_sha256` is lower hex.
std::optional<ServiceError> authenticate(const Auth& auth, const Request& request,
                                         std::string_view body_sha256,
                                         std::chrono::system_clock::time_point now);

}  // namespace understudy::simulator
