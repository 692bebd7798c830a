#include "proxy/admin.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "proxy/log.h"
#include "proxy/tls.h"

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
constexpr auto kTimeout = 10s;  // for a handshake, for a whole request, and for the whole answer
constexpr auto kEndTimeout = 2s;
constexpr auto kAcceptPause = 100ms;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using PlainStream = beast::tcp_stream;
using EncryptedStream = beast::ssl_stream<beast::tcp_stream>;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

template <typename Name>
std::vector<std::string_view> values_of(const Request& request, Name name) {
  std::vector<std::string_view> values;
  const auto [first, last] = request.equal_range(name);
  for (auto field = first; field != last; ++field) values.push_back(view(field->value()));
  return values;
}

// What a session knows of where it came in.
struct Door {
  std::uint16_t port = 0;
  bool read_only = false;
  bool tls = false;
  std::string local_address;  // without a port; that of this connection
};

// Where sessions get their answers.
struct Desk {
  const AdminSources& sources;
  asio::thread_pool& slow;  // one thread, for what may wait
};

template <typename Make>
AdminReply safely(const Make& make) {
  try {
    return make();
  } catch (const std::exception& failure) {
    log_error("admin_failed", {{"why", failure.what()}});
    AdminReply reply;
    reply.status = 500;
    reply.body = error_json("internal error");
    return reply;
  }
}

AdminReply safe_answer(const Request& request, const Door& door, const AdminSources& sources) {
  return safely([&] {
    const AdminRequest asked{.method = view(request.method_string()),
                             .target = view(request.target()),
                             .hosts = values_of(request, http::field::host),
                             .origins = values_of(request, http::field::origin),
                             .fetch_sites = values_of(request, "Sec-Fetch-Site"),
                             .authorizations = values_of(request, http::field::authorization),
                             .body = request.body(),
                             .local_address = door.local_address,
                             .tls = door.tls};
    return door.read_only ? read_only_answer(asked, sources) : answer(asked, door.port, sources);
  });
}

