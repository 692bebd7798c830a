#include "tests/simulator/server.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "tests/simulator/h2_connection.h"
#include "tests/simulator/service_error.h"
#include "tests/simulator/serving.h"

namespace understudy::simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBuffer = std::size_t{64} << 10;
constexpr std::size_t kMaxBuffer = std::size_t{1} << 20;
constexpr std::uint32_t kMaxHead = 64u << 10;
constexpr std::size_t kMaxBatch = std::size_t{64} << 10;

std::string_view reason_of(unsigned status) {
  if (status == 424) return "Failed Dependency";
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

std::string head_of(const Reply& reply, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head.append(reason_of(reply.status)).append("\r\nDate: ").append(http_date());
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append("\r\n").append(name).append(": ").append(value);
  };
  for (const auto& [name, value] : reply.headers) {
    if (equal_ignoring_case(name, "content-type")) add(name, value);
  }
  if (reply.events) {
    add("Transfer-Encoding", "chunked");
  } else {
    add("Content-Length", std::to_string(reply.body.size()));
  }
  add("Connection", keep_alive ? "keep-alive" : "close");
  add("x-amzn-RequestId", request_id());
  for (const auto& [name, value] : reply.headers) {
    if (!equal_ignoring_case(name, "content-type")) add(name, value);
  }
  return head.append("\r\n\r\n");
}

void append_chunk(std::string& out, std::string_view bytes) {
  std::array<char, 16> digits{};
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16);
  out.append(digits.data(), end).append("\r\n").append(bytes).append("\r\n");
}

