#include "bench/peer/upstream.h"

#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "bench/peer/outbox.h"

namespace understudy::bench {
namespace {

constexpr std::size_t kLargeFromBytes = 16u << 10;
constexpr std::size_t kMaxHeadBytes = 64u << 10;

struct RequestHead {
  std::size_t body_bytes = 0;
  bool stream = false;
  bool sigv4 = false;
  bool bearer = false;
};

bool is_field(std::string_view line, std::string_view name_and_colon) {
  return line.size() > name_and_colon.size() &&
         ::strncasecmp(line.data(), name_and_colon.data(), name_and_colon.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

// `head` ends with the empty line. Knows what a proxy may make of the bench's requests, and nothing
// else.
std::optional<RequestHead> read_head(std::string_view head) {
  RequestHead read;
  if (!head.starts_with("POST /model/")) return std::nullopt;
  bool has_length = false;
  std::size_t at = head.find("\r\n");
  read.stream = head.substr(0, at).find("/converse-stream HTTP/1.1") != std::string_view::npos;
  while (at + 2 < head.size()) {
    const std::size_t begin = at + 2;
    at = head.find("\r\n", begin);
    if (at == std::string_view::npos || at == begin) break;
    const std::string_view line = head.substr(begin, at - begin);
    if (is_field(line, "content-length:")) {
      const std::string_view value = trimmed(line.substr(15));
      has_length = std::from_chars(value.begin(), value.end(), read.body_bytes).ec == std::errc();
    } else if (is_field(line, "authorization:")) {
      const std::string_view value = trimmed(line.substr(14));
      read.sigv4 = value.starts_with("AWS4-HMAC-SHA256 ");
      read.bearer = value.starts_with("Bearer ");
    }
  }
  if (!has_length) return std::nullopt;
  return read;
}

}  // namespace

nlohmann::json UpstreamCounters::since(const UpstreamCounters& earlier) const {
  return {{"primary", primary - earlier.primary},
          {"candidate", candidate - earlier.candidate},
          {"hung_connections", hung_connections - earlier.hung_connections},
          {"sigv4", sigv4 - earlier.sigv4},
          {"bearer", bearer - earlier.bearer},
          {"malformed", malformed - earlier.malformed}};
}

class Upstream::Port final : public Watcher {
 public:
  enum class Kind : std::uint8_t { primary, candidate, hung };
  Port(Upstream& upstream, Kind kind)
      : upstream_(upstream), kind_(kind), fd_(listen_on_loopback(number_)) {
    upstream_.loop_.watch(fd_, EPOLLIN, this);
  }
  ~Port() override { ::close(fd_); }
  void on_ready(std::uint32_t events) override;
  std::uint16_t number() const { return number_; }

 private:
  Upstream& upstream_;
  const Kind kind_;
  std::uint16_t number_ = 0;
  int fd_;
};

class Upstream::HungConnection final : public Watcher {
 public:
  HungConnection(Upstream& upstream, int fd) : upstream_(upstream), fd_(fd) {
    upstream_.loop_.watch(fd_, EPOLLRDHUP, this);
  }
  ~HungConnection() override { ::close(fd_); }
  void on_ready(std::uint32_t) override {
    if (!std::exchange(gone_, true)) upstream_.drop(place);
  }
  std::size_t place = 0;

 private:
  Upstream& upstream_;
  int fd_;
  bool gone_ = false;
};

class Upstream::Connection final : public Watcher {
 public:
  Connection(Upstream& upstream, Model model, int fd)
      : upstream_(upstream), model_(model), fd_(fd) {
    upstream_.loop_.watch(fd_, EPOLLIN, this);
  }
  ~Connection() override { ::close(fd_); }

  void on_ready(std::uint32_t events) override {
    if (gone_) return;
    if ((events & EPOLLOUT) != 0 && !flush()) return close();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
  }
  void send_delta(Nanoseconds time);
  std::size_t place = 0;

 private:
  void receive();
  bool take(std::string_view data);  // false: malformed
  bool begin_request(std::string_view head);
  void answer();
  void send(std::string_view bytes);
  bool flush();
  void close();

  Upstream& upstream_;
  const Model model_;
  int fd_;
  bool gone_ = false;
  bool waits_for_room_ = false;
  bool in_body_ = false;
  std::string partial_head_;
  RequestHead head_;
  std::size_t body_left_ = 0;
  Outbox outbox_;
  std::uint64_t stream_ = 0;  // while one is under way
  std::uint32_t deltas_left_ = 0;
};

void Upstream::Port::on_ready(std::uint32_t) {
  for (int fd = accept_from(fd_); fd >= 0; fd = accept_from(fd_)) {
    if (kind_ == Kind::hung) {
      ++upstream_.counters_.hung_connections;
      auto connection = std::make_unique<HungConnection>(upstream_, fd);
      std::size_t& place = connection->place;
      upstream_.adopt(std::move(connection), place);
    } else {
      const Model model = kind_ == Kind::primary ? Model::primary : Model::candidate;
      auto connection = std::make_unique<Connection>(upstream_, model, fd);
      std::size_t& place = connection->place;
      upstream_.adopt(std::move(connection), place);
    }
  }
}

void Upstream::Connection::receive() {
  const std::span<char> scratch = upstream_.loop_.scratch();
  const ssize_t size = ::recv(fd_, scratch.data(), scratch.size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return close();
  if (!take({scratch.data(), static_cast<std::size_t>(size)})) {
    ++upstream_.counters_.malformed;
    close();
  }
}

bool Upstream::Connection::take(std::string_view data) {
  while (!data.empty() && !gone_) {
    if (in_body_) {
      const std::size_t taken = std::min(body_left_, data.size());
      data.remove_prefix(taken);
      body_left_ -= taken;
      if (body_left_ == 0) answer();
      continue;
    }
    // A head split over reads is rare: only then is it copied.
    std::string_view head = data;
    if (!partial_head_.empty()) head = partial_head_.append(data);
    const std::size_t end = head.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (partial_head_.empty()) partial_head_ = data;
      return partial_head_.size() <= kMaxHeadBytes;
    }
    const std::size_t head_size = end + 4;
    if (!begin_request(head.substr(0, head_size))) return false;
    data.remove_prefix(head_size - (head.size() - data.size()));
    partial_head_.clear();
    if (body_left_ == 0) answer();
  }
  return true;
}

bool Upstream::Connection::begin_request(std::string_view head) {
  const std::optional<RequestHead> read = read_head(head);
  if (!read || stream_ != 0) return false;
  head_ = *read;
  body_left_ = read->body_bytes;
  in_body_ = true;
  return true;
}

void Upstream::Connection::answer() {
  in_body_ = false;
  ++(model_ == Model::primary ? upstream_.counters_.primary : upstream_.counters_.candidate);
  upstream_.counters_.sigv4 += head_.sigv4;
  upstream_.counters_.bearer += head_.bearer;
  if (!head_.stream) return send(upstream_.answer(model_, head_.body_bytes).bytes);
  stream_ = ++upstream_.next_stream_;
  upstream_.streams_.emplace(stream_, this);
  deltas_left_ = upstream_.plan_.deltas;
  const Nanoseconds time = now();
  // In one write, as a model's first token comes: the head has waited for it.
  send(std::string(upstream_.stream_begin_).append(upstream_.delta_.stamped(time)));
  --deltas_left_;
  upstream_.due_.push({time + upstream_.plan_.interval, stream_});
}

void Upstream::Connection::send_delta(Nanoseconds time) {
  if (deltas_left_ > 0) {
    --deltas_left_;
    upstream_.due_.push({time + upstream_.plan_.interval, stream_});
    // The time of the write, not of the plan: the age of a chunk is the proxy's doing only.
    return send(upstream_.delta_.stamped(now()));
  }
  upstream_.streams_.erase(stream_);
  stream_ = 0;
  send(upstream_.stream_end_);
}

void Upstream::Connection::send(std::string_view bytes) {
  if (!outbox_.send(fd_, bytes)) return close();
  if (!outbox_.empty() && !std::exchange(waits_for_room_, true)) {
    upstream_.loop_.change(fd_, EPOLLIN | EPOLLOUT, this);
  }
}

bool Upstream::Connection::flush() {
  if (!outbox_.flush(fd_)) return false;
  if (outbox_.empty()) {
    waits_for_room_ = false;
    upstream_.loop_.change(fd_, EPOLLIN, this);
  }
  return true;
}

void Upstream::Connection::close() {
  if (std::exchange(gone_, true)) return;
  upstream_.streams_.erase(stream_);
  upstream_.drop(place);
}

Upstream::Upstream(Loop& loop, std::size_t small_answer_bytes, std::size_t large_answer_bytes)
    : loop_(loop),
      answers_{{converse_answer(Model::primary, small_answer_bytes),
                converse_answer(Model::primary, large_answer_bytes)},
               {converse_answer(Model::candidate, small_answer_bytes),
                converse_answer(Model::candidate, large_answer_bytes)}},
      primary_(std::make_unique<Port>(*this, Port::Kind::primary)),
      candidate_(std::make_unique<Port>(*this, Port::Kind::candidate)),
      hung_(std::make_unique<Port>(*this, Port::Kind::hung)) {
  loop_.schedule(this);
}

Upstream::~Upstream() {
  loop_.unschedule(this);
}

std::uint16_t Upstream::primary_port() const {
  return primary_->number();
}
std::uint16_t Upstream::candidate_port() const {
  return candidate_->number();
}
std::uint16_t Upstream::hung_port() const {
  return hung_->number();
}

const Answer& Upstream::answer(Model model, std::size_t request_body_bytes) const {
  return answers_[model == Model::candidate][request_body_bytes > kLargeFromBytes];
}

std::string_view Upstream::expected_body(std::size_t request_body_bytes) const {
  return answer(Model::primary, request_body_bytes).body();
}

void Upstream::adopt(std::unique_ptr<Watcher> connection, std::size_t& place) {
  if (free_places_.empty()) {
    place = connections_.size();
    connections_.push_back(std::move(connection));
    return;
  }
  place = free_places_.back();
  free_places_.pop_back();
  connections_[place] = std::move(connection);
}

void Upstream::drop(std::size_t place) {
  loop_.bury(std::move(connections_[place]));
  free_places_.push_back(place);
}

Nanoseconds Upstream::next_due() const {
  return due_.empty() ? kNever : due_.top().when;
}

void Upstream::on_due(Nanoseconds time) {
  while (!due_.empty() && due_.top().when <= time) {
    const Due due = due_.top();
    due_.pop();
    const auto stream = streams_.find(due.stream);
    if (stream != streams_.end()) stream->second->send_delta(due.when);
  }
}

}  // namespace understudy::bench
