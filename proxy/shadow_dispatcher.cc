#include "proxy/shadow_dispatcher.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "proxy/log.h"
#include "proxy/rewriter.h"
#include "proxy/seen_calls.h"
#include "proxy/thread_snapshot.h"
#include "proxy/upstream_call.h"
#include "routing/sampling.h"

namespace understudy::proxy {

namespace asio = boost::asio;
using metrics::DropReason;
using metrics::FailReason;
using metrics::Leg;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// How often the thread looks for new copies, while there is work and while there is none.
constexpr milliseconds kBusyLook{2};
constexpr milliseconds kIdleLook{20};
constexpr auto kStaysBusy = 1s;
constexpr milliseconds kMaxRetryAfter{60'000};
// `auto` asks for a control beside every copy until there are this many triples, then for 2 %
// (divergence reference 2.6).
constexpr std::uint64_t kTriplesWanted = 400;
constexpr routing::Percent kControlAtRest{200};

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

// What one route's copies are doing. Shadow thread only.
struct RouteState {
  explicit RouteState(std::shared_ptr<ShadowAccount> a) : account(std::move(a)) {}
  std::shared_ptr<ShadowAccount> account;
  std::deque<std::shared_ptr<ShadowJob>> waiting;
  std::size_t in_flight = 0;
  std::size_t window = SIZE_MAX;  // calls at once that a throttling candidate still bears
  SteadyTime narrowed{};
  SteadyTime paused_until{};
  std::uint64_t triples = 0;

  // Halves what is sent at once, at most once a second, and stays away as long as the candidate
  // asks.
  void throttled(SteadyTime now, milliseconds pause) noexcept {
    paused_until = std::max(paused_until, now + pause);
    if (now - narrowed < 1s) return;
    narrowed = now;
    window = std::max<std::size_t>(1, std::min(window, in_flight) / 2);
  }
  void answered() noexcept {
    if (window != SIZE_MAX) ++window;
  }
};

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

}  // namespace

struct ShadowDispatcher::Impl {
  Impl(Analysis& analysis_, metrics::Recorder& recorder_, metrics::BlockPool& blocks_,
       const routing::Config& config, std::string_view instance)
      : analysis(analysis_),
        recorder(recorder_),
        memory(config.limits.max_shadow_bytes),
        instance_id(instance),
        blocks(blocks_) {
    thread = std::thread([this] {
      asio::co_spawn(context, look_for_jobs(), [](std::exception_ptr) {});
      context.run();
    });
    pthread_setname_np(thread.native_handle(), "shadow");
  }

  ~Impl() {
    asio::post(context, [this] { stop(); });
    thread.join();
  }

  // --- Shadow thread
  // -----------------------------------------------------------------------------------------------

  asio::awaitable<void> look_for_jobs() {
    asio::steady_timer timer(context);
    auto last_work = steady_clock::now();
    while (!stopping) {
      const auto now = steady_clock::now();
      const bool any =
          jobs.take_all([&](std::unique_ptr<ShadowJob> job) { accept(std::move(job), now); });
      if (any || in_flight > 0 || queued > 0) last_work = now;
      for (auto& [name, route] : routes) start_waiting(*route, now);
      recorder.shadow_load(queued, in_flight, memory.held());
      timer.expires_after(now - last_work < kStaysBusy ? kBusyLook : kIdleLook);
      co_await timer.async_wait(kAsTuple);
    }
    tell_idle();
  }

  RouteState& state_of(const ShadowJob& job) {
    auto& state = routes[job.pair.account.get()];
    if (!state) state = std::make_unique<RouteState>(job.pair.account);
    return *state;
  }

  static const routing::RouteConfig& route_of(const ShadowJob& job) {
    return job.pair.snapshot->config().routes[job.pair.route];
  }
  static metrics::RouteMeter& meter_of(const ShadowJob& job) {
    return *job.pair.snapshot->meters[job.pair.route];
  }

  // Sorts out what must not be sent; the rest waits for its turn.
  void accept(std::shared_ptr<ShadowJob> job, SteadyTime now) {
    if (draining) return drop(*job, DropReason::draining);
    if (!job->invocation_id.empty() && !seen.first_time(job->invocation_id, now)) {
      return skip(*job, routing::SkipReason::retry);
    }
    if (route_of(*job).shadow.skip_probes && routing::is_probe(job->pair.request_body.view())) {
      return skip(*job, routing::SkipReason::probe);
    }
    ++queued;
    RouteState& state = state_of(*job);
    state.waiting.push_back(std::move(job));
    start_waiting(state, now);
  }

