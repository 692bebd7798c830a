#pragma once
// A connected TCP socket: reads and writes that do not block, and waits that hold no buffer. It
// remembers what the thread's SocketEvents told, so that where nothing came in nothing is read, and
// hears of a peer that leaves while nobody reads. Asio's own operations try every read before they
// wait for it, with the buffer for it in hand. Belongs to one thread; one reader and one writer at
// a time, each of which may wait for either direction: TLS reads before it can write where half of
// a key update has come in (RFC 8446 4.6.3), and writes before it can read where it has to answer
// one. May be destroyed while somebody awaits readable() or writable(), but not while a read_some()
// or write() is under way: close() ends those.

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cassert>
#include <cstddef>
#include <span>
#include <tuple>

#include "proxy/socket_events.h"
#include "proxy/task.h"

namespace understudy::proxy {

using IoResult = std::tuple<boost::system::error_code, std::size_t>;

// Nothing came in that was not read, and the peer has not left: one look at the present, without
// waiting.
bool is_quiet(int socket) noexcept;

class StreamSocket final : private SocketEvents::Member {
  struct Wait {
    Resumption go_on;
    boost::system::error_code* outcome = nullptr;
  };
  struct Direction {
    Wait& free_wait() noexcept { return waits[0].go_on ? waits[1] : waits[0]; }
    bool ready = false;
    std::array<Wait, 2> waits;
  };

 public:
  // Who hears, once, that the peer sends no more or that the connection broke, also while nobody
  // reads.
  class HangupListener {
   public:
    virtual ~HangupListener() = default;
    // May destroy the socket.
    virtual void hung_up() noexcept = 0;
  };

  // Takes over a connected socket. Throws std::system_error where it cannot be watched.
  StreamSocket(SocketEvents& events, boost::asio::ip::tcp::socket socket);
  ~StreamSocket() override { close(); }

  boost::asio::io_context& context() const noexcept { return events().context(); }
  bool is_open() const noexcept { return is_in(); }
  bool is_quiet() const noexcept;
  // Null: nobody any more. Of a closed socket nobody is told.
  void tell_hangup(HangupListener* listener);

  // For co_await, which gives an error_code.
  class [[nodiscard]] Readiness {
   public:
    Readiness() = default;  // what needs no wait
    Readiness(StreamSocket& socket, Direction& direction) noexcept
        : socket_(&socket), direction_(&direction) {
      if (!socket.is_open()) outcome_ = boost::asio::error::operation_aborted;
    }
    bool await_ready() noexcept { return !direction_ || direction_->ready || outcome_; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> coroutine) {
      coroutine.promise().running().wait(coroutine, [this](Resumption go_on) {
        Wait& wait = direction_->free_wait();
        assert(!wait.go_on);
        socket_->events().add_waiting();
        socket_->reads_in_a_row_ = 0;
        wait.outcome = &outcome_;
        wait.go_on = std::move(go_on);
      });
    }
    boost::system::error_code await_resume() const noexcept { return outcome_; }

   private:
    StreamSocket* socket_ = nullptr;
    Direction* direction_ = nullptr;
    boost::system::error_code outcome_;
  };
  // Until there may be something to read, or room to write; at once where there may be already.
  // boost::asio::error::operation_aborted where the socket was closed, which may be gone then.
  Readiness readable() noexcept {
    look_for_input();
    return {*this, in_};
  }
  Readiness writable() noexcept { return {*this, out_}; }
  // Without waiting; boost::asio::error::would_block where that would be.
  IoResult try_read(boost::asio::mutable_buffer buffer) noexcept;
  IoResult try_write(std::span<const boost::asio::const_buffer> buffers) noexcept;

  // To be asked before each read that may find something: who always does lets the others of the
  // thread run now and then, by a post.
  bool must_give_way() noexcept;
  // Waits for something and reads as much as there is and as fits. The end is
  // boost::asio::error::eof.
  Task<IoResult> read_some(boost::asio::mutable_buffer buffer);
  // All of them or an error. The views must live until then.
  Task<IoResult> write(std::span<const boost::asio::const_buffer> buffers);

  void shut_down_sending() noexcept;
  // Who waits goes on with operation_aborted, not before this has returned.
  void close() noexcept;
  // The peer sees a reset.
  void reset() noexcept;

 private:
  void look_for_input() noexcept;
  Task<IoResult> write_rest(std::span<const boost::asio::const_buffer> buffers, IoResult first);
  void happened(std::uint32_t what) override;
  // Both who wait: each has to look for itself.
  void wake(Direction& direction);
  void abort(Direction& direction) noexcept;

  Direction in_, out_;
  // Behind a read that took less than it could there may be more: the peer's end, or what comes
  // after a byte sent as urgent (tcp(7)).
  bool short_reads_tell_nothing_ = false;
  bool took_all_space_ = false;      // the last read did: whether more is there nobody knows
  std::uint8_t reads_in_a_row_ = 0;  // that had not to wait
  HangupListener* hangup_listener_ = nullptr;
};

}  // namespace understudy::proxy
