#include "proxy/upstream_request.h"

#include <array>
#include <charconv>

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
  if (model.empty() || place.size == 0) {
    target.append(forwarded);
    return;
  }
  target.append(forwarded.substr(0, place.offset));
  append_percent_encoded(model, target);
  target.append(forwarded.substr(place.offset + place.size));
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
  out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
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
