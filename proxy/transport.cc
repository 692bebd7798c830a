#include "proxy/transport.h"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <utility>
#include <vector>

namespace understudy::proxy {

namespace asio = boost::asio;

namespace {

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

asio::awaitable<IoResult> Transport::read_some(asio::mutable_buffer buffer) {
  return tls_ ? tls_->async_read_some(buffer, kAsTuple) : socket_.async_read_some(buffer, kAsTuple);
}

// Nearly always the kernel takes everything at once; only what it leaves needs Asio's write loop,
// which copies the list of buffers about before it begins.
asio::awaitable<IoResult> Transport::write(std::span<const asio::const_buffer> buffers) {
  const std::size_t wanted = asio::buffer_size(buffers);
  auto first = tls_ ? tls_->async_write_some(buffers, kAsTuple)
                    : socket_.async_write_some(buffers, kAsTuple);
  const auto [error, written] = co_await std::move(first);
  if (error || written == wanted) co_return IoResult{error, written};
  co_return co_await write_rest(buffers, written);
}

asio::awaitable<IoResult> Transport::write_rest(std::span<const asio::const_buffer> buffers,
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
  close();
}

}  // namespace understudy::proxy
