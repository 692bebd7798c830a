#include "proxy/http_call.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>

#include "proxy/field_text.h"
#include "proxy/task.h"
#include "proxy/tls.h"
#include "proxy/transport.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Request = http::request<http::string_body>;
using Answer = http::response<http::string_body>;

constexpr std::size_t kMaxHeadBytes = 64u << 10;

struct Running {
  const HttpCall& call;
  Request request;
  Answer answer{};
  std::optional<Error> problem{};
  bool done = false;

  void fail(ErrorKind kind, const std::string& what) {
    problem = Error{kind, Side::upstream, what};
  }
};

// "[::1]" is written with brackets in a URL only.
std::string bare(const std::string& host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

template <typename Stream>
Task<boost::system::error_code> exchange(Stream& stream, Running& running) {
  const auto [write_error, written] = co_await http::async_write(stream, running.request, kAsTuple);
  if (write_error) co_return write_error;
  boost::beast::flat_buffer buffer(kMaxHeadBytes + running.call.max_answer_bytes);
  http::response_parser<http::string_body> parser;
  parser.header_limit(kMaxHeadBytes);
  parser.body_limit(running.call.max_answer_bytes);
  const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAsTuple);
  if (!read_error) running.answer = parser.release();
  co_return read_error;
}

Task<void> run_tls(asio::ip::tcp::socket socket, Running& running) {
  auto context = make_client_tls(running.call.ca_file);
  if (!context) co_return running.fail(ErrorKind::tls, context.error().context);
  if (!running.call.certificate_file.empty()) {
    if (const auto presented =
            present_certificate(**context, running.call.certificate_file, running.call.key_file);
        !presented)
      co_return running.fail(ErrorKind::tls, presented.error().context);
  }
  auto session = make_client_session(**context, running.call.endpoint.host);
  if (!session) co_return running.fail(ErrorKind::tls, session.error().context);
  asio::ssl::stream<asio::ip::tcp::socket> stream(std::move(socket), session->release());
  const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (error) co_return running.fail(ErrorKind::tls, "TLS: " + error.message());
  if (const auto failed = co_await exchange(stream, running))
    running.fail(ErrorKind::closed, failed.message());
}

Task<void> run(asio::io_context& context, Running& running) {
  const routing::Endpoint& endpoint = running.call.endpoint;
  asio::ip::tcp::resolver resolver(context);
  // Named before it is awaited: g++ 12 destroys the temporaries of a conditional there twice.
  const std::string host =
      running.call.address.empty() ? bare(endpoint.host) : running.call.address;
  const std::string port = std::to_string(endpoint.port);
  const auto [not_resolved, addresses] = co_await resolver.async_resolve(host, port, kAsTuple);
  if (not_resolved) co_return running.fail(ErrorKind::resolve, not_resolved.message());
  asio::ip::tcp::socket socket(context);
  const auto [refused, address] = co_await asio::async_connect(socket, addresses, kAsTuple);
  if (refused) co_return running.fail(ErrorKind::connect, refused.message());
  if (endpoint.tls) co_return co_await run_tls(std::move(socket), running);
  if (const auto failed = co_await exchange(socket, running))
    running.fail(ErrorKind::closed, failed.message());
}

// Beast writes what it is given, line ends included.
bool can_be_written(const HttpCall& call) {
  return is_visible_ascii(call.endpoint.path + call.target) && is_field_value(call.endpoint.host) &&
         is_field_value(call.content_type) &&
         std::ranges::all_of(call.fields,
                             [](const auto& field) { return is_field(field.first, field.second); });
}

Request request_of(const HttpCall& call) {
  const routing::Endpoint& endpoint = call.endpoint;
  Request request(http::string_to_verb(call.method), endpoint.path + call.target, 11);
  request.set(http::field::host, endpoint.host + ":" + std::to_string(endpoint.port));
  request.set(http::field::user_agent, "understudy");
  request.set(http::field::connection, "close");
  for (const auto& [name, value] : call.fields) request.set(name, value);
  if (!call.content_type.empty()) request.set(http::field::content_type, call.content_type);
  request.body() = call.body;
  request.prepare_payload();
  return request;
}

}  // namespace

Result<HttpAnswer> call_http(const HttpCall& call) {
  if (!can_be_written(call)) {
    return Error{ErrorKind::bad_message, Side::internal,
                 "the request holds what no target or header may"};
  }
  Running running{.call = call, .request = request_of(call)};
  asio::io_context context;
  spawn(context, run(context, running), [&running](std::exception_ptr failure) {
    if (failure) running.fail(ErrorKind::internal, "not enough memory");
    running.done = true;
  });
  context.run_for(call.timeout);
  if (!running.done) {
    return Error{ErrorKind::timeout, Side::upstream,
                 "no answer within " + std::to_string(call.timeout.count()) + " ms"};
  }
  if (running.problem) return *running.problem;
  return HttpAnswer{running.answer.result_int(), std::move(running.answer.body())};
}

Result<std::vector<std::string>> addresses_of(const routing::Endpoint& endpoint) {
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found = resolver.resolve(bare(endpoint.host), std::to_string(endpoint.port), error);
  if (error) return Error{ErrorKind::resolve, Side::upstream, error.message()};
  std::vector<std::string> addresses;
  for (const auto& entry : found) {
    std::string address = entry.endpoint().address().to_string();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(std::move(address));
  }
  return addresses;
}

}  // namespace understudy::proxy