  void drop(const ShadowJob& job, DropReason reason) {
    job.pair.account->breaker.abandoned();
    meter_of(job).dropped(reason);
  }
  void skip(const ShadowJob& job, routing::SkipReason reason) {
    job.pair.account->breaker.abandoned();
    meter_of(job).skipped(reason);
  }

  void start_waiting(RouteState& state, SteadyTime now) {
    while (!state.waiting.empty()) {
      const auto& config = route_of(*state.waiting.front()).shadow;
      if (now < state.paused_until ||
          state.in_flight >= std::min(config.max_in_flight, state.window))
        return;
      auto job = std::move(state.waiting.front());
      state.waiting.pop_front();
      --queued;
      start(state, std::move(job), now);
    }
  }

  void start(RouteState& state, std::shared_ptr<ShadowJob> job, SteadyTime now) {
    const auto& config = route_of(*job).shadow;
    // What waited as long as a call may take says nothing about now any more.
    if (now - job->offered > config.timeout) return drop(*job, DropReason::queue);
    if (!state.account->take_rate(config.budget, now)) return drop(*job, DropReason::rate);
    if (wants_control(state, *job)) {
      if (state.in_flight + 1 >= config.max_in_flight) {
        meter_of(*job).control_dropped(DropReason::in_flight);
      } else if (!state.account->take_rate(config.budget, now)) {
        meter_of(*job).control_dropped(DropReason::rate);
      } else {
        spawn(state, job, Leg::control);
      }
    }
    spawn(state, std::move(job), Leg::shadow);
  }

  bool wants_control(const RouteState& state, const ShadowJob& job) const {
    const auto& control = route_of(job).shadow.control;
    if (control.automatic && state.triples < kTriplesWanted) return true;
    const auto share = control.automatic ? kControlAtRest : control.percent;
    return routing::drawn(routing::bucket(job.pair.snapshot->config().sampling_salt, "control",
                                          route_of(job).name, job.sampling_key),
                          share);
  }

  void spawn(RouteState& state, std::shared_ptr<ShadowJob> job, Leg leg) {
    ++state.in_flight;
    ++in_flight;
    asio::co_spawn(context, run_leg(state, std::move(job), leg),
                   [this, &state](std::exception_ptr failure) {
                     --state.in_flight;
                     --in_flight;
                     if (failure) log_error("shadow_leg_failed");
                     start_waiting(state, steady_clock::now());
                     if (draining && in_flight == 0) tell_idle();
                   });
  }

  // What a leg came to, and what it needs while it is under way.
  struct LegRun {
    std::shared_ptr<ShadowJob> job;
    Leg leg;
    routing::Variant variant;
    metrics::AttemptFacts facts;
    int status = 0;
    bool answer_begun = false;
    milliseconds pause{};
    bool rewrite_failed = false;
  };

  asio::awaitable<void> run_leg(RouteState& state, std::shared_ptr<ShadowJob> job, Leg leg) {
    const bool same = leg == Leg::control;
    const auto other = job->served == routing::Variant::primary ? routing::Variant::candidate
                                                                : routing::Variant::primary;
    LegRun run{.job = job, .leg = leg, .variant = same ? job->served : other, .facts = {}};
    std::optional<FailReason> failure;
    try {
      failure = co_await ask(run);
    } catch (const std::exception& problem) {
      log_error("shadow_leg_failed", {{"what", problem.what()}});
      failure = FailReason::transport;
    }
    settle(state, run, failure);
  }

