#pragma once
// HTTP/2 on a TLS connection to an upstream (RFC 7301).

#include "proxy/tls.h"

namespace understudy::proxy {

// Before the handshake: "h2" is offered, and nothing else. False where OpenSSL refuses.
bool offer_h2(TlsStream& stream) noexcept;
// After it: whether the server took it.
bool chose_h2(TlsStream& stream) noexcept;

}  // namespace understudy::proxy
