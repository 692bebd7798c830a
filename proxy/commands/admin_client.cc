#include "proxy/commands/admin_client.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <fstream>
#include <iterator>
#include <optional>

#include "proxy/tls.h"
#include "proxy/transport.h"
#include "routing/config_values.h"

namespace understudy::proxy {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Request = http::request<http::empty_body>;
using Answer = http::response<http::string_body>;

constexpr std::size_t kMaxHeadBytes = 64u << 10;
constexpr std::size_t kMaxBodyBytes = 64u << 20;

Result<std::string> read_token(const std::string& file) {
  std::ifstream in(file);
  if (!in) {
    return Error{ErrorKind::credentials, Side::internal,
                 "the token file " + file + " cannot be read"};
  }
  std::string token(std::istreambuf_iterator<char>(in), {});
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  return token;
}

// "[::1]" is written with brackets in a URL only.
std::string bare(const std::string& host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

Error no_address(const AdminAccess& access, const std::string& problem) {
  return {ErrorKind::internal, Side::internal,
          "'" + access.url + "' is no address of an admin port: it " + problem};
}

template <typename Stream>
asio::awaitable<boost::system::error_code> exchange(Stream& stream, const Request& request,
                                                    Answer& answer) {
  const auto [write_error, written] = co_await http::async_write(stream, request, kAsTuple);
  if (write_error) co_return write_error;
  boost::beast::flat_buffer buffer(kMaxHeadBytes + kMaxBodyBytes);
  http::response_parser<http::string_body> parser;
  parser.header_limit(kMaxHeadBytes);
  parser.body_limit(kMaxBodyBytes);
  const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAsTuple);
  if (!read_error) answer = parser.release();
  co_return read_error;
}

struct Call {
  const routing::Endpoint endpoint;
  const AdminAccess& access;
  Request request;
  Answer answer;
  std::optional<Error> problem;
  bool done = false;

  void fail(ErrorKind kind, const std::string& what) {
    problem = Error{kind, Side::upstream, access.url + ": " + what};
  }
};

asio::awaitable<void> run_tls(asio::ip::tcp::socket socket, Call& call) {
  auto context = make_client_tls(call.access.ca_file);
  if (!context) co_return call.fail(ErrorKind::tls, context.error().context);
  auto stream = make_client_stream(std::move(socket), **context, call.endpoint.host);
  if (!stream) co_return call.fail(ErrorKind::tls, stream.error().context);
  const auto [error] =
      co_await (*stream)->async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (error) co_return call.fail(ErrorKind::tls, "TLS: " + error.message());
  if (const auto failed = co_await exchange(**stream, call.request, call.answer))
    call.fail(ErrorKind::closed, failed.message());
}

asio::awaitable<void> run_call(asio::io_context& context, Call& call) {
  asio::ip::tcp::resolver resolver(context);
  // Named before it is awaited: g++ 12 destroys the temporaries of a conditional there twice.
  const std::string host =
      call.access.address.empty() ? bare(call.endpoint.host) : call.access.address;
  const std::string port = std::to_string(call.endpoint.port);
  const auto [not_resolved, addresses] = co_await resolver.async_resolve(host, port, kAsTuple);
  if (not_resolved) co_return call.fail(ErrorKind::resolve, not_resolved.message());
  asio::ip::tcp::socket socket(context);
  const auto [refused, address] = co_await asio::async_connect(socket, addresses, kAsTuple);
  if (refused) {
    co_return call.fail(ErrorKind::connect, refused.message() +
                                                "; is the proxy running, and is this the `admin` "
                                                "address of its config?");
  }
  if (call.endpoint.tls) co_return co_await run_tls(std::move(socket), call);
  if (const auto failed = co_await exchange(socket, call.request, call.answer))
    call.fail(ErrorKind::closed, failed.message());
}

}  // namespace

Result<std::vector<std::string>> admin_addresses(const AdminAccess& access) {
  const auto endpoint = routing::parse_endpoint(access.url);
  if (!endpoint.value) return no_address(access, endpoint.problem);
  if (endpoint.value->host == "localhost") return std::vector<std::string>{""};
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found =
      resolver.resolve(bare(endpoint.value->host), std::to_string(endpoint.value->port), error);
  if (error) return Error{ErrorKind::resolve, Side::upstream, access.url + ": " + error.message()};
  std::vector<std::string> addresses;
  for (const auto& entry : found) {
    std::string address = entry.endpoint().address().to_string();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(std::move(address));
  }
  return addresses;
}

Result<AdminAnswer> ask_admin(const AdminAccess& access, std::string_view method,
                              std::string_view target) {
  const auto endpoint = routing::parse_endpoint(access.url);
  if (!endpoint.value) return no_address(access, endpoint.problem);
  Call call{
      .endpoint = *endpoint.value,
      .access = access,
      .request = {http::string_to_verb(method), endpoint.value->path + std::string(target), 11},
      .answer = {},
      .problem = {},
      .done = false};
  call.request.set(http::field::host,
                   call.endpoint.host + ":" + std::to_string(call.endpoint.port));
  call.request.set(http::field::connection, "close");
  if (!access.token_file.empty()) {
    auto token = read_token(access.token_file);
    if (!token) return token.error();
    call.request.set(http::field::authorization, "Bearer " + *token);
  }
  asio::io_context context;
  asio::co_spawn(context, run_call(context, call), [&call](std::exception_ptr failure) {
    if (failure) call.fail(ErrorKind::internal, "not enough memory");
    call.done = true;
  });
  context.run_for(access.timeout);
  if (!call.done) {
    return Error{
        ErrorKind::timeout, Side::upstream,
        access.url + ": no answer within " + std::to_string(access.timeout.count()) + " seconds"};
  }
  if (call.problem) return *call.problem;
  return AdminAnswer{call.answer.result_int(), std::move(call.answer.body())};
}

}  // namespace understudy::proxy