  // Sends the request and hands the answer to the analysis, or says what went wrong.
  asio::awaitable<std::optional<FailReason>> ask(LegRun& run) {
    const ShadowJob& job = *run.job;
    const auto& route = route_of(job);
    const auto& variant =
        run.variant == routing::Variant::primary ? route.primary : *route.candidate;
    const auto view = pools.apply(job.pair.snapshot);
    const UpstreamTarget& upstream = *job.pair.snapshot->upstreams[variant.upstream];
    const auto& pool = view->pool(variant.upstream, routing::Surface::runtime);

    run.facts = {.variant = run.variant,
                 .leg = run.leg,
                 .operation = job.operation,
                 .model_id = variant.model.empty() ? job.model_id : variant.model,
                 .begun = steady_clock::now(),
                 .first_byte = {},
                 .ended = {}};

    std::string rewritten;
    const bool rewrites = routing::concerns(variant.rewrite, job.operation);
    if (rewrites) {
      auto outcome = co_await rewriter.rewrite(job.pair.snapshot, variant.rewrite, job.operation,
                                               job.pair.request_body);
      if (std::holds_alternative<routing::RewriteProblem>(outcome)) {
        run.rewrite_failed = true;
        co_return std::nullopt;
      }
      auto& done = std::get<routing::Rewritten>(outcome);
      if (done.applied > 0) rewritten = std::move(done.body);
    }
    const std::string_view body = rewritten.empty() ? job.pair.request_body.view() : rewritten;

    std::string target;
    append_upstream_target(upstream.config.endpoint, job.forwarded, job.model_place, variant.model,
                           target);
    std::string head;
    std::optional<Sha256> hash = rewritten.empty() ? job.body_hash : std::nullopt;
    const OutgoingRequest request{
        .method = "POST",
        .target = target,
        .authority = pool->authority(),
        .lines = job.lines,
        .content_type = job.content_type,
        .body = body,
        .shadow_mark = instance_id,
        .client_authorization =
            run.leg == Leg::control ? job.client_authorization : std::string_view{},
        .client_api_key = run.leg == Leg::control ? job.client_api_key : std::string_view{}};
    if (auto built = append_request_head(request, *upstream.credentials, upstream.config.region,
                                         signer, hash, head);
        !built) {
      co_return FailReason::credentials;
    }
    co_return co_await exchange(run, pool, route.shadow, upstream.config, head, body);
  }

  asio::awaitable<std::optional<FailReason>> exchange(
      LegRun& run, std::shared_ptr<UpstreamPool> pool, const routing::ShadowConfig& limits,
      const routing::UpstreamConfig& upstream, std::string_view head, std::string_view body) {
    ResponseHead head_storage;
    UpstreamCall call(
        std::move(pool),
        {.connect = std::min(limits.connect_timeout, upstream.connect_timeout),
         .first_byte = limits.first_byte_timeout,
         .idle = std::min(upstream.stream_idle_timeout, limits.timeout),
         .max_head_bytes = run.job->pair.snapshot->config().limits.max_response_header_bytes},
        head_storage);
    LegDeadline deadline(sweep, call, limits.timeout);
    const ActiveCall active(active_calls, call);
    const auto failed = [&](const Error& error) {
      return deadline.over() ? FailReason::timeout : fail_reason(error, run.answer_begun);
    };

    if (auto sent = co_await call.send(head, body); !sent) co_return failed(sent.error());
    auto answer = co_await call.read_head(false);
    if (!answer) co_return failed(answer.error());
    run.answer_begun = true;
    run.status = (*answer)->status;
    run.pause = retry_after(**answer);
    run.facts.first_byte = call.first_byte_at();

    HeldBytes held(memory);
    metrics::ResponseReader reader(blocks,
                                   {.beginning_bytes = limits.max_capture_bytes, .tail_bytes = 0});
    reader.on_head(run.status, (*answer)->fields);
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
    run.facts.ended = steady_clock::now();
    if (run.status == 429) co_return FailReason::throttled;
    hand_to_analysis(run, reader.finish(metrics::AnswerEnd::complete));
    co_return std::nullopt;
  }

  void hand_to_analysis(const LegRun& run, metrics::CapturedAnswer captured) {
    auto task = std::make_unique<PairTask>();
    task->facts = run.facts;
    task->captured = std::move(captured);
    task->pair = run.job->pair;
    task->bytes = task->captured.kept_bytes() + task->pair.request_body.size();
    analysis.offer(std::move(task));
  }

  void settle(RouteState& state, const LegRun& run, std::optional<FailReason> failure) {
    const auto now = steady_clock::now();
    const ShadowJob& job = *run.job;
    if (run.rewrite_failed) return skip(job, routing::SkipReason::rewrite_failed);
    metrics::RouteMeter& meter = meter_of(job);
    meter.request(job.operation, run.variant, run.leg, run.status, now - run.facts.begun);
    if (run.leg == Leg::control) {
      if (failure) meter.control_failed(*failure);
      if (!failure) ++state.triples;
      return;
    }
    if (failure) meter.failed(*failure);
    const auto& breaker = route_of(job).shadow.breaker;
    if (run.status == 429 || run.status == 503) {
      state.throttled(now, run.pause);
      job.pair.account->breaker.abandoned();
    } else if (run.status >= 500 || (failure && *failure != FailReason::cancelled)) {
      job.pair.account->breaker.failed(now, breaker);
    } else if (!failure) {
      state.answered();
      job.pair.account->breaker.succeeded(now, breaker);
    }
  }

