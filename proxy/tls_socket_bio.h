#pragma once
// OpenSSL's way to a StreamSocket. Its own would raise SIGPIPE where the peer has left.

#include <boost/system/error_code.hpp>

struct bio_st;

namespace understudy::proxy {

class StreamSocket;

// A socket and what became of it. OpenSSL is told that a broken one would block: it forbids to read
// behind a write that failed, and an upstream may well have answered before it closed.
struct TlsSocket {
  StreamSocket& socket;
  boost::system::error_code read_error{}, write_error{};
};

// Reads from and writes to `socket` without blocking; does not own it. Null when memory is gone.
bio_st* make_socket_bio(TlsSocket& socket) noexcept;

}  // namespace understudy::proxy
