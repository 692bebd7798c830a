#include "proxy/stream_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>
#include <vector>

namespace understudy::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Who always finds something to read lets the others of the thread run after so many times.
constexpr std::uint8_t kReadsInARow = 8;

constexpr std::size_t kMostBuffers = 64;  // in one system call

error_code last_error() noexcept {
  return {errno, boost::system::system_category()};
}

bool would_block() noexcept {
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

// Until release() has come back, `socket` closes the descriptor.
StreamSocket::StreamSocket(SocketEvents& events, asio::ip::tcp::socket socket)
    : Member(events, socket.native_handle()) {
  socket.native_non_blocking(true);
  socket.release();
}

IoResult StreamSocket::try_read(asio::mutable_buffer buffer) noexcept {
  took_all_space_ = false;
  const ssize_t got = ::recv(descriptor(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    const auto size = static_cast<std::size_t>(got);
    took_all_space_ = size == buffer.size();
    // All there was (epoll(7), Q9).
    if (!took_all_space_ && !short_reads_tell_nothing_) in_.ready = false;
    return {error_code{}, size};
  }
  if (got == 0) return {asio::error::eof, 0};
  const error_code error = last_error();
  if (would_block()) in_.ready = false;
  return {error, 0};
}

IoResult StreamSocket::try_write(std::span<const asio::const_buffer> buffers) noexcept {
  std::array<iovec, kMostBuffers> pieces;
  const std::size_t count = std::min(buffers.size(), pieces.size());
  for (std::size_t i = 0; i < count; ++i)
    pieces[i] = {const_cast<void*>(buffers[i].data()), buffers[i].size()};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  const ssize_t taken =
      count == 1 ? ::send(descriptor(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL)
                 : ::sendmsg(descriptor(), &message, MSG_NOSIGNAL);
  if (taken >= 0) return {error_code{}, static_cast<std::size_t>(taken)};
  const error_code error = last_error();
  if (would_block()) out_.ready = false;
  return {error, 0};
}

bool StreamSocket::must_give_way() noexcept {
  if (++reads_in_a_row_ < kReadsInARow) return false;
  reads_in_a_row_ = 0;
  return true;
}

Task<IoResult> StreamSocket::read_some(asio::mutable_buffer buffer) {
  if (in_.ready && must_give_way()) co_await asio::post(context(), kAsTuple);
  while (true) {
    if (in_.ready && is_open()) {
      const IoResult read = try_read(buffer);
      if (std::get<0>(read) != asio::error::would_block) co_return read;
    }
    if (const error_code error = co_await readable()) co_return IoResult{error, 0};
  }
}

bool is_quiet(int socket) noexcept {
  pollfd look{.fd = socket, .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&look, 1, 0) == 0;
}

bool StreamSocket::is_quiet() const noexcept {
  return is_open() && proxy::is_quiet(descriptor());
}

// Whoever waits is not to hold a buffer for nothing: looks where the last read left it open.
void StreamSocket::look_for_input() noexcept {
  if (in_.ready && std::exchange(took_all_space_, false) && is_quiet()) in_.ready = false;
}

// Nearly always the kernel takes everything at once.
Task<IoResult> StreamSocket::write(std::span<const asio::const_buffer> buffers) {
  if (!is_open()) co_return IoResult{asio::error::operation_aborted, 0};
  const IoResult first = try_write(buffers);
  const auto& [error, written] = first;
  if (!error && written == asio::buffer_size(buffers)) co_return first;
  if (error && error != asio::error::would_block) co_return first;
  co_return co_await write_rest(buffers, first);
}

Task<IoResult> StreamSocket::write_rest(std::span<const asio::const_buffer> buffers,
                                        IoResult first) {
  std::vector<asio::const_buffer> rest(buffers.begin(), buffers.end());
  std::span<asio::const_buffer> left(rest);
  std::size_t written = 0;
  const auto skip = [&](std::size_t bytes) {
    written += bytes;
    while (!left.empty() && bytes >= left.front().size()) {
      bytes -= left.front().size();
      left = left.subspan(1);
    }
    if (!left.empty()) left.front() += bytes;
  };
  skip(std::get<1>(first));
  while (!left.empty()) {
    if (const error_code error = co_await writable()) co_return IoResult{error, written};
    const auto [error, taken] = try_write(left);
    if (error && error != asio::error::would_block) co_return IoResult{error, written};
    skip(taken);
  }
  co_return IoResult{error_code{}, written};
}

void StreamSocket::tell_hangup(HangupListener* listener) {
  if (listener && !is_open()) return;
  if (listener && !hangup_listener_) events().add_waiting();
  if (!listener && hangup_listener_) events().remove_waiting();
  hangup_listener_ = listener;
}

void StreamSocket::happened(std::uint32_t what) {
  constexpr std::uint32_t kBroken = EPOLLHUP | EPOLLERR;
  if (what & (EPOLLIN | EPOLLRDHUP | kBroken)) in_.ready = true;
  if (what & (EPOLLOUT | kBroken)) out_.ready = true;
  const SocketEvents& told_by = events();
  // Before what it sent last is read: of a client that closes its side behind a whole request
  // nobody knows whether it wants the answer, of one that does so later it is known that it does
  // not.
  if (what & (EPOLLRDHUP | EPOLLPRI | kBroken)) short_reads_tell_nothing_ = true;
  if (what & (EPOLLRDHUP | kBroken)) {
    if (auto* listener = std::exchange(hangup_listener_, nullptr)) {
      events().remove_waiting();
      listener->hung_up();
    }
  }
  if (told_by.is_telling(this)) wake(in_);
  if (told_by.is_telling(this)) wake(out_);
}

void StreamSocket::wake(Direction& direction) {
  if (!direction.ready) return;
  SocketEvents& told_by = events();
  for (Wait& wait : direction.waits) {
    if (!wait.go_on) continue;
    told_by.remove_waiting();
    std::exchange(wait.go_on, {})();
    if (!told_by.is_telling(this)) return;
  }
}

void StreamSocket::abort(Direction& direction) noexcept {
  for (Wait& wait : direction.waits) {
    if (!wait.go_on) continue;
    events().remove_waiting();
    *wait.outcome = asio::error::operation_aborted;
    asio::post(context(), [go_on = std::exchange(wait.go_on, {})]() mutable { go_on(); });
  }
}

void StreamSocket::close() noexcept {
  if (!is_open()) return;
  leave();
  ::close(descriptor());
  tell_hangup(nullptr);
  abort(in_);
  abort(out_);
}

void StreamSocket::reset() noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (is_open()) ::setsockopt(descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void StreamSocket::shut_down_sending() noexcept {
  if (is_open()) ::shutdown(descriptor(), SHUT_WR);
}

}  // namespace understudy::proxy
