#include "tests/support/h2_client.h"

namespace understudy::testing_support {

using h2::Frame;

namespace {
constexpr std::uint32_t kFirstWindow = 65'535;  // of a connection (RFC 9113 6.9.2)
}

std::string H2Answer::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

H2Client::H2Client(std::uint16_t port, const Options& options)
    : socket_(Socket::connect(port, options.receive_buffer_bytes)) {
  std::string first{h2::kPreface};
  first += h2::settings({{h2::kInitialWindow, options.stream_window}});
  if (options.connection_window > kFirstWindow)
    first += h2::window_update(0, options.connection_window - kFirstWindow);
  send(first);
}

bool H2Client::read_frame() {
  while (how_.empty()) {
    if (const auto frame = h2::take_frame(received_)) {
      take(*frame);
      return true;
    }
    switch (socket_.read(received_, 1u << 20)) {
      case Socket::Read::data:
        break;
      case Socket::Read::end:
        how_ = "closed";
        break;
      case Socket::Read::reset:
        how_ = "reset";
        break;
      case Socket::Read::timeout:
        how_ = "timeout";
        break;
    }
  }
  return false;
}

void H2Client::take(const Frame& frame) {
  ++frames_[frame.type];
  switch (frame.type) {
    case h2::kData:
      answers_[frame.stream].body += frame.payload;
      if (frame.has(h2::kEndStream)) answers_[frame.stream].end = H2Answer::End::complete;
      break;
    case h2::kHeaders:
    case h2::kContinuation:
      if (frame.is(h2::kHeaders)) block_ends_stream_ = frame.has(h2::kEndStream);
      block_ += frame.payload;
      if (frame.has(h2::kEndHeaders)) {
        take_head(frame.stream, heads_.read(block_), block_ends_stream_);
        block_.clear();
      }
      break;
    case h2::kReset: {
      H2Answer& reset = answers_[frame.stream];
      reset.reset = frame.number(0);
      if (reset.end == H2Answer::End::none) reset.end = H2Answer::End::reset;
      break;
    }
    case h2::kSettings:
      if (frame.has(h2::kAck)) break;
      for (std::size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
        const auto id = static_cast<unsigned char>(frame.payload[at + 1]);
        settings_[id] = frame.number(at + 2);
      }
      send(h2::frame(h2::kSettings, h2::kAck, 0, ""));
      break;
    case h2::kPing:
      if (frame.has(h2::kAck)) {
        last_ping_ = frame.payload;
      } else {
        send(h2::frame(h2::kPing, h2::kAck, 0, frame.payload));
      }
      break;
    case h2::kWindowUpdate:
      opened_[frame.stream] += frame.number(0);
      break;
    case h2::kGoaway:
      goaways_.push_back({frame.number(0), frame.number(4)});
      break;
    default:
      break;
  }
}

void H2Client::take_head(std::uint32_t stream, const h2::Fields& fields, bool last) {
  H2Answer& answer = answers_[stream];
  const int status = std::stoi(fields.at(0).second);
  if (status < 200) return answer.interim.push_back(status);
  answer.status = status;
  answer.fields = fields;
  if (last) answer.end = H2Answer::End::complete;
}

const H2Answer& H2Client::receive(std::uint32_t stream) {
  while (answers_[stream].end == H2Answer::End::none && read_frame()) {
  }
  return answers_[stream];
}

const H2Answer& H2Client::receive_bytes(std::uint32_t stream, std::size_t size) {
  while (answers_[stream].end == H2Answer::End::none && answers_[stream].body.size() < size &&
         read_frame()) {
  }
  return answers_[stream];
}

bool H2Client::settle() {
  const std::string mark = "settle!!";
  last_ping_.clear();
  send(h2::ping(mark));
  while (last_ping_ != mark && read_frame()) {
  }
  return last_ping_ == mark;
}

bool H2Client::wait_for_goaways(std::size_t count) {
  while (goaways_.size() < count && read_frame()) {
  }
  return goaways_.size() >= count;
}

std::string H2Client::until_end() {
  while (read_frame()) {
  }
  return how_;
}

std::optional<std::uint32_t> H2Client::goaway_error() const {
  if (goaways_.empty()) return std::nullopt;
  return goaways_.back().error;
}

std::size_t H2Client::frames(std::uint8_t type) const {
  const auto found = frames_.find(type);
  return found == frames_.end() ? 0 : found->second;
}

}  // namespace understudy::testing_support
