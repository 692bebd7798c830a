#pragma once
// A blocking HTTP/1.1 client over a plain socket that sends the very bytes it is given.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace understudy::testing_support {

struct PlainReply {
  int status = 0;
  std::string head;
  std::string body;
  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

// A plain client socket that gives up after five seconds.
class PlainClient {
 public:
  explicit PlainClient(std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
  }
  ~PlainClient() { ::close(socket_); }
  PlainClient(const PlainClient&) = delete;
  PlainClient& operator=(const PlainClient&) = delete;

  void send(const std::string& bytes) { ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  // One answer by its content-length; status 0 when the peer closes before.
  PlainReply receive() {
    PlainReply reply;
    std::size_t head_end = std::string::npos;
    while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return reply;
    }
    reply.head = received_.substr(0, head_end + 4);
    const std::string field = "Content-Length: ";
    const std::size_t length = std::stoul(reply.head.substr(reply.head.find(field) + field.size()));
    while (received_.size() < reply.head.size() + length) {
      if (!more()) return reply;
    }
    reply.status = std::stoi(reply.head.substr(9, 3));
    reply.body = received_.substr(reply.head.size(), length);
    received_.erase(0, reply.head.size() + length);
    return reply;
  }

  bool peer_closed() { return received_.empty() && !more() && errno != EAGAIN; }

 private:
  bool more() {
    char chunk[4096];
    errno = 0;
    const ::ssize_t got = ::recv(socket_, chunk, sizeof chunk, 0);
    if (got > 0) received_.append(chunk, static_cast<std::size_t>(got));
    return got > 0;
  }

  int socket_;
  std::string received_;
};

}  // namespace understudy::testing_support
