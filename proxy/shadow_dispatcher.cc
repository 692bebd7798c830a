#include "proxy/shadow_dispatcher.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "metrics/http_status.h"
#include "proxy/control_need.h"
#include "proxy/log.h"
#include "proxy/pool_trim.h"
#include "proxy/rewriter.h"
#include "proxy/seen_calls.h"
#include "proxy/shadow_leg.h"
#include "proxy/spending_file.h"
#include "proxy/thread_snapshot.h"
#include "routing/day.h"
#include "routing/hash.h"
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
// What was spent since the last time is what a crash forgets.
constexpr auto kSaveSpendingEvery = 10s;
// What `auto` asks for where nothing needs more (control_need.h).
constexpr routing::Percent kControlAtRest{200};

// What one route's copies are doing. Shadow thread only.
struct RouteState {
  explicit RouteState(std::shared_ptr<ShadowAccount> a) : account(std::move(a)) {}
  std::shared_ptr<ShadowAccount> account;
  std::deque<std::shared_ptr<ShadowJob>> waiting;
  std::size_t in_flight = 0;
  std::size_t window = SIZE_MAX;  // calls at once that a throttling candidate still bears
  SteadyTime narrowed{};
  SteadyTime paused_until{};
  ControlNeed controls;

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

}  // namespace

struct ShadowDispatcher::Impl {
  Impl(Analysis& analysis_, metrics::Recorder& recorder_, metrics::StateStore& store,
       ShadowThreadMemory& thread_memory_, const routing::Config& config, std::string_view instance)
      : analysis(analysis_),
        recorder(recorder_),
        memory(config.limits.max_shadow_bytes),
        instance_id(instance),
        spending(config.state_directory, store),
        begun_on(routing::today()),
        spent_before(spending.load(begun_on)),
        thread_memory(thread_memory_) {
    thread = std::thread([this] {
      proxy::spawn(context, look_for_jobs(), [](std::exception_ptr) {});
      context.run();
    });
    pthread_setname_np(thread.native_handle(), "shadow");
  }

  ~Impl() {
    asio::post(context, [this] { stop(); });
    thread.join();
    save_spending();
  }

  // --- Shadow thread
  // -----------------------------------------------------------------------------------------------

  Task<void> look_for_jobs() {
    asio::steady_timer timer(context);
    auto last_work = steady_clock::now();
    while (!stopping) {
      const auto now = steady_clock::now();
      const bool any =
          jobs.take_all([&](Recycler<ShadowJob>::Pointer job) { accept(std::move(job), now); });
      if (any || in_flight > 0 || queued > 0) {
        last_work = now;
        trim.soon();
      }
      for (auto& [name, route] : routes) start_waiting(*route, now);
      recorder.shadow_load(queued, in_flight, memory.held());
      if (now - saved_spending >= kSaveSpendingEvery) {
        saved_spending = now;
        save_spending();
      }
      timer.expires_after(now - last_work < kStaysBusy ? kBusyLook : kIdleLook);
      co_await timer.async_wait(kAsTuple);
    }
    tell_idle();
  }

  void save_spending() {
    // Read with one day, so that yesterday's money is not kept as today's.
    const std::chrono::sys_days day = routing::today();
    Spending spent;
    {
      const std::lock_guard lock(accounts_mutex);
      for (const auto& [route, account] : accounts) {
        if (const double usd = account->spent_today(); usd > 0.0) spent.emplace(route, usd);
      }
    }
    spending.save(spent, day);
  }

  RouteState& state_of(const ShadowJob& job) {
    auto& state = routes[job.pair.account.get()];
    if (!state) state = std::make_unique<RouteState>(job.pair.account);
    return *state;
  }

