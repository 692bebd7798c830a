#pragma once
// A connected byte stream, plain or TLS, with a deadline. Belongs to one thread. When the deadline
// passes, or on abort(), the socket is closed and whatever waits on it ends with an error.

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "proxy/deadline.h"
#include "proxy/error.h"
#include "proxy/stream_socket.h"
#include "proxy/task.h"
#include "proxy/tls_stream.h"

namespace understudy::proxy {

// Up to so many bytes are copied behind what is written with them: the kernel takes one buffer
// cheaper than a list of them, by more than the copy costs.
inline constexpr std::size_t kCheaperCopied = 4u << 10;

class Transport final : private Deadline {
 public:
  Transport(DeadlineSweep& sweep, SocketEvents& events, boost::asio::ip::tcp::socket socket);
  // shake_hands() comes first.
  Transport(DeadlineSweep& sweep, std::unique_ptr<TlsStream> stream);

  bool is_open() const noexcept { return socket().is_open(); }
  // At rest: neither closed nor holding bytes that nobody asked for.
  bool is_quiet() const noexcept;
  void tell_hangup(StreamSocket::HangupListener* listener) { socket().tell_hangup(listener); }

  Task<TlsStream::Handshake> shake_hands();
  // By ALPN, "h2" or "http/1.1"; empty where none was agreed on, or without TLS.
  std::string_view protocol() const noexcept {
    return tls_ ? tls_->protocol() : std::string_view{};
  }
  // Names in a client's verified certificate; none where it showed none.
  const std::vector<std::string>& client_names() const noexcept { return client_names_; }

  // Until there may be something to read; holds no buffer meanwhile. By TLS that may be a ticket or
  // a part of a record, so that the read behind it has to wait.
  StreamSocket::Readiness wait_readable() noexcept;
  Task<IoResult> read_some(boost::asio::mutable_buffer buffer);
  // What is below TLS.
  Task<IoResult> read_raw(boost::asio::mutable_buffer buffer) { return socket().read_some(buffer); }
  // All of them or an error. The views must live until then.
  Task<IoResult> write(std::span<const boost::asio::const_buffer> buffers);

  // Nothing follows: by TLS' close_notify the peer can tell an end from a cut. Waits 2 s at most
  // until the socket takes it. Without TLS there is nothing to say.
  Task<void> say_end();
  // The same and a close at once, where the peer is not waiting for anything.
  void end_and_close() noexcept;

  void expire_after(std::chrono::milliseconds after) noexcept {
    at_rest_ = false;
    set(after);
  }
  // For the time between messages: when it is over, the connection ends in order.
  void expire_at_rest_after(std::chrono::milliseconds after) noexcept {
    at_rest_ = true;
    set(after);
  }
  void never_expire() noexcept { clear(); }
  bool timed_out() const noexcept { return timed_out_; }
  bool aborted() const noexcept { return aborted_; }

  void shut_down_sending() noexcept { socket().shut_down_sending(); }
  void close() noexcept;
  // Closes and remembers that it was us.
  void abort() noexcept;
  // Closes so that the peer sees a reset: an answer that was cut must not look like one that ended.
  void reset() noexcept;

 private:
  StreamSocket& socket() noexcept { return tls_ ? tls_->socket() : *plain_; }
  const StreamSocket& socket() const noexcept { return tls_ ? tls_->socket() : *plain_; }
  void expired() noexcept override;

  std::optional<StreamSocket> plain_;  // or
  std::unique_ptr<TlsStream> tls_;
  std::vector<std::string> client_names_;
  bool at_rest_ = false;
  bool timed_out_ = false;
  bool aborted_ = false;
};

}  // namespace understudy::proxy
