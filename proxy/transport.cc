#include "proxy/transport.h"

#include <boost/asio/write.hpp>
#include <utility>

namespace understudy::proxy {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kEndPatience{2};

// Asio's own condition hands the kernel 64 KiB at most, which makes two writes of a 64 KiB body and
// its head.
std::size_t all_at_once(const boost::system::error_code& error, std::size_t) noexcept {
  constexpr std::size_t kMost = 4u << 20;
  return error ? 0 : kMost;
}

}  // namespace

Transport::Transport(DeadlineSweep& sweep, SocketEvents& events, asio::ip::tcp::socket socket)
    : Deadline(sweep), socket_(std::in_place, events, std::move(socket)) {}

Transport::Transport(DeadlineSweep& sweep, std::unique_ptr<TlsStream> stream)
    : Deadline(sweep), tls_(std::move(stream)) {}

Transport::Transport(DeadlineSweep& sweep, std::unique_ptr<TlsServerStream> stream)
    : Deadline(sweep), server_tls_(std::move(stream)) {}

bool Transport::is_open() noexcept {
  const StreamSocket* socket = watched();
  return socket ? socket->is_open() : tls_->next_layer().is_open();
}

bool Transport::is_quiet() noexcept {
  const StreamSocket* socket = watched();
  return socket ? socket->is_quiet() : proxy::is_quiet(tls_->next_layer().native_handle());
}

Task<TlsServerStream::Handshake> Transport::shake_hands() {
  const auto handshake = co_await server_tls_->shake_hands();
  if (handshake.done) peer_names_ = server_tls_->peer_names();
  co_return handshake;
}

StreamSocket::Readiness Transport::wait_readable() noexcept {
  StreamSocket* socket = watched();
  if (!socket || (server_tls_ && server_tls_->has_pending())) return {};
  return socket->readable();
}

Task<IoResult> Transport::read_some(asio::mutable_buffer buffer) {
  if (socket_) return socket_->read_some(buffer);
  return server_tls_ ? server_tls_->read_some(buffer) : read_from_upstream(buffer);
}

Task<IoResult> Transport::read_from_upstream(asio::mutable_buffer buffer) {
  co_return co_await tls_->async_read_some(buffer, kAsTuple);
}

Task<IoResult> Transport::write(std::span<const asio::const_buffer> buffers) {
  if (socket_) return socket_->write(buffers);
  return server_tls_ ? server_tls_->write(buffers) : write_to_upstream(buffers);
}

Task<IoResult> Transport::write_to_upstream(std::span<const asio::const_buffer> buffers) {
  co_return co_await asio::async_write(*tls_, buffers, all_at_once, kAsTuple);
}

Task<void> Transport::say_end() {
  if (!server_tls_ || !is_open()) co_return;
  expire_after(kEndPatience);
  co_await server_tls_->end_writing();
  never_expire();
}

void Transport::end_and_close() noexcept {
  if (server_tls_ && is_open()) server_tls_->try_end_writing();
  close();
}

void Transport::shut_down_sending() noexcept {
  boost::system::error_code ignored;
  if (StreamSocket* socket = watched()) return socket->shut_down_sending();
  tls_->next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Transport::close() noexcept {
  clear();
  boost::system::error_code ignored;
  if (StreamSocket* socket = watched()) return socket->close();
  tls_->next_layer().close(ignored);
}

void Transport::abort() noexcept {
  aborted_ = true;
  close();
}

void Transport::reset() noexcept {
  watched()->reset();
  close();
}

void Transport::expired() noexcept {
  timed_out_ = true;
  if (at_rest_) {
    end_and_close();
  } else {
    close();
  }
}

}  // namespace understudy::proxy
