#include "proxy/shadow_leg.h"

#include <algorithm>
#include <charconv>

#include "proxy/log.h"

namespace understudy::proxy {

using metrics::FailReason;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kMaxRetryAfter{60'000};

FailReason fail_reason(const Error& error, bool answer_begun) noexcept {
  switch (error.kind) {
    case ErrorKind::resolve:
      return FailReason::resolve;
    case ErrorKind::connect:
      return FailReason::connect;
    case ErrorKind::tls:
      return FailReason::tls;
    case ErrorKind::credentials:
      return FailReason::credentials;
    case ErrorKind::timeout:
      return FailReason::timeout;
    case ErrorKind::closed:
      return answer_begun ? FailReason::cut : FailReason::transport;
    case ErrorKind::bad_message:
      return FailReason::garbage;
    case ErrorKind::too_large:
      return FailReason::too_large;
    case ErrorKind::cancelled:
      return FailReason::cancelled;
    case ErrorKind::internal:
      break;
  }
  return FailReason::transport;
}

milliseconds retry_after(const ResponseHead& head) noexcept {
  const auto value = routing::find_field(head.fields, "retry-after");
  unsigned seconds = 0;
  if (!value ||
      std::from_chars(value->data(), value->data() + value->size(), seconds).ec != std::errc{})
    return {};
  return std::min(kMaxRetryAfter, milliseconds{std::uint64_t{std::min(seconds, 3600u)} * 1000});
}

// The whole time a leg may take, whatever it is doing.
class LegDeadline final : private Deadline {
 public:
  LegDeadline(DeadlineSweep& sweep, UpstreamCall& call, milliseconds after)
      : Deadline(sweep), call_(call) {
    set(after);
  }
  bool over() const noexcept { return over_; }

 private:
  void expired() noexcept override {
    over_ = true;
    call_.interrupt();
  }
  UpstreamCall& call_;
  bool over_ = false;
};

// Registers a call while it is under way, so that it can be cut.
class ActiveCall {
 public:
  ActiveCall(std::list<UpstreamCall*>& calls, UpstreamCall& call)
      : calls_(calls), place_(calls.insert(calls.end(), &call)) {}
  ~ActiveCall() { calls_.erase(place_); }
  ActiveCall(const ActiveCall&) = delete;

 private:
  std::list<UpstreamCall*>& calls_;
  std::list<UpstreamCall*>::iterator place_;
};

// A leg under way.
struct LegRun {
  ShadowThread& thread;
  std::shared_ptr<ShadowJob> job;
  LegResult result{};
  bool answer_begun = false;
};

void hand_to_analysis(const LegRun& run, Recycler<PairTask>::Pointer task,
                      metrics::CapturedAnswer captured) {
  task->facts = run.result.facts;
  task->captured = std::move(captured);
  task->pair = {run.job, &run.job->pair};
  task->tokens = run.job->tokens_of(task->facts.leg);
  task->bytes = task->captured.kept_bytes() + task->pair->request_body.size();
  run.thread.analysis.offer(AnalysisTask::Pointer(task.release()));
}

// What the candidate itself is to blame for, and that it was throttled, is evidence.
void report_failure(const LegRun& run) {
  switch (*run.result.failure) {
    case FailReason::throttled:
    case FailReason::timeout:
    case FailReason::connect:
    case FailReason::transport:
    case FailReason::cut:
    case FailReason::garbage:
      break;
    default:
      return;
  }
  auto task = std::make_unique<FailedCopyTask>();
  task->facts = run.result.facts;
  task->reason = *run.result.failure;
  task->pair = {run.job, &run.job->pair};
  run.thread.analysis.offer(AnalysisTask::Pointer(task.release()));
}

// Sends, and captures what comes.
Task<std::optional<FailReason>> exchange(LegRun& run, std::shared_ptr<UpstreamPool> pool,
                                         const routing::ShadowConfig& limits,
                                         const routing::UpstreamConfig& upstream,
                                         ExchangeScratch& scratch, std::string_view body) {
  const routing::LimitsConfig& answers = run.job->pair.snapshot->config().limits;
  UpstreamCall call(std::move(pool),
                    {.connect = std::min(limits.connect_timeout, upstream.connect_timeout),
                     .first_byte = limits.first_byte_timeout,
                     .idle = std::min(upstream.stream_idle_timeout, limits.timeout),
                     .max_head_bytes = answers.max_response_header_bytes,
                     .max_chunk_overhead_bytes = answers.max_chunk_overhead_bytes},
                    scratch.answer);
  LegDeadline deadline(run.thread.resources.sweep, call, limits.timeout);
  const ActiveCall active(run.thread.active_calls, call);
  const auto failed = [&](const Error& error) {
    return deadline.over() ? FailReason::timeout : fail_reason(error, run.answer_begun);
  };

  if (auto sent = co_await call.send(scratch.request_head, body); !sent)
    co_return failed(sent.error());
  auto answer = co_await call.read_head(false);
  if (!answer) co_return failed(answer.error());
  run.answer_begun = true;
  run.result.status = (*answer)->status;
  run.result.pause = retry_after(**answer);
  run.result.facts.first_byte = call.first_byte_at();

  HeldBytes held(run.thread.memory);
  auto task = run.thread.pairs.take();
  metrics::ResponseReader reader(run.thread.resources.blocks,
                                 {.beginning_bytes = limits.max_capture_bytes, .tail_bytes = 0},
                                 std::move(task->captured));
  reader.on_head(run.result.status, (*answer)->fields);
  std::size_t captured_bytes = 0;
  for (auto part = call.buffered();; part = co_await call.read_part()) {
    if (!part) co_return failed(part.error());
    for (const std::string_view piece : part->pieces) {
      captured_bytes += piece.size();
      if (captured_bytes > limits.max_capture_bytes || !held.grow(piece.size()))
        co_return FailReason::too_large;
      reader.on_body(piece, call.last_read_at());
    }
    if (part->last) break;
  }
  run.result.facts.ended = steady_clock::now();
  if (run.result.status == 429) co_return FailReason::throttled;
  hand_to_analysis(run, std::move(task), reader.finish(metrics::AnswerEnd::complete));
  co_return std::nullopt;
}

routing::Variant asked_variant(const ShadowJob& job, metrics::Leg leg) noexcept {
  using routing::Variant;
  if (leg == metrics::Leg::control) return job.served;
  return job.served == Variant::primary ? Variant::candidate : Variant::primary;
}

// Makes the request of the variant that is asked, and asks.
Task<std::optional<FailReason>> ask(LegRun& run) {
  const ShadowJob& job = *run.job;
  const auto& route = route_of(job);
  const bool asks_primary = run.result.facts.variant == routing::Variant::primary;
  const auto& variant = asks_primary ? route.primary : *route.candidate;
  const auto view = run.thread.pools.apply(job.pair.snapshot);
  const UpstreamTarget& upstream = *job.pair.snapshot->upstreams[variant.upstream];
  const auto& pool = view->pool(variant.upstream, routing::Surface::runtime);

  run.result.facts.operation = job.operation;
  run.result.facts.model_id = variant.model.empty() ? job.pair.asked_model : variant.model;
  run.result.facts.begun = steady_clock::now();

  std::string rewritten;
  const auto swap = model_swap(variant, job.pair.asked_model, job.body_model);
  if (routing::concerns(variant.rewrite, job.operation) || !swap.model.empty()) {
    auto made = co_await run.thread.rewriter.rewrite(run.thread.resources.context,
                                                     job.pair.snapshot, variant.rewrite,
                                                     job.operation, swap, job.pair.request_body);
    if (run.thread.cut) co_return FailReason::cancelled;
    if (made.problem) {
      run.result.rewrite_failed = true;
      co_return FailReason::unreadable;
    }
    if (made.changed) rewritten = std::move(made.bytes);
    for (const std::string_view preset : made.presets) meter_of(job).rewrote(preset);
  }
  const std::string_view body = rewritten.empty() ? job.pair.request_body.view() : rewritten;

  const Credentials* credentials =
      run.thread.resources.credentials.read(*upstream.credentials->slot);
  if (credentials == nullptr) co_return FailReason::credentials;
  const auto scratch = run.thread.scratch.take();
  append_upstream_target(upstream.config.endpoint, job.forwarded, job.model_place, variant.model,
                         scratch->target);
  std::optional<Sha256> hash = rewritten.empty() ? job.body_hash : std::nullopt;
  const OutgoingRequest request{
      .method = "POST",
      .target = scratch->target,
      .authority = pool->authority(),
      .service = upstream.config.signing_service,
      .lines = job.lines,
      .content_type = job.content_type,
      .body = body,
      .shadow_mark = run.thread.instance_id,
      // A candidate never gets to see what the client brought.
      .client_authorization = asks_primary ? job.client_authorization : std::string_view{},
      .client_api_key = asks_primary ? job.client_api_key : std::string_view{}};
  if (auto built = append_request_head(request, *credentials, upstream.config.region,
                                       run.thread.signer, hash, scratch->request_head);
      !built) {
    co_return FailReason::credentials;
  }
  co_return co_await exchange(run, pool, route.shadow, upstream.config, *scratch, body);
}

}  // namespace

const routing::RouteConfig& route_of(const ShadowJob& job) {
  return job.pair.snapshot->config().routes[job.pair.route];
}

metrics::RouteMeter& meter_of(const ShadowJob& job) {
  return *job.pair.snapshot->meters[job.pair.route];
}

metrics::QuotaRule quota_rule_of(const ShadowJob& job, metrics::Leg leg) {
  const auto& route = route_of(job);
  const bool by_primary = asked_variant(job, leg) == routing::Variant::primary;
  const auto& variant = by_primary ? route.primary : *route.candidate;
  return quota_rule(*job.pair.snapshot, variant,
                    variant.model.empty() ? job.pair.asked_model : variant.model);
}

Task<LegResult> run_leg(ShadowThread& thread, std::shared_ptr<ShadowJob> job, metrics::Leg leg) {
  LegRun run{.thread = thread, .job = std::move(job)};
  run.result.facts.leg = leg;
  run.result.facts.variant = asked_variant(*run.job, leg);
  try {
    run.result.failure = co_await ask(run);
  } catch (const std::exception& problem) {
    log_error("shadow_leg_failed", {{"what", problem.what()}});
    run.result.failure = FailReason::transport;
  }
  if (leg == metrics::Leg::shadow && run.result.failure) report_failure(run);
  co_return std::move(run.result);
}

}  // namespace understudy::proxy
