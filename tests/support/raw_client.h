#pragma once
// A client that sends the very bytes it is given over one kept-alive connection and tells how each
// answer ended.

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/socket.h"
#include "tests/support/tls_client.h"

namespace understudy::testing_support {

struct Answer {
  enum class End : std::uint8_t {
    complete,   // as the framing promised
    truncated,  // the connection ended before
    reset,      // it was reset before
    timeout,
  };
  End end = End::complete;
  int status = 0;  // 0: no whole head came
  std::string head;
  std::string body;
  bool chunked = false;

  std::string field(std::string_view name) const;
  bool has(std::string_view name) const;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : socket_(Socket::connect(port, receive_buffer_bytes)) {}
  // The same over TLS; see TlsClient for how an end is told.
  RawClient(std::uint16_t port, const TlsClientOptions& tls)
      : tls_(std::make_unique<TlsClient>(port, tls)) {}

  bool send(std::string_view bytes) { return tls_ ? tls_->write(bytes) : socket_.write(bytes); }
  // The next answer but interim ones (1xx), by its framing. `to_head`: it answers a HEAD.
  Answer receive(bool to_head = false);
  // Reads until the bytes received and not yet taken hold `text`. False when they never will.
  bool receive_until(std::string_view text);
  // The other side has ended the connection and nothing is left to read.
  bool at_end();
  void end_writing() { socket_.end_writing(); }
  void close() { socket_.close(); }
  void reset() { socket_.reset(); }

  Answer ask(std::string_view request) {
    send(request);
    return receive();
  }
  TlsClient& tls() { return *tls_; }
  const std::string& received() const { return received_; }

 private:
  bool fill(Answer& answer);

  std::unique_ptr<TlsClient> tls_;  // null: plain
  Socket socket_;
  std::string received_;
};

// A whole request with a content-length.
std::string post(std::string_view target, std::string_view body, std::string_view more_fields = "");
std::string get(std::string_view target, std::string_view more_fields = "");
// A Converse request to the model that the tests' route takes.
std::string converse(std::string_view text, std::string_view more_fields = "");
std::string converse_body(std::string_view text);

}  // namespace understudy::testing_support
