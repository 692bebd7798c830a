#pragma once
// A client that sends the very frames it is given over one HTTP/2 connection and keeps what comes
// back by stream. Blocking; one thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/h2_frames.h"
#include "tests/support/socket.h"

namespace understudy::testing_support {

struct H2Answer {
  enum class End : std::uint8_t { none, complete, reset };
  End end = End::none;
  int status = 0;  // 0: no head came
  h2::Fields fields;
  std::string body;
  std::vector<int> interim;            // statuses 1xx before it
  std::optional<std::uint32_t> reset;  // the error of RST_STREAM, also behind a whole answer
  std::string field(std::string_view name) const;
  bool whole() const { return end == End::complete; }
};

class H2Client {
 public:
  struct Options {
    std::uint32_t stream_window = 0x7FFF'FFFF;
    std::uint32_t connection_window = 0x7FFF'FFFF;
    int receive_buffer_bytes = 0;
  };
  // Sends the preface, SETTINGS and what opens the windows.
  explicit H2Client(std::uint16_t port) : H2Client(port, Options{}) {}
  H2Client(std::uint16_t port, const Options& options);

  bool send(std::string_view bytes) { return socket_.write(bytes); }

  // Reads until that stream's answer has ended one way or another; also when the connection does.
  const H2Answer& receive(std::uint32_t stream);
  const H2Answer& ask(std::uint32_t stream, std::string_view request) {
    send(request);
    return receive(stream);
  }
  // Reads until the stream has that much of its body, or can have no more.
  const H2Answer& receive_bytes(std::uint32_t stream, std::size_t size);
  // Reads until all that was sent before has been dealt with. False when the connection ended.
  bool settle();
  // Reads until as many GOAWAYs have come; sends nothing, so that no limit of PINGs is met however
  // long that takes. False when the connection ended before.
  bool wait_for_goaways(std::size_t count);
  // Reads until the connection ends, and tells how: "closed", "reset" or "timeout".
  std::string until_end();

  const H2Answer& answer(std::uint32_t stream) { return answers_[stream]; }
  struct Goaway {
    std::uint32_t last_stream = 0;
    std::uint32_t error = 0;
  };
  const std::vector<Goaway>& goaways() const { return goaways_; }
  std::optional<std::uint32_t> goaway_error() const;  // of the last one
  const std::map<std::uint16_t, std::uint32_t>& settings() const { return settings_; }
  std::size_t frames(std::uint8_t type) const;  // that came
  // What WINDOW_UPDATEs came to, 0 being the connection.
  std::uint64_t opened(std::uint32_t stream) { return opened_[stream]; }
  void close() { socket_.close(); }
  void reset() { socket_.reset(); }

 private:
  bool read_frame();
  void take(const h2::Frame& frame);
  void take_head(std::uint32_t stream, const h2::Fields& fields, bool last);

  Socket socket_;
  std::string received_;
  h2::HeadReader heads_;
  std::string block_;  // of the head that is being read
  bool block_ends_stream_ = false;
  std::map<std::uint32_t, H2Answer> answers_;
  std::vector<Goaway> goaways_;
  std::map<std::uint16_t, std::uint32_t> settings_;
  std::map<std::uint8_t, std::size_t> frames_;
  std::map<std::uint32_t, std::uint64_t> opened_;
  std::string last_ping_;  // that was answered
  std::string how_;        // the connection ended
};

}  // namespace understudy::testing_support
