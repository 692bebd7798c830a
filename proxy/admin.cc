#include "proxy/admin.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "proxy/log.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

constexpr std::uint32_t kMaxHeaderBytes = 16u << 10;
constexpr std::size_t kMaxBodyBytes = 64u << 10;
constexpr std::size_t kMaxConnections = 64;
constexpr auto kTimeout = 10s;  // for a whole request, and for the whole answer
constexpr auto kAcceptPause = 100ms;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

std::vector<std::string_view> values_of(const Request& request, http::field name) {
  std::vector<std::string_view> values;
  const auto [first, last] = request.equal_range(name);
  for (auto field = first; field != last; ++field) values.push_back(view(field->value()));
  return values;
}

AdminReply safe_answer(const Request& request, std::uint16_t port, const AdminSources& sources) {
  try {
    return answer({.method = view(request.method_string()),
                   .target = view(request.target()),
                   .hosts = values_of(request, http::field::host),
                   .origins = values_of(request, http::field::origin)},
                  port, sources);
  } catch (const std::exception& failure) {
    log_error("admin_failed", {{"why", failure.what()}});
    AdminReply reply;
    reply.status = 500;
    reply.body = error_json("internal error");
    return reply;
  }
}

Response to_response(AdminReply reply, unsigned version, bool keep_alive) {
  Response response{http::int_to_status(reply.status), version};
  response.set(http::field::content_type,
               beast::string_view(reply.content_type.data(), reply.content_type.size()));
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  if (!reply.allow.empty())
    response.set(http::field::allow, beast::string_view(reply.allow.data(), reply.allow.size()));
  if (!reply.content_security_policy.empty())
    response.set("Content-Security-Policy", reply.content_security_policy);
  response.body() = std::move(reply.body);
  response.keep_alive(keep_alive);
  response.prepare_payload();
  return response;
}

// What a request that Beast could not read is told; none where nobody would hear it.
std::optional<AdminReply> reply_to_unreadable(error_code error) {
  unsigned status = 400;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) status = 431;
  if (error == http::error::body_limit) status = 413;
  if (error == http::error::end_of_stream || error == beast::error::timeout ||
      error.category() != http::make_error_code(http::error::end_of_stream).category()) {
    return std::nullopt;
  }
  AdminReply reply;
  reply.status = status;
  reply.body = error_json(error.message());
  return reply;
}

// One connection; keeps itself alive by the handlers under way. Runs on the admin thread alone.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, std::uint16_t port, const AdminSources& sources,
          std::shared_ptr<void> slot)
      : stream_(std::move(socket)), port_(port), sources_(sources), slot_(std::move(slot)) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(kMaxBodyBytes);
    stream_.expires_after(kTimeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

 private:
  void on_read(error_code error) {
    if (error) {
      if (auto reply = reply_to_unreadable(error)) write(to_response(std::move(*reply), 11, false));
      return;
    }
    const Request request = parser_->release();
    write(to_response(safe_answer(request, port_, sources_), request.version(),
                      request.keep_alive()));
  }

  void write(Response response) {
    response_ = std::move(response);
    stream_.expires_after(kTimeout);
    http::async_write(
        stream_, response_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
  }

  void on_written(error_code error) {
    if (error) return;
    if (response_.keep_alive()) return read();
    stream_.socket().shutdown(tcp::socket::shutdown_send, error);
  }

  beast::tcp_stream stream_;
  // A bound of its own: the parser's limits do not cover what is read ahead.
  beast::flat_buffer buffer_{kMaxHeaderBytes + kMaxBodyBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  Response response_;
  const std::uint16_t port_;
  const AdminSources& sources_;
  const std::shared_ptr<void> slot_;  // gives the connection's place back
};

}  // namespace

struct Admin::Impl {
  explicit Impl(AdminSources sources) : sources_(std::move(sources)) {}

  ~Impl() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // Throws boost::system::system_error.
  void listen(const routing::Address& address) {
    const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
    const tcp::endpoint endpoint(asio::ip::make_address(host), address.port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    accept();
    thread_ = std::thread([this] { loop_.run(); });
  }

  std::uint16_t port() const noexcept { return port_; }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return accept_later();
      if (connections_ < kMaxConnections) {
        ++connections_;
        std::shared_ptr<void> slot(this, [](Impl* impl) { --impl->connections_; });
        std::make_shared<Session>(std::move(socket), port_, sources_, std::move(slot))->read();
      }
      accept();
    });
  }

  // Out of descriptors, most likely: accepting again at once would spin.
  void accept_later() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  const AdminSources sources_;
  std::uint16_t port_ = 0;
  // The admin thread's, once it runs:
  std::size_t connections_ = 0;
  // Behind connections_: sessions that end with the loop still count down.
  asio::io_context loop_{1};
  tcp::acceptor acceptor_{loop_};
  asio::steady_timer pause_{loop_};

  std::thread thread_;
};

Result<std::unique_ptr<Admin>> Admin::start(const routing::Address& address, AdminSources sources) {
  auto impl = std::make_unique<Impl>(std::move(sources));
  try {
    impl->listen(address);
  } catch (const std::exception& failure) {
    return Error{.kind = ErrorKind::connect,
                 .side = Side::internal,
                 .context = "admin.address: cannot listen on " + address.host + ":" +
                            std::to_string(address.port) + ": " + failure.what()};
  }
  return std::unique_ptr<Admin>(new Admin(std::move(impl)));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

std::uint16_t Admin::port() const noexcept {
  return impl_->port();
}

}  // namespace understudy::proxy
