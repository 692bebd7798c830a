#pragma once
// Where people find what listens on an address of the config.

#include <cstdint>
#include <string>

#include "routing/config.h"

namespace understudy::proxy {

// "https://[::1]:8443": the port is the real one, which the config may leave to the system.
std::string url_of(const routing::Address& address, std::uint16_t port, bool tls);

}  // namespace understudy::proxy