  void drop_waiting() {
    for (auto& [name, state] : routes) {
      queued -= state->waiting.size();
      for (const auto& job : state->waiting) drop(*job, DropReason::draining);
      state->waiting.clear();
    }
  }

  void begin_draining() {
    draining = true;
    jobs.take_all([this](std::unique_ptr<ShadowJob> job) { drop(*job, DropReason::draining); });
    drop_waiting();
    if (in_flight == 0) tell_idle();
  }

  void cut() {
    for (UpstreamCall* call : active_calls) call->interrupt();
  }

  void stop() {
    stopping = true;
    begin_draining();
    cut();
    resolver.stop();
    pools.close_idle();
    sweep.stop();
  }

  // --- Any thread
  // --------------------------------------------------------------------------------------------------

  void tell_idle() {
    const std::lock_guard lock(idle_mutex);
    idle = true;
    idle_changed.notify_all();
  }

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

  // Constant after construction or safe for any thread.
  Analysis& analysis;
  metrics::Recorder& recorder;
  ShadowMemory memory;
  const std::string instance_id;
  Handover<ShadowJob> jobs;
  std::atomic<bool> refusing{false};
  std::atomic<std::size_t> queued{0};
  std::atomic<std::size_t> in_flight{0};

  std::mutex accounts_mutex;
  std::map<std::string, std::shared_ptr<ShadowAccount>, std::less<>> accounts;
  std::mutex idle_mutex;
  std::condition_variable idle_changed;
  bool idle = false;

  // Shadow thread.
  metrics::BlockPool& blocks;
  // Sockets and timers are this thread's alone, so they need no locks; posting from other threads
  // does and has.
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  DeadlineSweep sweep{context};
  Resolver resolver{context};
  ThreadResources resources{context, sweep, resolver, blocks};
  PoolSet pools{resources};
  Rewriter rewriter;
  Signer signer;
  SeenCalls seen;
  std::map<ShadowAccount*, std::unique_ptr<RouteState>> routes;
  std::list<UpstreamCall*> active_calls;
  bool draining = false;
  bool stopping = false;
  std::thread thread;
};

ShadowDispatcher::ShadowDispatcher(Analysis& analysis, metrics::Recorder& recorder,
                                   metrics::BlockPool& blocks, const routing::Config& config,
                                   std::string_view instance_id)
    : impl_(std::make_unique<Impl>(analysis, recorder, blocks, config, instance_id)) {}

ShadowDispatcher::~ShadowDispatcher() = default;

ShadowMemory& ShadowDispatcher::memory() noexcept {
  return impl_->memory;
}

std::shared_ptr<ShadowAccount> ShadowDispatcher::account(std::string_view route) {
  const std::lock_guard lock(impl_->accounts_mutex);
  auto found = impl_->accounts.find(route);
  if (found == impl_->accounts.end()) {
    found = impl_->accounts.emplace(std::string{route}, std::make_shared<ShadowAccount>()).first;
  }
  return found->second;
}

std::optional<DropReason> ShadowDispatcher::offer(std::unique_ptr<ShadowJob>& job) noexcept {
  if (impl_->refusing.load(std::memory_order_relaxed)) return DropReason::draining;
  impl_->jobs.push(std::move(job));
  return std::nullopt;
}

void ShadowDispatcher::apply(const routing::Config& config) {
  impl_->memory.set_max(config.limits.max_shadow_bytes);
}

void ShadowDispatcher::drain(milliseconds limit) {
  impl_->refusing = true;
  asio::post(impl_->context, [impl = impl_.get()] { impl->begin_draining(); });
  std::unique_lock lock(impl_->idle_mutex);
  if (impl_->idle_changed.wait_for(lock, limit, [this] { return impl_->idle; })) return;
  lock.unlock();
  asio::post(impl_->context, [impl = impl_.get()] { impl->cut(); });
}

std::size_t ShadowDispatcher::queued() const noexcept {
  return impl_->queued;
}
std::size_t ShadowDispatcher::in_flight() const noexcept {
  return impl_->in_flight;
}

}  // namespace understudy::proxy
