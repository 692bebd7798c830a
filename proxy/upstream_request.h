#pragma once
// The request that a leg sends: the client's, with host, path, credentials and model of the variant
// it asks. Pure but for the signer that it is given.

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http_head.h"
#include "proxy/sigv4.h"
#include "proxy/snapshot.h"
#include "routing/operation.h"
#include "routing/rewrite.h"

namespace understudy::proxy {

// The end-to-end fields as lines, "name: value\r\n", the same for every leg of an exchange.
void append_forwarded_lines(const RequestHead& head, std::string& lines);

// Where the model's name stands in the forwarded target, or in the body.
struct ModelPlace {
  std::size_t offset = 0;
  std::size_t size = 0;  // 0: it names no model
};
ModelPlace model_place(const routing::RequestTarget& target) noexcept;

// What a body that names its model must say for `variant`; nothing where it says so already, or
// where the variant is asked for whatever the client asked for. `place` is where the body names it.
routing::ModelSwap model_swap(const routing::VariantConfig& variant, std::string_view asked,
                              ModelPlace place) noexcept;

// The path prefix of the endpoint, then the target as the client sent it, or with `model` in the
// place of its model id, percent-encoded as the AWS SDKs do. A client's signature in the query
// (X-Amz-Signature, X-Amz-Security-Token, ...) stays behind, as one in the fields does.
void append_upstream_target(const routing::Endpoint& endpoint, std::string_view forwarded,
                            ModelPlace place, std::string_view model, std::string& target);

struct OutgoingRequest {
  std::string_view method;
  std::string_view target;     // upstream_target()
  std::string_view authority;  // Host
  std::string_view service;    // that it is signed for
  std::string_view lines;      // append_forwarded_lines()
  std::string_view content_type;
  std::string_view body;
  std::string_view shadow_mark;           // value of x-understudy-shadow; empty: none is added
  std::string_view client_authorization;  // used only where credentials forward it
  std::string_view client_api_key;
};

// The error of a leg whose upstream has no credentials at the moment. Tells the state and no more:
// where they come from and why not is the operator's business (log, /api/status).
Error no_credentials(const UpstreamTarget& upstream);

// Appends the whole head to `out`. `body_hash` is filled at the first signed leg and used by the
// others that send the same bytes. ErrorKind::credentials where the client brought no token to
// forward.
Status append_request_head(const OutgoingRequest& request, const Credentials& credentials,
                           std::string_view region, Signer& signer,
                           std::optional<Sha256>& body_hash, std::string& out);

}  // namespace understudy::proxy
