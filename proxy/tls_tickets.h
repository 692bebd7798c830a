#pragma once
// The keys under which session tickets are sealed (RFC 5077, RFC 8446 4.6.1). One set for the
// process, so that a session is resumed on whatever thread its next connection lands and under
// whatever config is then in force. Any thread.
//
// Keys change every kTicketKeyLife and the one before is still accepted: a stolen key opens no
// TLS 1.2 session that is older than twice that. Nothing is written to disk.

#include <chrono>

struct ssl_ctx_st;

namespace understudy::proxy {

// Also the life of a session: a ticket is good for as long as its key.
inline constexpr std::chrono::hours kTicketKeyLife{2};

// Makes `context` seal and open tickets with the process' keys.
void use_ticket_keys(ssl_ctx_st* context) noexcept;

}  // namespace understudy::proxy
