#include "tests/support/h2_upstream.h"

#include <poll.h>
#include <sys/socket.h>

#include <stdexcept>

namespace understudy::testing_support {

H2Upstream::H2Upstream(std::uint32_t window) : window_(window), listener_(Socket::listen(port_)) {}

const h2::Fields& H2Upstream::accept() {
  pollfd ready{.fd = listener_.descriptor(), .events = POLLIN, .revents = 0};
  constexpr auto kMs = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
  if (::poll(&ready, 1, static_cast<int>(kMs)) != 1)
    throw std::runtime_error("nobody connects to the upstream");
  socket_ = Socket(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
  socket_.set_patience(kPatience);
  constexpr std::uint32_t kFirstWindow = 65'535;  // of a connection (RFC 9113 6.9.2)
  send(h2::settings({{h2::kInitialWindow, window_}}) +
       h2::window_update(0, 0x7FFF'FFFF - kFirstWindow));
  while (received_.size() < h2::kPreface.size()) {
    if (socket_.read(received_) != Socket::Read::data)
      throw std::runtime_error("the upstream's client does not speak");
  }
  if (!received_.starts_with(h2::kPreface)) throw std::runtime_error("not the preface of HTTP/2");
  received_.erase(0, h2::kPreface.size());
  while (head_.empty() && read_frame()) {
  }
  return head_;
}

std::string H2Upstream::field(std::string_view name) const {
  for (const auto& [key, value] : head_) {
    if (key == name) return value;
  }
  return {};
}

bool H2Upstream::read_frame() {
  auto frame = h2::take_frame(received_);
  while (!frame) {
    if (gone_ || socket_.read(received_) != Socket::Read::data) {
      gone_ = true;
      return false;
    }
    frame = h2::take_frame(received_);
  }
  switch (frame->type) {
    case h2::kHeaders:
      head_ = heads_.read(frame->payload);
      break;
    case h2::kData:
      body_ += frame->payload;
      break;
    case h2::kReset:
      reset_ = frame->number(0);
      break;
    case h2::kSettings:
      if (!frame->has(h2::kAck)) send(h2::frame(h2::kSettings, h2::kAck, 0, ""));
      return true;
    default:
      return true;
  }
  if (frame->type != h2::kReset && frame->has(h2::kEndStream)) ended_ = true;
  return true;
}

const std::string& H2Upstream::read_body(std::size_t size) {
  while (body_.size() < size && !ended_ && !reset_ && read_frame()) {
  }
  return body_;
}

void H2Upstream::read_to_end() {
  while (!ended_ && !reset_ && read_frame()) {
  }
}

void H2Upstream::open_window(std::uint32_t by) {
  send(h2::window_update(kStream, by));
}

bool H2Upstream::answer(const h2::Fields& more) {
  h2::Fields fields{{":status", "200"}, {"content-type", "application/vnd.amazon.eventstream"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return send(h2::headers(kStream, fields, false));
}

}  // namespace understudy::testing_support