  // Sorts out what must not be sent; the rest waits for its turn.
  void accept(std::shared_ptr<ShadowJob> job, SteadyTime now) {
    if (draining) return drop(*job, DropReason::draining);
    if (copied_before(*job, now)) return skip(*job, routing::SkipReason::retry);
    if (route_of(*job).shadow.skip_probes && routing::is_probe(job->pair.request_body.view())) {
      return skip(*job, routing::SkipReason::probe);
    }
    if (is_left_out(job->pair, job->sampling_key)) return skip(*job, routing::SkipReason::settled);
    ++queued;
    RouteState& state = state_of(*job);
    state.waiting.push_back(std::move(job));
    start_waiting(state, now);
  }

  // Attempts of one call carry one id, or else a count (x-stainless-retry-count). With a count
  // alone a repeated attempt is known by the bytes it repeats: a call of its own with those very
  // bytes would be taken for it, which loses a copy of what was copied already, and nothing else.
  bool copied_before(const ShadowJob& job, SteadyTime now) {
    using Attempt = ShadowJob::Attempt;
    const routing::LimitsConfig& limits = job.pair.snapshot->config().limits;
    if (!job.invocation_id.empty()) return !seen.first_time(job.invocation_id, now, limits);
    if (job.attempt == Attempt::untold) return false;
    const std::uint64_t bytes = routing::hash64(job.pair.request_body.view());
    const bool is_new = seen.first_time(job.forwarded + ' ' + routing::hex(bytes), now, limits);
    return job.attempt == Attempt::repeated && !is_new;
  }

  void drop(const ShadowJob& job, DropReason reason) {
    abandon_probe(job);
    meter_of(job).dropped(reason);
  }
  void skip(const ShadowJob& job, routing::SkipReason reason) {
    abandon_probe(job);
    meter_of(job).skipped(reason);
  }
  // Another copy may be the probe then.
  void abandon_probe(const ShadowJob& job) {
    if (job.is_probe) job.pair.account->breaker.abandoned();
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
    // The primary was throttled since: what waited shares its quota, too.
    if (state.account->suspended(now)) return drop(*job, DropReason::suspended);
    if (!is_permitted(*job, now)) return drop(*job, DropReason::breaker);
    if (const auto refused = take_budget(*job, Leg::shadow, now)) return drop(*job, *refused);
    if (wants_control(state, *job)) {
      const auto refused = state.in_flight + 1 >= config.max_in_flight
                               ? DropReason::in_flight
                               : take_budget(*job, Leg::control, now);
      if (refused) {
        meter_of(*job).control_dropped(*refused);
      } else {
        spawn(state, job, Leg::control);
      }
    }
    spawn(state, std::move(job), Leg::shadow);
  }

  // The breaker let it in, but may have opened since: what waited would go on asking a candidate
  // that is gone.
  static bool is_permitted(ShadowJob& job, SteadyTime now) noexcept {
    if (job.is_probe) return true;
    const Breaker::Permit permit = job.pair.account->breaker.ask(now);
    job.is_probe = permit == Breaker::Permit::probe;
    return permit != Breaker::Permit::no;
  }

  // What a leg takes of the route's rate and tokens, or which of them has not enough.
  std::optional<DropReason> take_budget(ShadowJob& job, Leg leg, SteadyTime now) {
    const routing::ShadowBudget& budget = route_of(job).shadow.budget;
    ShadowAccount& account = *job.pair.account;
    if (!account.take_rate(budget, now)) return DropReason::rate;
    if (!budget.tokens_per_minute) return std::nullopt;
    const std::string_view body = job.pair.request_body.view();
    const std::uint64_t wanted =
        metrics::reserved_tokens(account.estimated_input(body.size()),
                                 routing::max_output_tokens(body), quota_rule_of(job, leg));
    auto& taken = leg == Leg::control ? job.control_tokens : job.shadow_tokens;
    if (account.take_tokens(budget, wanted, now, taken)) return std::nullopt;
    return DropReason::tokens;
  }

