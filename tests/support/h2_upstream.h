#pragma once
// An upstream over HTTP/2 that the test itself plays, step by step: it accepts one connection,
// reads what comes and sends the very frames it is given. Blocking; one thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/support/h2_frames.h"
#include "tests/support/socket.h"

namespace understudy::testing_support {

class H2Upstream {
 public:
  static constexpr std::uint32_t kStream = 1;  // of the request

  // The window is what the request's body may use up; nobody opens it again but open_window().
  explicit H2Upstream(std::uint32_t window = 0x7FFF'FFFF);

  std::uint16_t port() const { return port_; }

  // Waits for the connection and the request's head.
  const h2::Fields& accept();
  std::string field(std::string_view name) const;

  // Reads until that much of the body has come in all, or can come no more.
  const std::string& read_body(std::size_t size);
  // Reads until the request ends one way or another.
  void read_to_end();
  bool ended() const { return ended_; }                          // in order
  std::optional<std::uint32_t> reset() const { return reset_; }  // the error of RST_STREAM
  void open_window(std::uint32_t by);

  bool send(std::string_view frames) { return socket_.write(frames); }
  bool answer(const h2::Fields& more = {});  // the head with 200; the body stays open
  bool send_data(std::string_view bytes, bool last = false) {
    return send(h2::data(kStream, bytes, last));
  }
  void close() { socket_.close(); }

 private:
  bool read_frame();

  const std::uint32_t window_;
  std::uint16_t port_ = 0;  // stands before the listener, which tells it
  Socket listener_;
  Socket socket_;
  std::string received_;
  h2::HeadReader heads_;
  h2::Fields head_;
  std::string body_;
  bool ended_ = false;
  bool gone_ = false;
  std::optional<std::uint32_t> reset_;
};

}  // namespace understudy::testing_support