// True once the client has closed its side; bytes of a next request are not read away.
bool client_left(tcp::socket& socket) {
  char byte = 0;
  return ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

class Connection {
 public:
  Connection(tcp::socket socket, Service& service)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        service_(service),
        buffer_(kMaxBuffer) {
    buffer_.reserve(kReadBuffer);
  }

  asio::awaitable<void> serve() {
    error_code ignored;
    socket_.set_option(tcp::no_delay{true}, ignored);
    service_.log().connected();
    while (co_await serve_one()) {
    }
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

 private:
  // True when the connection may take another request.
  asio::awaitable<bool> serve_one() {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kMaxHead);
    parser.body_limit(service_.config().max_body_bytes);
    auto [head_error, head_bytes] =
        co_await http::async_read_header(socket_, buffer_, parser, kAwait);
    const bool unreadable =
        head_error && head_error.category() == error_code{http::error::bad_method}.category();
    if (unreadable && head_error != http::error::end_of_stream) co_return co_await refuse(400);
    if (head_error) co_return false;
    if (http::token_list{parser.get()[http::field::expect]}.exists("100-continue")) {
      if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
    }
    auto [body_error, body_bytes] = co_await http::async_read(socket_, buffer_, parser, kAwait);
    if (body_error == http::error::body_limit) co_return co_await refuse(413);
    if (body_error) co_return false;

    const bool keep_alive = parser.keep_alive();
    const Answered answered = answer(parser.release());
    InFlight in_flight{service_.log()};
    const bool sent = co_await send(answered.reply, keep_alive, answered.head_request, in_flight);
    co_return sent&& keep_alive&& answered.reply.fault.kind != FaultKind::close_after_reply;
  }

  struct Answered {
    Reply reply;
    bool head_request = false;
  };

  Answered answer(http::request<http::string_body> message) {
    Request request;
    request.method = std::string{message.method_string()};
    request.target = std::string{message.target()};
    for (const auto& field : message) {
      request.headers.emplace_back(std::string{field.name_string()}, std::string{field.value()});
    }
    request.body = std::move(message.body());
    Reply reply = handled(service_, request);
    if (reply.both_ways)
      reply = to_reply({.status = 400,
                        .type = "ValidationException",
                        .message = "This operation needs HTTP/2.",
                        .resource = {}});
    return {std::move(reply), request.method == "HEAD"};
  }

  asio::awaitable<bool> send(const Reply& reply, bool keep_alive, bool head_request,
                             InFlight& in_flight) {
    if (!co_await wait(reply.delay_ms)) co_return false;
    switch (reply.fault.kind) {
      case FaultKind::hang:
        co_return co_await hang();
      case FaultKind::reset:
        co_return reset();
      case FaultKind::garbage_head:
        co_await write("\x16\x03\x01 this is no HTTP\n\n\xff");
        co_return false;
      default:
        break;
    }
    const std::string head = head_of(reply, keep_alive);
    if (reply.fault.kind == FaultKind::close_after_head) {
      co_await write(head);
      co_return false;
    }
    const bool slow = reply.fault.kind == FaultKind::slow_headers;
    if (slow && !co_await write_slowly(head, reply.fault.count)) co_return false;
    const std::string_view pending = slow ? std::string_view{} : std::string_view{head};
    const bool sent = reply.events ? co_await send_events(reply, pending)
                                   : co_await send_body(reply, pending, head_request);
    if (sent) in_flight.complete();
    co_return sent;
  }

  asio::awaitable<bool> send_body(const Reply& reply, std::string_view head, bool head_request) {
    std::string_view body = reply.body;
    if (head_request) body = {};
    const bool cut = reply.fault.kind == FaultKind::truncate_midstream;
    const bool stall = reply.fault.kind == FaultKind::hang_midstream;
    if (cut || stall) body = body.substr(0, body.size() / 2);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
    auto [error, bytes] = co_await asio::async_write(socket_, parts, kAwait);
    if (error || cut) co_return false;
    if (stall) co_return co_await hang();
    co_return true;
  }

  // Events that wait for nothing share a write; one that waits finds everything before it sent.
  asio::awaitable<bool> send_events(const Reply& reply, std::string_view head) {
    std::string batch{head};
    const bool cut = reply.fault.kind == FaultKind::truncate_midstream;
    const bool stall = reply.fault.kind == FaultKind::hang_midstream;
    for (std::uint32_t sent = 0;; ++sent) {
      if ((cut || stall) && sent == reply.fault.count) break;
      const auto event = reply.events();
      if (!event) {
        batch += "0\r\n\r\n";
        co_return co_await write(batch);
      }
      if (event->delay_ms > 0 || batch.size() > kMaxBatch) {
        if (!co_await write(std::exchange(batch, {}))) co_return false;
        if (!co_await wait(event->delay_ms)) co_return false;
      }
      append_chunk(batch, event->bytes);
    }
    if (!co_await write(batch)) co_return false;
    if (stall) co_return co_await hang();
    co_return false;
  }

  asio::awaitable<bool> write(std::string bytes) {
    auto [error, count] = co_await asio::async_write(socket_, asio::buffer(bytes), kAwait);
    co_return !error;
  }

  asio::awaitable<bool> write_slowly(std::string bytes, std::uint32_t ms_per_byte) {
    for (const char byte : bytes) {
      if (!co_await write(std::string(1, byte)) || !co_await wait(ms_per_byte)) co_return false;
    }
    co_return true;
  }

  // False when the client left meanwhile.
  asio::awaitable<bool> wait(double delay_ms) {
    using namespace std::chrono;
    using namespace std::chrono_literals;
    constexpr auto kLook = 250ms;
    const auto deadline = steady_clock::now() + duration_cast<steady_clock::duration>(
                                                    duration<double, std::milli>(delay_ms));
    while (delay_ms > 0 && steady_clock::now() < deadline) {
      timer_.expires_at(std::min(deadline, steady_clock::now() + kLook));
      auto [error] = co_await timer_.async_wait(kAwait);
      if (error || client_left(socket_)) co_return false;
    }
    co_return true;
  }

  // Until the client leaves. Thousands may hang at once, so this sleeps on the socket rather than
  // on a clock.
  asio::awaitable<bool> hang() {
    auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
    constexpr double kDay = 86'400'000;
    if (!error && !client_left(socket_)) co_await wait(kDay);
    co_return false;
  }

  bool reset() {
    error_code ignored;
    socket_.set_option(tcp::socket::linger{true, 0}, ignored);
    socket_.close(ignored);
    return false;
  }

  asio::awaitable<bool> refuse(unsigned status) {
    const Reply reply = to_reply(error_of_status(status, ""));
    co_await write(head_of(reply, false) + reply.body);
    co_return false;
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  Service& service_;
  beast::flat_buffer buffer_;
};

// Looks at the first bytes and leaves them where they are.
asio::awaitable<bool> begins_http2(tcp::socket& socket) {
  std::array<char, kHttp2Preface.size()> first{};
  asio::steady_timer pause{socket.get_executor()};
  while (true) {
    auto [error] = co_await socket.async_wait(tcp::socket::wait_read, kAwait);
    if (error) co_return false;
    const ssize_t got =
        ::recv(socket.native_handle(), first.data(), first.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0) co_return false;
    const std::string_view text{first.data(), static_cast<std::size_t>(got)};
    if (!kHttp2Preface.starts_with(text)) co_return false;
    if (text.size() == kHttp2Preface.size()) co_return true;
    pause.expires_after(std::chrono::milliseconds{5});  // it dribbles in
    co_await pause.async_wait(kAwait);
  }
}

// The connection lives in the coroutine's frame, which the loop destroys when it stops.
asio::awaitable<void> run_connection(tcp::socket socket, Service& service) {
  if (co_await begins_http2(socket)) co_return co_await serve_http2(std::move(socket), service);
  Connection connection{std::move(socket), service};
  co_await connection.serve();
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(Service& service) : service_(service) {
    for (std::uint32_t i = 0; i < std::max(1u, service.config().threads); ++i) {
      loops_.push_back(std::make_unique<asio::io_context>(1));
      guards_.push_back(asio::make_work_guard(*loops_.back()));
    }
    acceptor_ = std::make_unique<tcp::acceptor>(*loops_.front());
    listen();
    asio::co_spawn(*loops_.front(), accept(), ignore_outcome);
    for (auto& loop : loops_) {
      threads_.emplace_back([&loop] { loop->run(); });
    }
  }

  ~Impl() {
    for (auto& loop : loops_) loop->stop();
    for (std::thread& thread : threads_) thread.join();
    acceptor_.reset();
    guards_.clear();
    // The accepting coroutine of the first loop holds a socket of another: it goes first.
    for (auto& loop : loops_) loop.reset();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  // A connection that throws (out of memory) ends alone.
  static void ignore_outcome(std::exception_ptr) {}

  void listen() {
    const Config& config = service_.config();
    error_code error;
    const auto address = asio::ip::make_address(config.address, error);
    const tcp::endpoint endpoint{address, config.port};
    if (!error) acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(tcp::acceptor::reuse_address{true}, error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(tcp::acceptor::max_listen_connections, error);
    if (error) {
      throw std::runtime_error("cannot listen on " + config.address + ":" +
                               std::to_string(config.port) + ": " + error.message());
    }
    port_ = acceptor_->local_endpoint().port();
  }

  asio::awaitable<void> accept() {
    asio::steady_timer pause{*loops_.front()};
    for (std::size_t next = 0;; next = (next + 1) % loops_.size()) {
      tcp::socket socket{*loops_[next]};
      auto [error] = co_await acceptor_->async_accept(socket, kAwait);
      if (error) {  // out of descriptors: the listener stays readable, so do not spin
        pause.expires_after(std::chrono::milliseconds{50});
        co_await pause.async_wait(kAwait);
        continue;
      }
      asio::co_spawn(*loops_[next], run_connection(std::move(socket), service_), ignore_outcome);
    }
  }

  Service& service_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<asio::io_context>> loops_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::vector<std::thread> threads_;
};

Server::Server(Service& service) : impl_(std::make_unique<Impl>(service)) {}
Server::~Server() = default;

std::uint16_t Server::port() const {
  return impl_->port();
}

}  // namespace understudy::simulator
