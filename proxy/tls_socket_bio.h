#pragma once
// OpenSSL's way to a StreamSocket. Its own would raise SIGPIPE where the peer has left.

struct bio_st;

namespace understudy::proxy {

class StreamSocket;

// Reads from and writes to `socket` without blocking; does not own it. Null when memory is gone.
bio_st* make_socket_bio(StreamSocket& socket) noexcept;

}  // namespace understudy::proxy
