#include "proxy/commands/admin_client.h"

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
  const auto [not_resolved, addresses] = co_await resolver.async_resolve(
      call.endpoint.host, std::to_string(call.endpoint.port), kAsTuple);
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

Result<AdminAnswer> ask_admin(const AdminAccess& access, std::string_view method,
                              std::string_view target) {
  const auto endpoint = routing::parse_endpoint(access.url);
  if (!endpoint.value) {
    return Error{ErrorKind::internal, Side::internal,
                 "'" + access.url + "' is no address of an admin port: it " + endpoint.problem};
  }
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

std::string option(const Options& options, std::string_view name) {
  const auto found = options.values.find(name);
  return found == options.values.end() ? std::string{} : found->second;
}

AdminAccess access_to(const Options& options, const std::string& url) {
  return {
      .url = url, .token_file = option(options, "token-file"), .ca_file = option(options, "ca")};
}

Result<std::string> get_from_admin(const Options& options, const std::string& url,
                                   std::string_view target) {
  const auto bad = [&url](const std::string& what) {
    return Error{ErrorKind::bad_message, Side::upstream, url + ": " + what};
  };
  auto answer = ask_admin(access_to(options, url), "GET", target);
  if (!answer) return answer.error();
  if (answer->status == 401 || answer->status == 403)
    return bad("it refuses us; does it want a --token-file?");
  if (answer->status != 200) return bad("it answered " + std::to_string(answer->status));
  return std::move(answer->body);
}

}  // namespace understudy::proxy