  bool wants_control(RouteState& state, ShadowJob& job) {
    const auto& control = route_of(job).shadow.control;
    const auto share = control.automatic ? kControlAtRest : control.percent;
    if (routing::drawn(routing::bucket(job.pair.snapshot->config().sampling_salt, "control",
                                       route_of(job).name, job.sampling_key),
                       share))
      return true;
    // Where the candidate served it would be asked again, which tells nothing of the primary's
    // noise.
    if (!control.automatic || job.served != routing::Variant::primary) return false;
    state.controls.begin(job.pair.snapshot->experiments[job.pair.route]);
    const auto known = analysis.evidence().evidence(route_of(job).name);
    const ControlNeed::Rules rules{
        .verdict = route_of(job).verdict,
        .settles_families = route_of(job).shadow.settled < routing::kAllTraffic};
    if (state.controls.of_all(known.get(), rules)) return true;
    std::string family = family_named_by(job.pair);
    if (!state.controls.of_family(known.get(), family, rules)) return false;
    job.pair.control_family = std::move(family);
    return true;
  }

  void spawn(RouteState& state, std::shared_ptr<ShadowJob> job, Leg leg) {
    ++state.in_flight;
    ++in_flight;
    ++job->legs;
    proxy::spawn(context, run_leg(legs, job, leg),
                 [this, &state, job, leg](std::exception_ptr broken, LegResult result) {
                   --state.in_flight;
                   --in_flight;
                   if (broken) {  // not even memory to begin
                     result.facts.leg = leg;
                     result.failure = FailReason::transport;
                   }
                   settle(state, *job, result);
                   if (--job->legs == 0) job->leave();
                   start_waiting(state, steady_clock::now());
                   if (draining && in_flight == 0) tell_idle();
                 });
  }

  void settle(RouteState& state, const ShadowJob& job, const LegResult& result) {
    const auto now = steady_clock::now();
    const auto& failure = result.failure;
    metrics::RouteMeter& meter = meter_of(job);
    settle_budget(job, result);
    if (result.facts.leg == Leg::shadow && result.rewrite_failed) {
      return skip(job, routing::SkipReason::rewrite_failed);
    }
    meter.request(job.operation, result.facts.variant, result.facts.leg, result.status,
                  now - result.facts.begun);
    if (result.facts.leg == Leg::control) {
      if (failure) meter.control_failed(*failure);
      const bool answered = !failure && metrics::is_success(result.status);
      if (answered && job.served == routing::Variant::primary) count_control(state, job);
      // It asks the variant that serves: what throttles it throttles clients next.
      if (result.status > 0) state.account->primary_answered(route_of(job), result.status, now);
      return;
    }
    if (failure) meter.failed(*failure);
    const auto& breaker = route_of(job).shadow.breaker;
    if (result.status == 429 || result.status == 503) {
      state.throttled(now, result.pause);
      abandon_probe(job);
    } else if (result.status >= 500 || (failure && *failure != FailReason::cancelled)) {
      job.pair.account->breaker.failed(now, breaker);
    } else if (!failure) {
      state.answered();
      job.pair.account->breaker.succeeded(now, breaker);
    }
  }

  static void count_control(RouteState& state, const ShadowJob& job) {
    const std::string& family = job.pair.control_family;
    if (family.empty()) {
      state.controls.answered();
    } else {
      state.controls.answered(family);
    }
  }

