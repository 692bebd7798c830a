#pragma once
// A blocking HTTP/1.1 client over a raw socket, so that tests see the very bytes. Every read gives
// up after ten seconds.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::simulator {

struct HttpReply {
  unsigned status = 0;    // 0 when no head arrived
  std::string head;       // as it came
  std::string body;       // without chunk framing
  bool complete = false;  // ended as its own framing says
  std::string header(std::string_view name) const;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void send(std::string_view bytes);
  HttpReply read();
  // Reads whatever comes until `count` bytes are there or the peer closes.
  std::string read_bytes(std::size_t count);
  void close();

  HttpReply request(std::string_view method, std::string_view target, std::string_view body,
                    std::string_view extra_headers = "");

 private:
  bool fill();
  int socket_ = -1;
  std::string buffer_;
};

// One request on a connection of its own. `extra_headers` are whole lines with CRLF.
HttpReply post(std::uint16_t port, std::string_view target, std::string_view body,
               std::string_view extra_headers = "");
HttpReply get(std::uint16_t port, std::string_view target);

struct TestFrame {
  std::string type;     // :event-type or :exception-type
  std::string message;  // :message-type
  std::string payload;
};

// The frames of an event stream; nothing when lengths do not add up.
std::optional<std::vector<TestFrame>> split_frames(std::string_view bytes);

}  // namespace understudy::simulator