Response to_response(AdminReply reply, unsigned version, bool keep_alive) {
  Response response{http::int_to_status(reply.status), version};
  response.set(http::field::content_type,
               beast::string_view(reply.content_type.data(), reply.content_type.size()));
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  if (reply.status == 401) response.set(http::field::www_authenticate, "Bearer");
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
template <typename Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
 public:
  // `kept` lives as long: the connection's place, and what its stream refers to.
  Session(Stream stream, Door door, Desk desk, std::vector<std::shared_ptr<const void>> kept)
      : kept_(std::move(kept)), stream_(std::move(stream)), door_(std::move(door)), desk_(desk) {}

  void start() {
    if constexpr (kEncrypted) {
      lowest().expires_after(kTimeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](error_code error) {
                                if (!error) self->read();
                              });
    } else {
      read();
    }
  }

 private:
  static constexpr bool kEncrypted = std::is_same_v<Stream, EncryptedStream>;

  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(kMaxBodyBytes);
    lowest().expires_after(kTimeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

  void on_read(error_code error) {
    if (error) {
      if (auto reply = reply_to_unreadable(error)) write(to_response(std::move(*reply), 11, false));
      return;
    }
    const Request request = parser_->release();
    AdminReply reply = safe_answer(request, door_, desk_.sources);
    if (reply.later) return write_later(std::move(reply.later), request);
    write(to_response(std::move(reply), request.version(), request.keep_alive()));
  }

  // The session returns to its own thread with the answer, and may end only there.
  void write_later(std::function<AdminReply()> make, const Request& request) {
    asio::post(desk_.slow, [self = this->shared_from_this(), make = std::move(make),
                            version = request.version(), alive = request.keep_alive()]() mutable {
      Response response = to_response(safely(make), version, alive);
      const auto home = self->stream_.get_executor();
      asio::post(home, [self = std::move(self), response = std::move(response)]() mutable {
        self->write(std::move(response));
      });
    });
  }

  void write(Response response) {
    response_ = std::move(response);
    lowest().expires_after(kTimeout);
    http::async_write(stream_, response_,
                      [self = this->shared_from_this()](error_code error, std::size_t) {
                        self->on_written(error);
                      });
  }

  void on_written(error_code error) {
    if (error) return;
    if (response_.keep_alive()) return read();
    if constexpr (kEncrypted) {
      lowest().expires_after(kEndTimeout);
      stream_.async_shutdown([self = this->shared_from_this()](error_code) {});
    } else {
      stream_.socket().shutdown(tcp::socket::shutdown_send, error);
    }
  }

  const std::vector<std::shared_ptr<const void>> kept_;
  Stream stream_;
  // A bound of its own: the parser's limits do not cover what is read ahead.
  beast::flat_buffer buffer_{kMaxHeaderBytes + kMaxBodyBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  Response response_;
  const Door door_;
  const Desk desk_;
};

// One listening socket with a bound of its own. Runs on the admin thread, once that runs.
class Gate {
 public:
  Gate(asio::io_context& loop, Desk desk, std::size_t max_connections, bool read_only)
      : desk_(desk),
        max_connections_(max_connections),
        read_only_(read_only),
        acceptor_(loop),
        pause_(loop) {}

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
  }

  std::uint16_t port() const noexcept { return port_; }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return accept_later();
      if (*connections_ < max_connections_) {
        begin(std::move(socket));
      } else {
        desk_.sources.refused(read_only_ ? "admin.read_only.max_connections"
                                         : "admin.max_connections");
      }
      accept();
    });
  }

  void begin(tcp::socket socket) {
    ++*connections_;
    std::vector<std::shared_ptr<const void>> kept;
    // Gives the connection's place back; sessions may outlive the gate, with the loop.
    kept.push_back(std::shared_ptr<void>(nullptr, [counted = connections_](void*) { --*counted; }));
    error_code error;
    const auto local = socket.local_endpoint(error).address();
    Door door{.port = port_, .read_only = read_only_, .tls = false, .local_address = {}};
    door.local_address = local.is_v6() && local.to_v6().is_v4_mapped()
                             ? make_address_v4(asio::ip::v4_mapped, local.to_v6()).to_string()
                             : local.to_string();
    const auto tls = read_only_ ? nullptr : desk_.sources.snapshot()->admin.tls;
    if (!tls) {
      std::make_shared<Session<PlainStream>>(PlainStream(std::move(socket)), std::move(door), desk_,
                                             std::move(kept))
          ->start();
      return;
    }
    door.tls = true;
    auto context = asio_context_of(*tls);
    kept.push_back(tls);
    kept.push_back(context);
    std::make_shared<Session<EncryptedStream>>(
        EncryptedStream(PlainStream(std::move(socket)), *context), std::move(door), desk_,
        std::move(kept))
        ->start();
  }

  // Out of descriptors, most likely: accepting again at once would spin.
  void accept_later() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  const Desk desk_;
  const std::size_t max_connections_;
  const bool read_only_;
  std::uint16_t port_ = 0;
  const std::shared_ptr<std::size_t> connections_ = std::make_shared<std::size_t>(0);
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
};

}  // namespace

struct Admin::Impl {
  Impl(const routing::AdminConfig& config, AdminSources sources)
      : sources_(std::move(sources)), main_(loop_, desk_, config.max_connections, false) {
    if (config.read_only) read_only_.emplace(loop_, desk_, config.read_only->max_connections, true);
  }

  ~Impl() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void run() {
    thread_ = std::thread([this] { loop_.run(); });
  }

  const AdminSources sources_;
  asio::io_context loop_{1};
  asio::thread_pool slow_{1};  // ends before the loop, whose sessions its work holds
  const Desk desk_{sources_, slow_};
  Gate main_;
  std::optional<Gate> read_only_;
  std::thread thread_;
};

namespace {

Status listen(Gate& gate, std::string_view key, const routing::Address& address) {
  try {
    gate.listen(address);
    return {};
  } catch (const std::exception& failure) {
    return Error{.kind = ErrorKind::connect,
                 .side = Side::internal,
                 .context = std::string(key) + ": cannot listen on " + address.host + ":" +
                            std::to_string(address.port) + ": " + failure.what()};
  }
}

}  // namespace

Result<std::unique_ptr<Admin>> Admin::start(const routing::AdminConfig& config,
                                            AdminSources sources) {
  auto impl = std::make_unique<Impl>(config, std::move(sources));
  if (auto bound = listen(impl->main_, "admin.address", config.address); !bound)
    return bound.error();
  if (config.read_only) {
    auto bound = listen(*impl->read_only_, "admin.read_only.address", config.read_only->address);
    if (!bound) return bound.error();
  }
  impl->run();
  return std::unique_ptr<Admin>(new Admin(std::move(impl)));
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::~Admin() = default;

std::uint16_t Admin::port() const noexcept {
  return impl_->main_.port();
}

std::uint16_t Admin::read_only_port() const noexcept {
  return impl_->read_only_ ? impl_->read_only_->port() : 0;
}

}  // namespace understudy::proxy
