#include "tests/simulator_test/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

#include "tests/simulator/message.h"

namespace understudy::simulator {
namespace {

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

std::string HttpReply::header(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", at + 2);
    const std::string_view line = std::string_view{head}.substr(at + 2, end - at - 2);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && equal_ignoring_case(line.substr(0, colon), name)) {
      return std::string{line.substr(colon + 2)};
    }
    at = end;
  }
  return {};
}

HttpClient::HttpClient(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("the simulator does not take connections");
  }
}

HttpClient::~HttpClient() {
  close();
}

void HttpClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the reply, or its absence, tells what the peer did
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool HttpClient::fill() {
  std::array<char, 65536> block;
  const ssize_t count = ::recv(socket_, block.data(), block.size(), 0);
  if (count <= 0) return false;
  buffer_.append(block.data(), static_cast<std::size_t>(count));
  return true;
}

std::string HttpClient::read_bytes(std::size_t count) {
  while (buffer_.size() < count && fill()) {
  }
  const std::string out = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return out;
}

HttpReply HttpClient::read() {
  HttpReply reply;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return reply;
  }
  reply.head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  if (!reply.head.starts_with("HTTP/1.1 ")) return reply;
  reply.status = static_cast<unsigned>(std::atoi(reply.head.c_str() + 9));
  if (const std::string length = reply.header("content-length"); !length.empty()) {
    const auto wanted = static_cast<std::size_t>(std::strtoull(length.c_str(), nullptr, 10));
    reply.body = read_bytes(wanted);
    reply.complete = reply.body.size() == wanted;
    return reply;
  }
  while (true) {
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!fill()) return reply;
    }
    const auto size = static_cast<std::size_t>(std::strtoull(buffer_.c_str(), nullptr, 16));
    buffer_.erase(0, end + 2);
    const std::string chunk = read_bytes(size + 2);
    if (chunk.size() != size + 2) return reply;
    reply.body.append(chunk, 0, size);
    if (size == 0) {
      reply.complete = true;
      return reply;
    }
  }
}

HttpReply HttpClient::request(std::string_view method, std::string_view target,
                              std::string_view body, std::string_view extra_headers) {
  std::string bytes{method};
  bytes.append(" ").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n").append(extra_headers);
  bytes.append("Content-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n")
      .append(body);
  send(bytes);
  return read();
}

HttpReply post(std::uint16_t port, std::string_view target, std::string_view body,
               std::string_view extra_headers) {
  return HttpClient{port}.request("POST", target, body, extra_headers);
}

HttpReply get(std::uint16_t port, std::string_view target) {
  return HttpClient{port}.request("GET", target, "");
}

std::optional<std::vector<TestFrame>> split_frames(std::string_view bytes) {
  std::vector<TestFrame> frames;
  while (!bytes.empty()) {
    if (bytes.size() < 16) return std::nullopt;
    const std::size_t total = read_u32(bytes, 0);
    const std::size_t headers = read_u32(bytes, 4);
    if (total > bytes.size() || headers + 16 > total) return std::nullopt;
    TestFrame frame;
    std::string_view rest = bytes.substr(12, headers);
    while (!rest.empty()) {
      const auto name_size = static_cast<std::size_t>(rest[0]);
      const std::string_view name = rest.substr(1, name_size);
      const std::size_t value_size =
          static_cast<std::size_t>(static_cast<unsigned char>(rest[name_size + 3]));
      const std::string_view value = rest.substr(name_size + 4, value_size);
      if (name == ":event-type" || name == ":exception-type") frame.type = value;
      if (name == ":message-type") frame.message = value;
      rest.remove_prefix(name_size + 4 + value_size);
    }
    frame.payload = bytes.substr(12 + headers, total - headers - 16);
    frames.push_back(std::move(frame));
    bytes.remove_prefix(total);
  }
  return frames;
}

}  // namespace understudy::simulator