  // A call that brought nothing to read: whether its tokens and its money are used up all the same.
  void settle_budget(const ShadowJob& job, const LegResult& result) {
    if (!result.failure) return;  // the analysis knows
    ShadowAccount& account = *job.pair.account;
    if (result.status == 200 || *result.failure == FailReason::timeout) {
      account.spent(std::nullopt);
    } else {
      account.settle_tokens(job.tokens_of(result.facts.leg), 0);
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
    jobs.take_all([this](Recycler<ShadowJob>::Pointer job) { drop(*job, DropReason::draining); });
    drop_waiting();
    if (in_flight == 0) tell_idle();
  }

  void cut() {
    legs.cut = true;
    // One that is interrupted may end at once and leave the list.
    for (auto call = legs.active_calls.begin(); call != legs.active_calls.end();)
      (*call++)->interrupt();
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

  // Constant after construction or safe for any thread.
  Analysis& analysis;
  metrics::Recorder& recorder;
  ShadowMemory memory;
  const std::string instance_id;
  Handover<ShadowJob, Recycler<ShadowJob>::Pointer> jobs;
  std::atomic<bool> refusing{false};
  std::atomic<std::size_t> queued{0};
  std::atomic<std::size_t> in_flight{0};

  std::mutex accounts_mutex;
  std::map<std::string, std::shared_ptr<ShadowAccount>, std::less<>> accounts;
  SpendingFile spending;  // the shadow thread's, and the destructor's behind it
  const std::chrono::sys_days begun_on;
  const Spending spent_before;  // on that day, by an earlier process
  std::mutex idle_mutex;
  std::condition_variable idle_changed;
  bool idle = false;

  // Shadow thread.
  ShadowThreadMemory& thread_memory;
  SteadyTime saved_spending = steady_clock::now();
  // Sockets and timers are this thread's alone, so they need no locks; posting from other threads
  // does and has.
  asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  DeadlineSweep sweep{context};
  PoolTrim trim{sweep, thread_memory.blocks};
  Resolver resolver{context};
  ThreadResources resources{context, sweep, resolver, thread_memory.blocks};
  PoolSet pools{resources};
  Rewriter rewriter;
  Signer signer;
  SeenCalls seen{recorder};
  ScratchPool scratch;
  ShadowThread legs{resources,           pools,       rewriter, signer, analysis, memory, scratch,
                    thread_memory.pairs, instance_id, {},       false};
  std::map<ShadowAccount*, std::unique_ptr<RouteState>> routes;
  bool draining = false;
  bool stopping = false;
  std::thread thread;
};

void ShadowJob::clear() noexcept {
  leave();
  for (std::string* text : {&pair.exchange_id, &pair.asked_model, &pair.family, &pair.caller,
                            &pair.control_family, &invocation_id, &sampling_key, &forwarded, &lines,
                            &content_type, &client_authorization, &client_api_key}) {
    clear_for_reuse(*text);
  }
  pair.snapshot.reset();
  pair.request_body = {};
  pair.served.reset();
  pair.account.reset();
  pair.in_pool = true;
  shadow_tokens = control_tokens = {};
  pair.is_weighed = false;
  body_hash.reset();
  is_probe = false;
}

ShadowDispatcher::ShadowDispatcher(Analysis& analysis, metrics::Recorder& recorder,
                                   metrics::StateStore& store, ShadowThreadMemory& memory,
                                   const routing::Config& config, std::string_view instance_id)
    : impl_(std::make_unique<Impl>(analysis, recorder, store, memory, config, instance_id)) {}

ShadowDispatcher::~ShadowDispatcher() = default;

ShadowMemory& ShadowDispatcher::memory() noexcept {
  return impl_->memory;
}

std::shared_ptr<ShadowAccount> ShadowDispatcher::account(std::string_view route) {
  const std::lock_guard lock(impl_->accounts_mutex);
  auto found = impl_->accounts.find(route);
  if (found == impl_->accounts.end()) {
    found = impl_->accounts.emplace(std::string{route}, std::make_shared<ShadowAccount>()).first;
    const auto before = impl_->spent_before.find(route);
    if (before != impl_->spent_before.end() && impl_->begun_on == routing::today())
      found->second->spent_before(before->second);
  }
  return found->second;
}

std::shared_ptr<const ShadowAccount> ShadowDispatcher::known_account(std::string_view route) const {
  const std::lock_guard lock(impl_->accounts_mutex);
  const auto found = impl_->accounts.find(route);
  return found == impl_->accounts.end() ? nullptr : found->second;
}

std::optional<DropReason> ShadowDispatcher::offer(Recycler<ShadowJob>::Pointer& job) noexcept {
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
