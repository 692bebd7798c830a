#include "proxy/bidirectional_exchange.h"

#include <array>
#include <utility>

#include "metrics/http_status.h"
#include "proxy/error_answer.h"
#include "proxy/log.h"
#include "proxy/sigv4_stamp.h"
#include "proxy/upstream_request.h"

namespace understudy::proxy {

using routing::Field;
using std::chrono::steady_clock;
using std::chrono::system_clock;

namespace {

EventChain::Milliseconds now() {
  return std::chrono::floor<std::chrono::milliseconds>(system_clock::now());
}

}  // namespace

bool flows_both_ways(const routing::RequestTarget& target) noexcept {
  return target.operation == routing::Operation::invoke_model_with_bidirectional_stream;
}

BidirectionalExchange::BidirectionalExchange(WorkerContext& worker, DownstreamRequest request,
                                             std::optional<EventChainSeed> seed,
                                             RequestSource& source, ResponseSink& client)
    : worker_(worker),
      worker_snapshot_(worker.current),
      snapshot_(worker_snapshot_->view->snapshot),
      request_(std::move(request)),
      seed_(std::move(seed)),
      source_(source),
      client_(client),
      begun_(steady_clock::now()),
      id_(worker.next_id()) {}

Task<void> BidirectionalExchange::run() {
  const RequestHead& head = *request_.head;
  decision_ = snapshot_->routes.decide(
      {.operation = request_.target.operation,
       .model_id = request_.target.model_id,
       .path = request_.target.path,
       .fields = head.fields,
       .sampling_key = head.invocation_id.empty() ? id_.view() : head.invocation_id,
       .caller = request_.client.caller(),
       .body = {}});
  if (!decision_.upstream) {
    worker_.recorder.refused("no_route");
    co_return co_await answer_error(
        404, "ResourceNotFoundException",
        "No route of the proxy matches this request and it has no default route.", "no_route");
  }
  if (!decision_.route) default_variant_.upstream = *decision_.upstream;

  Status outcome = co_await serve();
  // Whichever direction is left ends now.
  source_.stop();
  if (upstream_) upstream_->interrupt();
  while (sending_) co_await sent_.wait();
  if (!outcome && request_failure_) outcome = *request_failure_;
  if (!outcome) co_await answer_failure(outcome.error());
  meter().request(request_.target.operation, decision_.served, metrics::Leg::served,
                  client_gone_ && !answer_begun_ ? 0 : status_, steady_clock::now() - begun_);
}

void BidirectionalExchange::client_gone() noexcept {
  client_gone_ = true;
  if (upstream_) upstream_->interrupt();
}

const routing::VariantConfig& BidirectionalExchange::served_variant() const {
  return decision_.route ? decision_.route->primary : default_variant_;
}

metrics::RouteMeter& BidirectionalExchange::meter() const {
  return decision_.route ? *snapshot_->meters[decision_.route_index] : *snapshot_->default_meter;
}

// --- The upstream's request

Task<Status> BidirectionalExchange::serve() {
  const UpstreamTarget& upstream = *snapshot_->upstreams[served_variant().upstream];
  auto chain = build_request(upstream);
  if (!chain) co_return chain.error();
  upstream_.emplace(
      worker_snapshot_->view->pool(served_variant().upstream, routing::Surface::runtime),
      H2ClientLimits{.connect = upstream.config.connect_timeout,
                     .idle = upstream.config.stream_idle_timeout,
                     .max_head_bytes = snapshot_->config().limits.max_response_header_bytes});
  if (auto opened = co_await upstream_->open(fields_); !opened) co_return opened;

  std::optional<EventChain> client;
  if (seed_) client.emplace(std::move(*seed_));
  sending_ = true;
  spawn(worker_.resources.context,
        send_request(EventResigner(std::move(client), std::move(*chain))),
        [this](std::exception_ptr failure) {
          if (failure && !request_failure_)  // a bug or no memory
            request_failure_ = Error{ErrorKind::internal, Side::internal, "out of memory"};
          sending_ = false;
          sent_.wake();
        });
  co_return co_await relay_answer();
}

// The chain that the upstream's events are signed by; none where they go on as they came.
Result<std::optional<EventChain>> BidirectionalExchange::build_request(
    const UpstreamTarget& upstream) {
  const Credentials* credentials = worker_.resources.credentials.read(*upstream.credentials->slot);
  if (credentials == nullptr) return no_credentials(upstream);
  const bool signs = credentials->kind == Credentials::Kind::sigv4;
  if (!signs && credentials->kind != Credentials::Kind::none) {
    return Error{
        ErrorKind::credentials, Side::downstream,
        "InvokeModelWithBidirectionalStream cannot be called with a Bedrock API key, which "
        "is what the upstream " +
            upstream.config.name + " has: it needs AWS keys."};
  }
  const auto& variant = served_variant();
  const auto& pool = worker_snapshot_->view->pool(variant.upstream, routing::Surface::runtime);
  append_upstream_target(upstream.config.endpoint, request_.target.forwarded,
                         model_place(request_.target), variant.model, target_);
  fields_ = {{":method", request_.head->method},
             {":scheme", upstream.config.endpoint.tls ? "https" : "http"},
             {":authority", pool->authority()},
             {":path", target_}};
  for (const Field& field : request_.head->fields) fields_.push_back(field);
  add_field("accept-encoding", "identity");
  if (!signs) return std::optional<EventChain>{};
  return std::optional<EventChain>{sign(upstream, credentials->keys)};
}

void BidirectionalExchange::add_field(std::string_view name, std::string value) {
  fields_.push_back({name, values_.emplace_back(std::move(value))});
}

EventChain BidirectionalExchange::sign(const UpstreamTarget& upstream, const AwsKeys& keys) {
  const auto& config = upstream.config;
  const Stamp stamp(system_clock::now());
  const std::string& token = keys.session_token.reveal();
  std::string names = "host;x-amz-content-sha256;x-amz-date";
  std::vector<Field> signed_fields{{"host", fields_[2].value},  // :authority
                                   {"x-amz-content-sha256", kStreamedPayload},
                                   {"x-amz-date", stamp.text()}};
  if (!token.empty()) {
    names.append(";x-amz-security-token");
    signed_fields.push_back({"x-amz-security-token", token});
  }
  std::string signature = worker_.signer.signature_of({.method = request_.head->method,
                                                       .target = target_,
                                                       .fields = signed_fields,
                                                       .signed_names = names,
                                                       .payload_hash = kStreamedPayload,
                                                       .stamp = stamp.text(),
                                                       .region = config.region,
                                                       .service = config.signing_service},
                                                      keys.secret_access_key);
  for (const Field& field : std::span{signed_fields}.subspan(1))
    add_field(field.name, std::string{field.value});
  std::string authorization = "AWS4-HMAC-SHA256 Credential=" + keys.access_key_id + "/";
  authorization.append(stamp.text().substr(0, Stamp::kDayChars)).append("/").append(config.region);
  authorization.append("/").append(config.signing_service).append("/aws4_request, SignedHeaders=");
  authorization.append(names).append(", Signature=").append(signature);
  add_field("authorization", std::move(authorization));
  return EventChain({.secret = keys.secret_access_key,
                     .region = config.region,
                     .service = config.signing_service,
                     .signature = std::move(signature)});
}

// --- Both directions

// Asks for the next part only when the upstream has taken the one before: so a slow upstream holds
// back the client.
Task<void> BidirectionalExchange::send_request(EventResigner events) {
  std::string frames;
  bool more = true;
  while (more) {
    auto part = co_await source_.read();
    if (!part) co_return;  // it was stopped, or the client is gone, which client_gone() tells
    more = !part->last;
    frames.clear();
    Status taken = events.take(part->bytes.view(), now(), frames);
    if (taken && !more && !events.between_frames())
      taken = Error{ErrorKind::bad_message, Side::downstream,
                    "The request's event stream ends within a frame."};
    if (!taken) {
      request_failure_ = taken.error();
      upstream_->interrupt();
      co_return;
    }
    if (frames.empty() && more) continue;
    // Why the upstream takes no more, the answer's direction tells.
    const auto sent = co_await upstream_->write(frames, !more);
    if (!sent) co_return;
  }
}

Task<Status> BidirectionalExchange::relay_answer() {
  auto head = co_await upstream_->read_head();
  if (!head) {
    if (head.error().kind == ErrorKind::too_large)
      worker_.recorder.refused("max_response_header_bytes");
    co_return head.error();
  }
  if (auto begun = co_await begin_answer(**head); !begun) co_return begun;
  bool more = true;
  while (more) {
    auto part = co_await upstream_->read();
    if (!part) co_return part.error();
    more = !part->last;
    const std::array<std::string_view, 1> pieces{part->bytes};
    if (auto written = co_await client_.write(pieces, part->last); !written) co_return written;
  }
  co_return Status{};
}

Task<Status> BidirectionalExchange::begin_answer(const ResponseHead& head) {
  const std::array added{
      Field{"x-understudy-variant", label(decision_.served)},
      Field{"x-understudy-route",
            decision_.route ? std::string_view{decision_.route->name} : "default"}};
  const bool sized = head.framing == Framing::content_length;
  status_ = head.status;
  answer_begun_ = true;
  co_return co_await client_.begin(
      AnswerHead{.status = head.status,
                 .reason = {},
                 .fields = head.fields,
                 .added = added,
                 .content_length = sized ? std::optional{head.content_length} : std::nullopt},
      {}, false);
}

// --- When it did not work

Task<void> BidirectionalExchange::answer_failure(const Error& error) {
  const bool clients_fault = error.side == Side::downstream;
  if (client_gone_ || (clients_fault && error.kind == ErrorKind::closed)) {
    client_gone_ = true;
    client_.truncate();
    co_return;
  }
  if (!clients_fault) {
    log_warn("upstream_failed", {{"exchange", id_.view()},
                                 {"kind", label(error.kind)},
                                 {"what", std::string_view{error.context}}});
  }
  if (answer_begun_) {
    if (metrics::is_success(status_) && !clients_fault) meter().broken_answer(decision_.served);
    client_.truncate();
    co_return;
  }
  if (clients_fault && error.kind == ErrorKind::bad_message) {
    worker_.recorder.refused("event_stream");
    co_return co_await answer_error(400, "ValidationException", error.context, "event_stream");
  }
  const FailureReply reply = reply_to(error);
  co_await answer_error(reply.status, reply.type, reply.message, label(error.kind));
}

Task<void> BidirectionalExchange::answer_error(int status, std::string_view type,
                                               std::string_view message, std::string_view cause) {
  status_ = status;
  answer_begun_ = true;
  // A client that cannot be told is gone anyway.
  (void)co_await send(
      client_, make_error_answer(status, type, message, cause, id_.view(), request_.target.wire));
}

}  // namespace understudy::proxy
