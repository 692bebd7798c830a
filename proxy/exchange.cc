#include "proxy/exchange.h"

#include <array>

#include "metrics/end_of_life.h"
#include "proxy/log.h"
#include "proxy/stand_in.h"

namespace understudy::proxy {

using metrics::ModelGone;
using routing::Field;
using routing::SkipReason;
using routing::Variant;
using std::chrono::steady_clock;

Exchange::Exchange(WorkerContext& worker, DownstreamRequest request, ResponseSink& client)
    : worker_(worker),
      worker_snapshot_(worker.current),
      snapshot_(worker_snapshot_->view->snapshot),
      request_(std::move(request)),
      client_(client),
      begun_(steady_clock::now()),
      id_(worker.next_id()),
      scratch_(worker.scratch.take()),
      body_hash_(request_.client.body_hash()),
      capture_(worker) {}

Task<void> Exchange::run() {
  decide();
  if (!decision_.upstream) {
    worker_.recorder.refused("no_route");
    co_return co_await answer_error(
        404, "ResourceNotFoundException",
        "No route of the proxy matches this request and it has no default route.", "no_route");
  }
  const Status outcome = co_await answer();
  call_.reset();  // the connection goes back to its pool before anything else is done
  if (!outcome) co_await answer_failure(outcome.error());
  ended_ = steady_clock::now();
  record();
  hand_over(outcome);
}

void Exchange::client_gone() noexcept {
  client_gone_ = true;
  if (call_) call_->interrupt();
}

// --- 1. Which upstream, and is there a copy

void Exchange::decide() {
  if (routing::names_model_in_body(request_.target.operation)) read_body_model();
  const RequestHead& head = *request_.head;
  decision_ = snapshot_->routes.decide({.operation = request_.target.operation,
                                        .model_id = request_.target.model_id,
                                        .path = request_.target.path,
                                        .stateful = stateful_,
                                        .fields = head.fields,
                                        .sampling_key = sampling_key(),
                                        .caller = request_.client.caller(),
                                        .body = request_.body.view()});
  if (!decision_.route && decision_.upstream) default_variant_.upstream = *decision_.upstream;
  spare_gone_primary();
  worker_.recorder.overhead(metrics::Phase::decide, steady_clock::now() - begun_);
}

std::string_view Exchange::sampling_key() const noexcept {
  const std::string_view invocation = request_.head->invocation_id;
  return invocation.empty() ? id_.view() : invocation;
}

// A body that does not say clearly which model it asks for makes a request that nobody understands:
// passed on, never copied. What is wrong with it, the upstream tells better.
void Exchange::read_body_model() {
  auto found = routing::find_body_model(request_.body.view(),
                                        snapshot_->config().limits.max_model_scan_bytes);
  if (const auto* problem = std::get_if<routing::BodyModelProblem>(&found)) {
    worker_.recorder.model_unread(*problem);
    request_.target.operation = routing::Operation::other;
    return;
  }
  auto& model = std::get<routing::BodyModel>(found);
  request_.target.model_id = std::move(model.id);
  body_model_ = {model.offset, model.size};
  stateful_ = model.stateful;
}

routing::ModelSwap Exchange::served_swap() const {
  return model_swap(served_variant(), request_.target.model_id, body_model_);
}

const routing::VariantConfig& Exchange::served_variant() const {
  if (!decision_.route) return default_variant_;
  return decision_.served == Variant::primary ? decision_.route->primary
                                              : *decision_.route->candidate;
}

metrics::RouteMeter& Exchange::meter() const {
  return decision_.route ? *snapshot_->meters[decision_.route_index] : *snapshot_->default_meter;
}

// --- 2. Who answers

// What the primary cannot answer any more, the candidate does; what the candidate cannot, the
// primary; as long as no byte went to the client.
Task<Status> Exchange::answer() {
  if (decision_.served == Variant::primary) {
    Status outcome = co_await attempt();
    if (!gone_) co_return outcome;
    take_over();
  }
  Status outcome = co_await attempt();
  const auto reason = reason_to_fall_back(outcome);
  if (!reason) co_return outcome;
  fall_back(*reason);
  co_return co_await attempt();
}

// One try at the served variant's upstream.
Task<Status> Exchange::attempt() {
  Status outcome;
  if (routing::concerns(served_variant().rewrite, request_.target.operation) ||
      !served_swap().model.empty())
    outcome = co_await rewrite_body();
  if (outcome) outcome = build_request();
  if (outcome && decision_.drill && may_take_over()) {
    // The path is proved with the very error that Bedrock sends; the primary is spared.
    if (metrics::model_gone(404, metrics::kEndOfLifeText, false)) gone_ = ModelGone::drill;
    co_return outcome;
  }
  if (outcome) outcome = co_await serve();
  if (!outcome && call_ && !call_->limit_met().empty())
    worker_.recorder.refused(call_->limit_met());
  co_return outcome;
}

bool Exchange::may_take_over() const noexcept {
  return decision_.fits_candidate && decision_.served == Variant::primary && !fell_back_ &&
         !client_gone_ && !answer_begun_ &&
         decision_.route->on_end_of_life == routing::EndOfLifeAction::serve_candidate;
}

// A model that is known to be gone is not asked again, but by a request now and then.
void Exchange::spare_gone_primary() {
  if (!may_take_over()) return;
  const auto kind = gone_models().ask(primary_upstream(), asked_primary(), begun_);
  if (!kind) return;
  gone_ = kind;
  meter().took_over(*kind);
  serve_by_candidate_alone();
}

void Exchange::take_over() {
  meter().took_over(*gone_);
  if (*gone_ != ModelGone::drill) {
    count_attempt();
    if (note_gone(*gone_))
      log_error("candidate_took_over", {{"route", std::string_view{decision_.route->name}},
                                        {"model", asked_primary()},
                                        {"how", label(*gone_)}});
    serve_by_candidate_alone();
  }
  change_to(Variant::candidate);
}

// True where that is news. A lock-out is an account's, and where clients bring their own, one's
// lock-out is not another's.
bool Exchange::note_gone(ModelGone kind) {
  const auto& upstream = snapshot_->upstreams[decision_.route->primary.upstream]->config;
  if (kind == ModelGone::locked_out &&
      upstream.credentials.source == routing::CredentialsConfig::Source::forward_bearer)
    return false;
  worker_.analysis.models().note_gone(decision_.route->name, Variant::primary, asked_primary(),
                                      kind, std::chrono::system_clock::now());
  return gone_models().add(primary_upstream(), asked_primary(), kind, steady_clock::now());
}

// Nothing is left to compare with, or to fall back on.
void Exchange::serve_by_candidate_alone() {
  decision_.served = Variant::candidate;
  decision_.upstream = served_variant().upstream;
  decision_.shadow = false;
  decision_.skip = SkipReason::end_of_life;
}

std::string_view Exchange::asked_primary() const noexcept {
  const std::string& model = decision_.route->primary.model;
  return model.empty() ? std::string_view{request_.target.model_id} : model;
}

std::string_view Exchange::primary_upstream() const noexcept {
  return snapshot_->upstreams[decision_.route->primary.upstream]->config.name;
}

GoneModels& Exchange::gone_models() const {
  return *worker_snapshot_->gone[decision_.route_index];
}

bool Exchange::primary_was_good() const {
  return worker_.analysis.models().was_good(decision_.route->name, asked_primary());
}

bool Exchange::may_fall_back() const noexcept {
  const bool possible = decision_.served == Variant::candidate &&
                        decision_.route->canary.fallback && !client_gone_ && !answer_begun_;
  if (!possible) return false;
  if (gone_) return *gone_ == ModelGone::drill;
  // The candidate's own error tells a client more than that the primary has gone.
  return !gone_models().knows(primary_upstream(), asked_primary(), attempt_begun_);
}

std::optional<metrics::FallbackReason> Exchange::reason_to_fall_back(
    const Status& outcome) const noexcept {
  if (!may_fall_back()) return std::nullopt;
  return outcome ? fallback_reason(refused_status_) : fallback_reason(outcome.error());
}

void Exchange::fall_back(metrics::FallbackReason reason) {
  using metrics::FallbackReason;
  fell_back_ = true;
  candidate_failed_ = reason == FallbackReason::server_error || reason == FallbackReason::timeout ||
                      reason == FallbackReason::unreachable || reason == FallbackReason::transport;
  meter().fell_back(reason);
  log_info("fell_back", {{"exchange", id_.view()},
                         {"route", std::string_view{decision_.route->name}},
                         {"reason", label(reason)},
                         {"status", refused_status_}});
  count_attempt();
  change_to(Variant::primary);
}

void Exchange::count_attempt() {
  const auto now = steady_clock::now();
  meter().request(request_.target.operation, decision_.served, metrics::Leg::served,
                  refused_status_, now - attempt_begun_);
  tell_account(refused_status_, now);
}

// The next attempt starts afresh, from the client's bytes.
void Exchange::change_to(Variant variant) {
  call_.reset();
  scratch_->clear();
  rewritten_body_.clear();
  refused_status_ = 0;
  attempt_begun_ = steady_clock::now();
  decision_.served = variant;
  decision_.upstream = served_variant().upstream;
}

// --- 3. The served variant's request

Task<Status> Exchange::rewrite_body() {
  const auto begun = steady_clock::now();
  auto made = co_await worker_.rewriter.rewrite(worker_.resources.context, snapshot_,
                                                served_variant().rewrite, request_.target.operation,
                                                served_swap(), request_.body);
  worker_.recorder.overhead(metrics::Phase::rewrite, steady_clock::now() - begun);
  // A body that cannot be rewritten goes as it is: the candidate's own error tells the client more
  // than ours would.
  if (made.changed) rewritten_body_ = std::move(made.bytes);
  for (const std::string_view preset : made.presets) meter().rewrote(preset);
  if (client_gone_) co_return Error{ErrorKind::cancelled, Side::downstream, "the client left"};
  co_return Status{};
}

Status Exchange::build_request() {
  const auto& variant = served_variant();
  const UpstreamTarget& upstream = *snapshot_->upstreams[variant.upstream];
  const Credentials* credentials = worker_.resources.credentials.read(*upstream.credentials->slot);
  if (credentials == nullptr) return no_credentials(upstream);
  const auto surface = request_.target.surface;
  const auto& pool = worker_snapshot_->view->pool(variant.upstream, surface);
  const auto& endpoint = surface == routing::Surface::runtime ? upstream.config.endpoint
                                                              : upstream.config.control_endpoint;
  append_forwarded_lines(*request_.head, scratch_->lines);
  append_upstream_target(endpoint, request_.target.forwarded, model_place(request_.target),
                         variant.model, scratch_->target);
  const OutgoingRequest outgoing{
      .method = request_.head->method,
      .target = scratch_->target,
      .authority = pool->authority(),
      .service = upstream.config.signing_service,
      .lines = scratch_->lines,
      .content_type = request_.head->content_type,
      .body = rewritten_body_.empty() ? request_.body.view() : rewritten_body_,
      .shadow_mark = {},
      .client_authorization = request_.head->authorization,
      .client_api_key = request_.head->api_key};
  const auto begun = steady_clock::now();
  std::optional<Sha256> rewritten_hash;
  auto built = append_request_head(outgoing, *credentials, upstream.config.region, worker_.signer,
                                   rewritten_body_.empty() ? body_hash_ : rewritten_hash,
                                   scratch_->request_head);
  worker_.recorder.overhead(metrics::Phase::sign, steady_clock::now() - begun);
  return built;
}

// --- 4. Ask, and relay what comes

Task<Status> Exchange::serve() {
  const auto& variant = served_variant();
  const auto& config = snapshot_->upstreams[variant.upstream]->config;
  const auto& limits = snapshot_->config().limits;
  UpstreamCall& call =
      call_.emplace(worker_snapshot_->view->pool(variant.upstream, request_.target.surface),
                    CallLimits{.connect = config.connect_timeout,
                               .first_byte = config.first_byte_timeout,
                               .idle = config.stream_idle_timeout,
                               .max_head_bytes = limits.max_response_header_bytes,
                               .max_chunk_overhead_bytes = limits.max_chunk_overhead_bytes},
                    scratch_->answer);
  const std::string_view body = rewritten_body_.empty() ? request_.body.view() : rewritten_body_;
  if (auto sent = co_await call.send(scratch_->request_head, body); !sent) co_return sent;
  auto head = co_await call.read_head(request_.head->method == "HEAD");
  if (!head) {
    co_return head.error();
  }
  first_byte_ = call.first_byte_at();
  if (may_fall_back() && fallback_reason((**head).status)) {
    refused_status_ = (**head).status;
    (void)call.buffered();  // an error that is here whole leaves its connection for others
    co_return Status{};
  }
  if ((may_take_over() || fell_back_) && metrics::may_say_gone((**head).status)) {
    co_return co_await relay_unless_gone(call, scratch_->answer);
  }
  co_return co_await relay(call, **head, call.buffered());
}

// An error may say that the model is gone, so it is read before it is passed on.
Task<Status> Exchange::relay_unless_gone(UpstreamCall& call, ResponseHead& head) {
  HeldAnswer held;
  if (auto read = co_await hold_answer(call, head, held); !read) co_return read;
  std::optional<ModelGone> gone;
  if (held.last) gone = metrics::model_gone_by_body(head.status, held.body, primary_was_good());
  if (gone && fell_back_) (void)note_gone(*gone);  // so that no other request falls back on it
  if (gone && may_take_over()) {
    gone_ = gone;
    refused_status_ = head.status;
    co_return Status{};
  }
  const std::array<std::string_view, 1> pieces{held.body};
  co_return co_await relay(
      call, head,
      UpstreamCall::Part{std::span{pieces}.first(held.body.empty() ? 0 : 1), held.last});
}

Task<Status> Exchange::relay(UpstreamCall& call, const ResponseHead& head,
                             Result<UpstreamCall::Part> part) {
  status_ = head.status;

  // The head goes out with whatever of the body came along, and at once when nothing did. Written
  // before it is looked at, here and below: no byte waits for what we want to know.
  Status passed = part ? Status{} : Status{part.error()};
  if (part) passed = co_await pass_on(head, *part);
  capture_.begin(head, decision_.shadow ? std::optional{decision_.route->shadow.max_capture_bytes}
                                        : std::nullopt);
  if (!passed) co_return passed;
  capture_.look_at(*part, call.last_read_at());
  while (!part->last) {
    part = co_await call.read_part();
    if (!part) co_return part.error();
    if (auto written = co_await client_.write(part->pieces, part->last); !written)
      co_return written;
    capture_.look_at(*part, call.last_read_at());
  }
  co_return Status{};
}

Task<Status> Exchange::pass_on(const ResponseHead& head, const UpstreamCall::Part& part) {
  const std::array added{
      Field{"x-understudy-variant", label(decision_.served)},
      Field{"x-understudy-route",
            decision_.route ? std::string_view{decision_.route->name} : "default"}};
  const bool sized = head.framing == Framing::content_length || head.framing == Framing::none;
  AnswerHead answer{
      .status = head.status,
      .reason = head.reason,
      .fields = head.fields,
      .added = added,
      .content_length = sized ? std::optional{head.content_length} : std::nullopt,
      .has_body = request_.head->method != "HEAD" && head.status != 204 && head.status != 304};
  answer_begun_ = true;
  return client_.begin(answer, part.pieces, part.last);
}

// --- 5. When it did not work

Task<void> Exchange::answer_failure(const Error& error) {
  const bool lost_client =
      client_gone_ || (error.side == Side::downstream && error.kind != ErrorKind::credentials);
  if (lost_client) {
    client_gone_ = true;
    client_.truncate();
    co_return;
  }
  log_warn("upstream_failed", {{"exchange", id_.view()},
                               {"kind", label(error.kind)},
                               {"what", std::string_view{error.context}}});
  if (answer_begun_) {
    client_.truncate();
    co_return;
  }
  const FailureReply reply = reply_to(error);
  co_await answer_error(reply.status, reply.type, reply.message, label(error.kind));
}

Task<void> Exchange::answer_error(int status, std::string_view type, std::string_view message,
                                  std::string_view cause) {
  status_ = status;
  answer_begun_ = true;
  // A client that cannot be told is gone anyway.
  (void)co_await send(
      client_, make_error_answer(status, type, message, cause, id_.view(), request_.target.wire));
}

}  // namespace understudy::proxy
