#include "proxy/commands/admin_client.h"

#include "proxy/http_call.h"
#include "proxy/read_file.h"
#include "routing/config_values.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;

Result<std::string> read_token(const std::string& file) {
  auto token = read_file(file, kMaxTokenBytes);
  if (!token) {
    return Error{ErrorKind::credentials, Side::internal,
                 "the token file " + file + " cannot be read, or is no token's"};
  }
  trim_end(*token);
  return std::move(*token);
}

Result<routing::Endpoint> endpoint_of(const AdminAccess& access) {
  auto endpoint = routing::parse_endpoint(access.url);
  if (endpoint.value) return std::move(*endpoint.value);
  return Error{ErrorKind::internal, Side::internal,
               "'" + access.url + "' is no address of an admin port: it " + endpoint.problem};
}

Error at(const AdminAccess& access, const Error& error) {
  std::string context = access.url + ": " + error.context;
  if (error.kind == ErrorKind::connect)
    context += "; is the proxy running, and is this the `admin` address of its config?";
  // TLS 1.3 lets a client finish its handshake before it is told.
  if (error.context.find("certificate required") != std::string::npos)
    context += "; it asks who you are: give --certificate and --key";
  return {error.kind, error.side, std::move(context)};
}

}  // namespace

Result<std::vector<std::string>> admin_addresses(const AdminAccess& access) {
  const auto endpoint = endpoint_of(access);
  if (!endpoint) return endpoint.error();
  if (endpoint->host == "localhost") return std::vector<std::string>{""};
  auto addresses = addresses_of(*endpoint);
  if (!addresses) return at(access, addresses.error());
  return addresses;
}

Result<AdminAnswer> ask_admin(const AdminAccess& access, std::string_view method,
                              std::string_view target) {
  const auto endpoint = endpoint_of(access);
  if (!endpoint) return endpoint.error();
  if (access.certificate_file.empty() && !access.key_file.empty())
    return Error{ErrorKind::tls, Side::internal, "--key goes with --certificate: whose key is it?"};
  HttpCall call{.endpoint = *endpoint,
                .method = std::string(method),
                .target = std::string(target),
                .address = access.address,
                .ca_file = access.ca_file,
                .certificate_file = access.certificate_file,
                .key_file = access.key_file.empty() ? access.certificate_file : access.key_file,
                .timeout = access.timeout};
  if (!access.token_file.empty()) {
    auto token = read_token(access.token_file);
    if (!token) return token.error();
    call.fields.emplace_back("Authorization", "Bearer " + *token);
  }
  auto answer = call_http(call);
  if (!answer) return at(access, answer.error());
  return AdminAnswer{answer->status, std::move(answer->body)};
}

std::vector<Option> with_access_options(std::vector<Option> own) {
  own.insert(own.end(),
             {{.name = "token-file", .value = "FILE", .help = "the admin port's token"},
              {.name = "ca", .value = "FILE", .help = "trust anchors for https"},
              {.name = "certificate",
               .value = "FILE",
               .help = "yours, where the admin port asks for one (tls.client_ca)"},
              {.name = "key", .value = "FILE", .help = "its key; default: in the same file"}});
  return own;
}

AdminAccess access_to(const Options& options, const std::string& url) {
  return {.url = url,
          .token_file = option(options, "token-file"),
          .ca_file = option(options, "ca"),
          .certificate_file = option(options, "certificate"),
          .key_file = option(options, "key")};
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
