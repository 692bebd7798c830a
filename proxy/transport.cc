#include "proxy/transport.h"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <utility>
#include <vector>

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

Transport::Transport(DeadlineSweep& sweep, asio::ip::tcp::socket socket)
    : Deadline(sweep), socket_(std::move(socket)) {}

Transport::Transport(DeadlineSweep& sweep, std::unique_ptr<TlsStream> stream)
    : Deadline(sweep), socket_(stream->get_executor()), tls_(std::move(stream)) {}

Transport::Transport(DeadlineSweep& sweep, std::unique_ptr<TlsServerStream> stream)
    : Deadline(sweep), socket_(stream->socket().get_executor()), server_tls_(std::move(stream)) {}

Task<TlsServerStream::Handshake> Transport::shake_hands() {
  const auto handshake = co_await server_tls_->shake_hands();
  if (handshake.done) peer_names_ = server_tls_->peer_names();
  co_return handshake;
}

Task<boost::system::error_code> Transport::wait_readable() {
  if (server_tls_ && server_tls_->has_pending()) co_return boost::system::error_code{};
  const auto [error] = co_await socket().async_wait(asio::socket_base::wait_read, kAsTuple);
  co_return error;
}

Task<IoResult> Transport::read_some(asio::mutable_buffer buffer) {
  if (server_tls_) co_return co_await server_tls_->read_some(buffer);
  if (tls_) co_return co_await tls_->async_read_some(buffer, kAsTuple);
  co_return co_await socket_.async_read_some(buffer, kAsTuple);
}

// Nearly always the kernel takes everything at once; only what it leaves needs Asio's write loop,
// which copies the list of buffers about before it begins. That an operation ends behind the others
// that are ready is of use: written without one, a few of the instructions go, but the read
// that follows comes too soon, finds nothing, and a request costs a tenth more.
Task<IoResult> Transport::write(std::span<const asio::const_buffer> buffers) {
  if (server_tls_) co_return co_await server_tls_->write(buffers);
  const std::size_t wanted = asio::buffer_size(buffers);
  IoResult first;
  if (tls_) {
    first = co_await tls_->async_write_some(buffers, kAsTuple);
  } else if (buffers.size() == 1) {
    first = co_await socket_.async_write_some(buffers.front(), kAsTuple);
  } else {
    first = co_await socket_.async_write_some(buffers, kAsTuple);
  }
  const auto [error, written] = first;
  if (error || written == wanted) co_return first;
  co_return co_await write_rest(buffers, written);
}

Task<IoResult> Transport::write_rest(std::span<const asio::const_buffer> buffers,
                                     std::size_t written) {
  std::vector<asio::const_buffer> rest;
  for (const auto& buffer : buffers) {
    const std::size_t skipped = std::min(written, buffer.size());
    written -= skipped;
    if (skipped < buffer.size()) rest.push_back(buffer + skipped);
  }
  if (tls_) co_return co_await asio::async_write(*tls_, rest, all_at_once, kAsTuple);
  co_return co_await asio::async_write(socket_, rest, all_at_once, kAsTuple);
}

Task<void> Transport::say_end() {
  if (!server_tls_ || !socket().is_open()) co_return;
  expire_after(kEndPatience);
  co_await server_tls_->end_writing();
  never_expire();
}

void Transport::end_and_close() noexcept {
  if (server_tls_ && socket().is_open()) server_tls_->try_end_writing();
  close();
}

void Transport::cancel() noexcept {
  boost::system::error_code ignored;
  socket().cancel(ignored);
}

void Transport::close() noexcept {
  clear();
  boost::system::error_code ignored;
  socket().close(ignored);
}

void Transport::abort() noexcept {
  aborted_ = true;
  close();
}

void Transport::reset() noexcept {
  boost::system::error_code ignored;
  socket().set_option(asio::socket_base::linger(true, 0), ignored);
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
