#pragma once
// OpenSSL's way to a socket. Its own would raise SIGPIPE where the peer has left.

struct bio_st;

namespace understudy::proxy {

// Reads from and writes to `socket` without blocking; does not own it. Null when memory is gone.
bio_st* make_socket_bio(int socket) noexcept;

}  // namespace understudy::proxy
