#include "tests/support/fake_bedrock.h"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/support/http_text.h"

namespace understudy::testing_support {

std::string FakeRequest::method() const {
  return head.substr(0, head.find(' '));
}
std::string FakeRequest::target() const {
  const std::size_t begin = head.find(' ') + 1;
  return head.substr(begin, head.find(' ', begin) - begin);
}
std::string FakeRequest::field(std::string_view name) const {
  return field_of(head, name).value_or("");
}
bool FakeRequest::has(std::string_view name) const {
  return field_of(head, name).has_value();
}

bool FakePeer::send(std::string_view bytes) {
  return socket_.write(bytes);
}
void FakePeer::close() {
  socket_.end_writing();
  // What is unread would turn the end into a reset.
  std::string rest;
  while (socket_.read(rest) == Socket::Read::data) rest.clear();
  socket_.shut_down();
}
void FakePeer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
void FakePeer::hang() {
  std::string rest;
  while (true) {
    const auto read = socket_.read(rest);
    if (read == Socket::Read::end || read == Socket::Read::reset) return;
    rest.clear();
  }
}

FakeBedrock::FakeBedrock(Script script)
    : script_(std::move(script)), listener_(Socket::listen(port_)) {
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakeBedrock::~FakeBedrock() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Line& line : lines_) line.socket.shut_down();
  }
  listener_.shut_down();
  acceptor_.join();
  for (Line& line : lines_) line.thread.join();
}

std::unique_ptr<FakeBedrock> FakeBedrock::replies(std::string body) {
  return sends(answer(body));
}
std::unique_ptr<FakeBedrock> FakeBedrock::sends(std::string bytes) {
  return std::make_unique<FakeBedrock>(
      [bytes = std::move(bytes)](const FakeRequest&, FakePeer& peer) { peer.send(bytes); });
}
std::unique_ptr<FakeBedrock> FakeBedrock::never_replies() {
  return std::make_unique<FakeBedrock>([](const FakeRequest&, FakePeer& peer) { peer.hang(); });
}

void FakeBedrock::accept_loop() {
  for (std::size_t number = 1;; ++number) {
    Socket socket(::accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (socket.descriptor() < 0) continue;
    socket.set_patience(kPatience);
    Line& line = lines_.emplace_back();
    line.socket = std::move(socket);
    ++open_;
    line.thread = std::thread([this, &line, number] { serve(line, number); });
    changed_.notify_all();
  }
}

void FakeBedrock::serve(Line& line, std::size_t number) {
  std::string received;
  FakePeer peer(line.socket);
  const auto fill = [&] {
    const auto read = line.socket.read(received);
    return read == Socket::Read::data || read == Socket::Read::timeout;
  };
  bool alive = true;
  while (alive) {
    std::size_t head_end = std::string::npos;
    while (alive && (head_end = received.find("\r\n\r\n")) == std::string::npos) alive = fill();
    if (!alive) break;
    FakeRequest request{.head = received.substr(0, head_end + 4), .body = {}, .connection = number};
    received.erase(0, head_end + 4);
    const std::size_t length = std::stoul(field_of(request.head, "content-length").value_or("0"));
    received.reserve(length);
    while (alive && received.size() < length) alive = fill();
    if (!alive) break;
    request.body = received.substr(0, length);
    received.erase(0, length);
    {
      const std::lock_guard lock(mutex_);
      line.busy = true;
      requests_.push_back(request);
    }
    changed_.notify_all();
    script_(request, peer);
    const std::lock_guard lock(mutex_);
    line.busy = false;
    linger how{};
    socklen_t size = sizeof how;
    ::getsockopt(line.socket.descriptor(), SOL_SOCKET, SO_LINGER, &how, &size);
    alive = how.l_onoff == 0;
  }
  const std::lock_guard lock(mutex_);
  line.socket.close();
  --open_;
  changed_.notify_all();
}

std::vector<FakeRequest> FakeBedrock::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}
FakeRequest FakeBedrock::request(std::size_t index) const {
  if (!wait_for_requests(index + 1)) throw std::runtime_error("the upstream saw no such request");
  const std::lock_guard lock(mutex_);
  return requests_[index];
}
std::size_t FakeBedrock::count() const {
  const std::lock_guard lock(mutex_);
  return requests_.size();
}
bool FakeBedrock::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return requests_.size() >= count; });
}
std::size_t FakeBedrock::connections() const {
  const std::lock_guard lock(mutex_);
  return lines_.size();
}
std::size_t FakeBedrock::open_connections() const {
  const std::lock_guard lock(mutex_);
  return open_;
}
bool FakeBedrock::wait_for_open_connections(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return open_ == count; });
}
void FakeBedrock::close_idle_connections() {
  std::unique_lock lock(mutex_);
  std::size_t busy = 0;
  for (Line& line : lines_) {
    if (line.busy) {
      ++busy;
    } else {
      line.socket.shut_down();
    }
  }
  changed_.wait_for(lock, kPatience, [&] { return open_ <= busy; });
}

std::uint16_t refusing_port() {
  std::uint16_t port = 0;
  Socket::listen(port).close();
  return port;
}

std::string answer(std::string_view body, std::string_view status, std::string_view more_fields) {
  std::string bytes = "HTTP/1.1 ";
  bytes.append(status).append("\r\ncontent-type: application/json\r\n").append(more_fields);
  bytes.append("content-length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return bytes.append(body);
}

std::string as_chunk(std::string_view data) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, data.size(), 16).ptr;
  std::string chunk(digits, end);
  return chunk.append("\r\n").append(data).append("\r\n");
}

std::string chunked_answer(std::string_view body, std::size_t chunk) {
  std::string bytes =
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
  for (; !body.empty(); body.remove_prefix(std::min(chunk, body.size())))
    bytes.append(as_chunk(body.substr(0, chunk)));
  return bytes.append("0\r\n\r\n");
}

std::string converse_answer(std::string_view text) {
  using nlohmann::json;
  return json{
      {"output",
       {{"message", {{"role", "assistant"}, {"content", json::array({json{{"text", text}}})}}}}},
      {"stopReason", "end_turn"},
      {"usage", {{"inputTokens", 10}, {"outputTokens", 5}, {"totalTokens", 15}}},
      {"metrics", {{"latencyMs", 12}}}}
      .dump();
}

std::string noise(std::size_t size, std::uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1'664'525u + 1'013'904'223u;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}
bool Gate::wait() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [this] { return open_; });
}

}  // namespace understudy::testing_support
