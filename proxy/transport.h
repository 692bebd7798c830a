#pragma once
// A connected byte stream, plain or TLS, with a deadline. Belongs to one thread. When the deadline
// passes, or on abort(), the socket is closed and whatever waits on it ends with an error.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <tuple>

#include "proxy/deadline.h"
#include "proxy/error.h"
#include "proxy/tls.h"

namespace understudy::proxy {

using IoResult = std::tuple<boost::system::error_code, std::size_t>;
inline constexpr auto kAsTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

class Transport final : private Deadline {
 public:
  Transport(DeadlineSweep& sweep, boost::asio::ip::tcp::socket socket);
  Transport(DeadlineSweep& sweep, std::unique_ptr<TlsStream> stream);

  boost::asio::ip::tcp::socket& socket() noexcept { return tls_ ? tls_->next_layer() : socket_; }
  bool is_tls() const noexcept { return tls_ != nullptr; }

  boost::asio::awaitable<IoResult> read_some(boost::asio::mutable_buffer buffer);
  // All of them or an error. The views must live until then.
  boost::asio::awaitable<IoResult> write(std::span<const boost::asio::const_buffer> buffers);

  template <typename Handler>
  void async_read_some(boost::asio::mutable_buffer buffer, Handler handler) {
    if (tls_) {
      tls_->async_read_some(buffer, std::move(handler));
    } else {
      socket_.async_read_some(buffer, std::move(handler));
    }
  }

  void expire_after(std::chrono::milliseconds after) noexcept { set(after); }
  void never_expire() noexcept { clear(); }
  bool timed_out() const noexcept { return timed_out_; }
  bool aborted() const noexcept { return aborted_; }

  // Ends pending operations without closing.
  void cancel() noexcept;
  void close() noexcept;
  // Closes and remembers that it was us.
  void abort() noexcept;
  // Closes so that the peer sees a reset: an answer that was cut must not look like one that ended.
  void reset() noexcept;

 private:
  boost::asio::awaitable<IoResult> write_rest(std::span<const boost::asio::const_buffer> buffers,
                                              std::size_t written);
  void expired() noexcept override;

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<TlsStream> tls_;
  bool timed_out_ = false;
  bool aborted_ = false;
};

}  // namespace understudy::proxy
