#pragma once
// One end of a TLS connection, over a non-blocking socket. Belongs to one thread; one reader and
// one writer at a time. Keeps no buffer of its own, so that what an idle connection holds is
// OpenSSL's state alone (an Asio stream and its pair of BIOs keep 68 KiB).

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/stream_socket.h"
#include "proxy/task.h"
#include "proxy/tls_server.h"
#include "proxy/tls_session.h"
#include "proxy/tls_socket_bio.h"

namespace understudy::proxy {

class TlsStream {
 public:
  // Takes over a connected socket. `session` is new. `server` is what made it, at a server's end.
  // Throws std::system_error where the socket cannot be watched, std::bad_alloc without a session.
  TlsStream(SocketEvents& events, boost::asio::ip::tcp::socket socket, TlsSession session,
            std::shared_ptr<const TlsServer> server = nullptr);

  // How a handshake ended: "full" or "resumed", or why it failed, a word of a closed set (a metric
  // label): "closed" (the peer left), "not_tls", "version", "cipher", "alpn", "no_certificate",
  // "bad_certificate" (the peer's), "alert" (the peer refuses us), "other".
  struct Handshake {
    bool done = false;
    std::string_view result = "other";
    std::string detail{};  // of a failure, for people
  };
  Task<Handshake> shake_hands();
  // After the handshake.
  std::string_view protocol() const noexcept;  // by ALPN; empty: none was agreed on
  // Of a client's verified certificate: URIs, DNS names, mail addresses, then the common name. Only
  // visible ASCII, at most 32 of at most 256 bytes. None at the client's own end.
  std::vector<std::string> client_names() const;

  // Bytes were taken from the socket that nobody has read yet.
  bool has_pending() const noexcept;
  // The end is boost::asio::error::eof; without a close_notify it is one at a server's end only,
  // and boost::asio::ssl::error::stream_truncated at a client's.
  Task<IoResult> read_some(boost::asio::mutable_buffer buffer);
  // All of them or an error. The views must live until then. What the peer said before it left can
  // be read afterwards.
  Task<IoResult> write(std::span<const boost::asio::const_buffer> buffers);
  // Tells the peer that nothing follows (close_notify), without which it must take what it has for
  // cut off. Waits until the socket takes it.
  Task<void> end_writing();
  // The same without waiting: sent where there is room for it now.
  void try_end_writing() noexcept;

  StreamSocket& socket() noexcept { return socket_; }
  const StreamSocket& socket() const noexcept { return socket_; }

 private:
  // Whether reading or writing: OpenSSL may want the other direction of either.
  Task<boost::system::error_code> wait_for(int openssl_wants);
  bool usable() const noexcept { return !broken_ && socket_.is_open(); }

  StreamSocket socket_;
  TlsSocket io_{socket_};
  const std::shared_ptr<const TlsServer> server_;  // OpenSSL's callbacks use it
  const TlsSession session_;
  bool broken_ = false;  // OpenSSL forbids to go on after an error
};

}  // namespace understudy::proxy
