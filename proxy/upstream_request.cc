#include "proxy/upstream_request.h"

#include <array>
#include <charconv>

#include "proxy/field_text.h"
#include "proxy/sigv4_canonical.h"

namespace understudy::proxy {
namespace {

using routing::Field;

void append_content_length(std::string& out, std::size_t size) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size).ptr;
  append_field(out, "content-length",
               {digits.data(), static_cast<std::size_t>(end - digits.data())});
}

bool may_have_body(std::string_view method) noexcept {
  return method != "GET" && method != "HEAD";
}

Status append_client_token(const OutgoingRequest& request, std::string& out) {
  // A signature of the client's is bound to our name and worthless upstream: only tokens travel.
  if (routing::equals_ignoring_case(request.client_authorization.substr(0, 7), "bearer ")) {
    append_field(out, "authorization", request.client_authorization);
  } else if (!request.client_api_key.empty()) {
    append_field(out, "x-api-key", request.client_api_key);
  } else {
    return Error{ErrorKind::credentials, Side::downstream,
                 "this route forwards the client's bearer token, but the request has none"};
  }
  return {};
}

// Whether a parameter of a query belongs to a signature: X-Amz-Credential and its kin, escaped or
// not. The gate has refused escapes that are none.
bool is_of_signature(std::string_view parameter) noexcept {
  for (const char wanted : std::string_view{"x-amz-"}) {
    if (parameter.empty()) return false;
    auto byte = static_cast<unsigned char>(parameter.front());
    parameter.remove_prefix(1);
    if (byte == '%' && parameter.size() >= 2) {
      std::from_chars(parameter.data(), parameter.data() + 2, byte, 16);
      parameter.remove_prefix(2);
    }
    if ((byte | 0x20) != wanted) return false;
  }
  return true;
}

// What stands behind the path, '?' included.
void append_query(std::string_view query, std::string& target) {
  char separator = '?';
  while (!query.empty()) {
    query.remove_prefix(1);  // '?' or '&'
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(parameter.size());
    if (is_of_signature(parameter)) continue;
    target.push_back(separator);
    target.append(parameter);
    separator = '&';
  }
}

}  // namespace

void append_forwarded_lines(const RequestHead& head, std::string& lines) {
  append_fields(lines, head.fields);
}

ModelPlace model_place(const routing::RequestTarget& target) noexcept {
  if (target.raw_model.empty()) return {};
  return {static_cast<std::size_t>(target.raw_model.data() - target.forwarded.data()),
          target.raw_model.size()};
}

routing::ModelSwap model_swap(const routing::VariantConfig& variant, std::string_view asked,
                              ModelPlace place) noexcept {
  if (place.size == 0 || variant.model.empty() || variant.model == asked) return {};
  return {.offset = place.offset, .size = place.size, .model = variant.model};
}

void append_upstream_target(const routing::Endpoint& endpoint, std::string_view forwarded,
                            ModelPlace place, std::string_view model, std::string& target) {
  target.append(endpoint.path);
  const std::string_view path = forwarded.substr(0, forwarded.find('?'));
  if (model.empty() || place.size == 0) {
    target.append(path);
  } else {
    target.append(path.substr(0, place.offset));
    append_percent_encoded(model, target);
    target.append(path.substr(place.offset + place.size));
  }
  append_query(forwarded.substr(path.size()), target);
}

Error no_credentials(const UpstreamTarget& upstream) {
  const auto state = upstream.credentials->slot->now().state;
  return {ErrorKind::credentials, Side::internal,
          "The proxy has no valid credentials for the upstream " + upstream.config.name + " (" +
              std::string(label(state)) + ")."};
}

Status append_request_head(const OutgoingRequest& request, const Credentials& credentials,
                           std::string_view region, Signer& signer,
                           std::optional<Sha256>& body_hash, std::string& out) {
  append_request_line(out, request.method, request.target);
  append_field(out, "host", request.authority);
  out.append(request.lines);
  out.append("accept-encoding: identity\r\n");  // so that the answer can be read as it passes
  if (!request.shadow_mark.empty()) append_field(out, routing::kShadowHeader, request.shadow_mark);
  if (!request.body.empty() || may_have_body(request.method))
    append_content_length(out, request.body.size());

  switch (credentials.kind) {
    case Credentials::Kind::sigv4: {
      if (!body_hash) body_hash = signer.hash(request.body);
      const std::array fields{Field{"content-type", request.content_type},
                              Field{"host", request.authority}};
      const SigningInput input{
          .method = request.method,
          .target = request.target,
          .fields = std::span{fields}.subspan(request.content_type.empty() ? 1 : 0),
          .body_hash = *body_hash,
          .now = std::chrono::system_clock::now()};
      signer.sign(input, credentials.keys, region, request.service, out);
      break;
    }
    case Credentials::Kind::bearer:
      append_field(out, "authorization", "Bearer " + credentials.token.reveal());
      break;
    case Credentials::Kind::forward_bearer:
      if (auto appended = append_client_token(request, out); !appended) return appended;
      break;
    case Credentials::Kind::none:
      break;
  }
  out.append("\r\n");
  return {};
}

}  // namespace understudy::proxy
