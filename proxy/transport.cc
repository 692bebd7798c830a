#include "proxy/transport.h"

#include <utility>

namespace understudy::proxy {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kEndPatience{2};

}  // namespace

Transport::Transport(DeadlineSweep& sweep, SocketEvents& events, asio::ip::tcp::socket socket)
    : Deadline(sweep), plain_(std::in_place, events, std::move(socket)) {}

Transport::Transport(DeadlineSweep& sweep, std::unique_ptr<TlsStream> stream)
    : Deadline(sweep), tls_(std::move(stream)) {}

bool Transport::is_quiet() const noexcept {
  return socket().is_quiet() && !(tls_ && tls_->has_pending());
}

Task<TlsStream::Handshake> Transport::shake_hands() {
  auto handshake = co_await tls_->shake_hands();
  if (handshake.done) client_names_ = tls_->client_names();
  co_return handshake;
}

StreamSocket::Readiness Transport::wait_readable() noexcept {
  if (tls_ && tls_->has_pending()) return {};
  return socket().readable();
}

Task<IoResult> Transport::read_some(asio::mutable_buffer buffer) {
  return tls_ ? tls_->read_some(buffer) : plain_->read_some(buffer);
}

Task<IoResult> Transport::write(std::span<const asio::const_buffer> buffers) {
  return tls_ ? tls_->write(buffers) : plain_->write(buffers);
}

Task<void> Transport::say_end() {
  if (!tls_ || !is_open()) co_return;
  expire_after(kEndPatience);
  co_await tls_->end_writing();
  never_expire();
}

void Transport::end_and_close() noexcept {
  if (tls_ && is_open()) tls_->try_end_writing();
  close();
}

void Transport::close() noexcept {
  clear();
  socket().close();
}

void Transport::abort() noexcept {
  aborted_ = true;
  close();
}

void Transport::reset() noexcept {
  socket().reset();
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
