#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "metrics/recorder.h"
#include "proxy/admin.h"
#include "proxy/commands/address_url.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/process.h"
#include "proxy/companion_watch.h"
#include "proxy/config_watch.h"
#include "proxy/credential_report.h"
#include "proxy/event_watch.h"
#include "proxy/events.h"
#include "proxy/exposition.h"
#include "proxy/fleet_watch.h"
#include "proxy/keep_warm.h"
#include "proxy/lifecycle_poll.h"
#include "proxy/lifecycle_posts.h"
#include "proxy/lifecycle_report.h"
#include "proxy/log.h"
#include "proxy/periodic.h"
#include "proxy/quota_poll.h"
#include "proxy/reload.h"
#include "proxy/replica_id.h"
#include "proxy/rollout_keeper.h"
#include "proxy/rollout_status.h"
#include "proxy/server.h"
#include "proxy/snapshot.h"
#include "proxy/state_writer.h"
#include "proxy/unusable_places.h"
#include "proxy/volume_book.h"
#include "proxy/webhook.h"
#include "routing/config_loader.h"
#include "routing/day.h"

namespace understudy::proxy {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A storm of SIGHUPs is one reload at once and one at the end of each such time.
constexpr auto kReloadPause = std::chrono::seconds(1);
constexpr milliseconds kRolloutLook(1'000);
// Between the tries of a config that was refused for what may pass: doubled from the one to the
// other.
constexpr auto kFirstRetryPause = std::chrono::seconds(1);
constexpr auto kLastRetryPause = std::chrono::seconds(64);
constexpr milliseconds kEventLook(2'000);
// What a reload waits for the credentials of upstreams that it changes.
constexpr auto kCredentialsWait = std::chrono::seconds(10);

// The first snapshot, or every problem on `err`.
std::shared_ptr<const Snapshot> first_snapshot(const std::filesystem::path& file,
                                               metrics::Recorder& recorder,
                                               aws::CredentialsKeeper& keeper,
                                               RolloutKeeper& rollouts, std::ostream& err) {
  const routing::LoadedConfig loaded = routing::load_config_file(file);
  for (const routing::ConfigProblem& problem : loaded.problems) err << problem.to_string() << "\n";
  if (!loaded.config) return nullptr;
  SnapshotResult made = make_snapshot(loaded.config, recorder, keeper, process_environment(),
                                      rollouts.shares_for(*loaded.config));
  for (const std::string& problem : made.problems) err << file.string() << ": " << problem << "\n";
  return made.snapshot;
}

Event event_of(const ReloadOutcome& outcome) {
  const bool refused = outcome.result == metrics::ReloadResult::refused;
  std::string text = refused ? "a config is refused, the one before stays in force"
                     : outcome.changes.empty() ? "the config was read again: no setting changed"
                                               : "a changed config is in force";
  for (const std::string& what : refused ? outcome.problems : outcome.changes)
    text.append("; ").append(what);
  return {.kind = "config",
          .route = {},
          .text = std::move(text),
          .facts = {{"result", std::string(label(outcome.result))}},
          .warning = refused};
}

// Whoever counts on records or on a state that is kept learns at once that there will be none.
void tell_unusable_places(const routing::Config& config) {
  for (const std::string& problem : unusable_places(config))
    log_error("place_unusable", {{"problem", problem}});
}

// The program while it runs. Members end in reverse order: first whoever may ask for a reload, the
// server last.
class Program {
 public:
  Program(std::filesystem::path file, metrics::Recorder& recorder, aws::CredentialsKeeper& keeper,
          RolloutKeeper& rollouts, EventLog& events, StateWriter& state_writer, Webhook& webhook,
          std::unique_ptr<Server> server)
      : file_(std::move(file)),
        recorder_(recorder),
        keeper_(keeper),
        rollouts_(rollouts),
        events_(events),
        state_writer_(state_writer),
        webhook_(webhook),
        server_(std::move(server)),
        replica_(replica_id(config().state_directory)),
        reloader_(reload_steps(), recorder),
        event_watch_(events),
        lifecycle_poll_([this] { return in_force(); }, server_->models(), LifecyclePoll::Options{}),
        lifecycle_posts_(events, state_writer, config().state_directory, routing::today),
        quota_poll_([this] { return in_force(); }, process_environment(), QuotaPoll::Options{}),
        fleet_watch_({.snapshot = [this] { return in_force(); },
                      .rollouts = [this](auto route) { return rollouts_.view(route); }},
                     replica_,
                     FleetWatch::Options{.state_directory = config().state_directory,
                                         .state = state_writer}),
        rollout_watch_("rollouts", kRolloutLook, [this] { look_at_rollouts(); }),
        event_looks_("events", kEventLook, [this] { look_for_events(); }),
        companions_([this] { reloader_.reload(ReloadSource::companion); },
                    CompanionWatch::Options{}),
        reload_retry_("reload-retry", kFirstRetryPause, [this] { try_again(); }),
        keep_warm_([this] { return in_force(); }, server_->models(), KeepWarm::Options{}) {
    tell_dates();
  }

  Status start_admin() {
    auto admin = Admin::start(config().admin, admin_sources());
    if (!admin) return admin.error();
    admin_ = std::move(*admin);
    return {};
  }

  void start_watch() {
    watch_ = std::make_unique<ConfigWatch>(
        file_, config().hash, [this] { reloader_.reload(ReloadSource::watch); },
        ConfigWatch::Options{});
    watch_companions();
  }

  // One line for machines and one for people; both with the real ports.
  void announce(std::ostream& err) {
    const auto snapshot = server_->snapshot();
    const auto& listeners = snapshot->config().listeners;
    const std::vector<std::uint16_t> ports = server_->ports();
    std::string addresses;
    for (std::size_t i = 0; i < listeners.size() && i < ports.size(); ++i) {
      addresses.append(addresses.empty() ? "" : ",")
          .append(url_of(listeners[i].address, ports[i], listeners[i].tls.has_value()));
    }
    const routing::AdminConfig& admin_config = snapshot->config().admin;
    const std::string admin =
        url_of(admin_config.address, admin_->port(), admin_config.tls.has_value());
    ready_ = true;
    log_info("listening", {{"addresses", addresses}, {"admin", admin}});
    err << "understudy listens on " << addresses << "; status page and metrics on " << admin << "/"
        << std::endl;
  }

  // Returns at the first SIGTERM or SIGINT.
  void serve_until_told_to_stop(Signals& signals) {
    bool reload_wanted = false;
    auto reload_from = Clock::now();
    while (true) {
      const auto left = std::chrono::ceil<milliseconds>(reload_from - Clock::now());
      const auto signal = signals.wait(reload_wanted ? std::optional(left) : std::nullopt);
      if (signal == SIGTERM || signal == SIGINT) return;
      if (signal == SIGHUP) reload_wanted = true;
      if (reload_wanted && Clock::now() >= reload_from) {
        reload_wanted = false;
        reload_from = Clock::now() + kReloadPause;
        reloader_.reload(ReloadSource::signal);
      }
    }
  }

  void drain() {
    watch_.reset();
    companions_.watch({});
    draining_ = true;
    ready_ = false;
    const auto snapshot = server_->snapshot();
    const routing::DrainConfig& drain = snapshot->config().drain;
    log_info("draining",
             {{"lame_duck_ms", drain.lame_duck.count()}, {"timeout_ms", drain.timeout.count()}});
    // Connections are still accepted: whoever balances the load needs time to see /readyz.
    std::this_thread::sleep_for(drain.lame_duck);
    const bool finished = server_->drain(drain.timeout);
    log_info("stopped", {{"all_finished", finished}});
  }

 private:
  std::shared_ptr<const Snapshot> in_force() const { return server_->snapshot(); }
  routing::Config config() const { return in_force()->config(); }

  ReloadSteps reload_steps() {
    return {.load =
                [this] {
                  routing::LoadedConfig loaded = routing::load_config_file(file_);
                  refused_for_now_ = !loaded.config;
                  return loaded;
                },
            .build = [this](auto wanted) { return build(std::move(wanted)); },
            .in_force = [this] { return in_force(); },
            .apply = [this](auto snapshot) { return put_in_force(std::move(snapshot)); },
            .told = [this](const ReloadOutcome& outcome) { events_.publish(event_of(outcome)); }};
  }

  // What fails here is not the config but what it names: a file or credentials that may come yet.
  SnapshotResult build(std::shared_ptr<const routing::Config> wanted) {
    std::vector<std::filesystem::path> files = companion_files(config());
    std::ranges::move(companion_files(*wanted), std::back_inserter(files));
    companions_.watch(files);  // before they are read
    auto shares = rollouts_.shares_for(*wanted);
    SnapshotResult made = make_snapshot(std::move(wanted), recorder_, keeper_,
                                        process_environment(), std::move(shares));
    require_new_credentials(made, *in_force(), keeper_, kCredentialsWait);
    refused_for_now_ = made.snapshot == nullptr;
    return made;
  }

  // On the retry's thread. Not all that a config waits for can be watched: credentials, or files
  // without which it could not even be loaded.
  void try_again() {
    if (!refused_for_now_) {
      retry_pause_ = kFirstRetryPause;
      next_retry_ = {};
    } else if (Clock::now() >= next_retry_) {
      // A file that is bad in itself stays so, and was told of.
      if (routing::load_config_file(file_).config) reloader_.reload(ReloadSource::retry);
      next_retry_ = Clock::now() + retry_pause_;
      retry_pause_ = std::min(2 * retry_pause_, kLastRetryPause);
    }
  }

  Status put_in_force(std::shared_ptr<const Snapshot> snapshot) {
    Status applied = server_->apply(snapshot);
    if (!applied) {
      // A port that somebody else has may become free.
      refused_for_now_ = applied.error().kind == ErrorKind::connect;
      return applied;
    }
    tell_unusable_places(snapshot->config());
    tell_dates();
    webhook_.apply(snapshot->config().events.webhook);
    rollouts_.applied(snapshot->config());
    events_.keep_in(snapshot->config().state_directory, state_writer_);
    watch_companions();
    return applied;
  }

  void look_at_rollouts() {
    const auto snapshot = in_force();
    const EvidenceSource evidence = [this](std::string_view route) {
      return server_->evidence(route);
    };
    std::optional<std::vector<Sample>> samples;  // read once, and only where a route has gates
    rollouts_.look(
        [&](const std::string& route) {
          if (!samples) samples = parse_exposition(recorder_.render());
          const auto fleet = fleet_watch_.reading(route);
          RouteLook look = look_at(*snapshot, route, evidence, *samples, fleet.get());
          look.no_room = refused_stages(
              snapshot->config(), route,
              [this](std::string_view name) { return server_->volumes().peak(name); },
              quota_source());
          look.no_way_back = closed_way_back(snapshot->config(), route, server_->models().entries(),
                                             std::chrono::system_clock::now());
          return look;
        },
        snapshot->config().evidence.prometheus.has_value());
    server_->look_at_families();
    for (const routing::RouteConfig& route : snapshot->config().routes) {
      const auto rollout = rollouts_.view(route.name);
      if (rollout && is_in_stage(*rollout)) server_->begin_stage(route.name, stage_name(*rollout));
    }
  }

  void look_for_events() {
    const auto snapshot = in_force();
    const EvidenceSource evidence = [this](std::string_view route) {
      return server_->evidence(route);
    };
    event_watch_.look({.snapshot = *snapshot,
                       .evidence = evidence,
                       .models = server_->models().entries(),
                       .samples = parse_exposition(recorder_.render())},
                      std::chrono::system_clock::now());
    events_.save();
    tell_dates();
  }

  // The dates that are known: the config's, the file's, polled and posted ones.
  std::shared_ptr<const metrics::Lifecycles> lifecycles() const {
    return lifecycle_posts_.with_posted(lifecycle_poll_.with_told(in_force()->lifecycles));
  }
  // By them an "invalid identifier" is told from a typo. Whoever learned of a date calls it, on any
  // thread: one at a time, lest what one put together before takes away what another told since.
  void tell_dates() {
    const std::lock_guard lock(dates_mutex_);
    server_->models().set_dates(lifecycles());
  }
  LifecyclePosts::Answer post_lifecycle(std::string_view body) {
    LifecyclePosts::Answer answer = lifecycle_posts_.post(body);
    tell_dates();
    return answer;
  }

  QuotaSource quota_source() const {
    return [this](const auto& config, const auto& route) {
      return quota_poll_.reading(config, route);
    };
  }

  // The files that the config in force names may be others now.
  void watch_companions() { companions_.watch(companion_files(config())); }

  std::string exposition() {
    recorder_.request_bodies(server_->load().request_body_bytes);
    return recorder_.render() + webhook_exposition(webhook_.counts()) +
           lifecycle_poll_.exposition() + state_writer_.exposition();
  }

  AdminSources admin_sources() {
    return {.exposition = [this] { return exposition(); },
            .snapshot = [this] { return in_force(); },
            .process = [this] { return status(); },
            .reload = [this] { return reloader_.reload(ReloadSource::request); },
            .evidence = [this](std::string_view route) { return server_->evidence(route); },
            .shadow = [this](std::string_view route) { return server_->shadow_account(route); },
            .volumes = [this](std::string_view route) { return server_->volumes().peak(route); },
            .quotas = quota_source(),
            .quota_exposition = [this] { return quota_poll_.exposition(); },
            .post_lifecycle = [this](std::string_view body) { return post_lifecycle(body); },
            .refused = [this](std::string_view limit) { recorder_.refused(limit); },
            .rollouts = rollouts_,
            .events = events_,
            .replica = replica_,
            .fleet = [this](std::string_view route) { return fleet_watch_.reading(route); },
            .fleet_exposition = [this] { return fleet_watch_.exposition(); },
            .family_lines = [this](auto route) { return server_->family_lines(route); }};
  }

  ProcessStatus status() const {
    CredentialReadiness credentials = credential_readiness(*in_force());
    return {.ready = ready_ && credentials.ready,
            .draining = draining_,
            .uptime = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started_),
            .load = server_->load(),
            .last_reload = reloader_.last(),
            .lacking = std::move(credentials.lacking),
            .models = server_->models().entries(),
            .lifecycles = lifecycles()};
  }

  const std::filesystem::path file_;
  const Clock::time_point started_ = Clock::now();
  std::atomic<bool> ready_ = false;
  std::atomic<bool> draining_ = false;
  std::atomic<bool> refused_for_now_ = false;  // the last config, for what may pass
  // The retry's thread:
  std::chrono::seconds retry_pause_ = kFirstRetryPause;
  Clock::time_point next_retry_{};

  std::mutex dates_mutex_;  // held while the merged dates are put together and handed over

  metrics::Recorder& recorder_;
  aws::CredentialsKeeper& keeper_;
  RolloutKeeper& rollouts_;
  EventLog& events_;
  StateWriter& state_writer_;
  Webhook& webhook_;
  std::unique_ptr<Server> server_;
  const std::string replica_;
  Reloader reloader_;
  EventWatch event_watch_;
  LifecyclePoll lifecycle_poll_;
  LifecyclePosts lifecycle_posts_;
  QuotaPoll quota_poll_;
  FleetWatch fleet_watch_;
  Periodic rollout_watch_;
  Periodic event_looks_;
  CompanionWatch companions_;
  Periodic reload_retry_;
  KeepWarm keep_warm_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<ConfigWatch> watch_;
};

int serve(const Options& options, std::ostream&, std::ostream& err) {
  prepare_process();
  Signals signals;  // before any thread starts
  const std::filesystem::path file = options.values.at("config");
  const auto recorder = metrics::make_prometheus_recorder();
  aws::CredentialsKeeper keeper(*recorder);
  Webhook webhook(process_environment());
  StateWriter state_writer;
  EventLog events;  // after the webhook, which it tells
  events.listen([&webhook](const Event& event) { webhook.offer(event); });
  RolloutKeeper rollouts(events, state_writer);
  const auto snapshot = first_snapshot(file, *recorder, keeper, rollouts, err);
  if (!snapshot) return kExitBadConfig;
  set_log_level(snapshot->config().log.level);
  tell_unusable_places(snapshot->config());
  recorder->config_applied(snapshot->config());
  webhook.apply(snapshot->config().events.webhook);
  events.keep_in(snapshot->config().state_directory, state_writer);
  rollouts.applied(snapshot->config());

  auto server = Server::start(snapshot, *recorder, state_writer);
  if (!server) {
    err << "understudy: " << server.error().context << "\n";
    return kExitNegative;
  }
  Program program(file, *recorder, keeper, rollouts, events, state_writer, webhook,
                  std::move(*server));
  if (const Status admin = program.start_admin(); !admin) {
    err << "understudy: " << admin.error().context << "\n";
    return kExitNegative;
  }
  program.start_watch();
  program.announce(err);
  program.serve_until_told_to_stop(signals);
  signals.next_one_ends_the_process();
  program.drain();
  return kExitGood;
}

}  // namespace

Command serve_command() {
  return {.name = "serve",
          .summary = "run the proxy",
          .description =
              "Serves what the config's listeners receive: requests go to the primary model and "
              "its answers come back byte\n"
              "for byte, a share of them is copied to the candidate afterwards, and the figures of "
              "both are on the admin\n"
              "port (/, /metrics, /api/status).\n\n"
              "A changed config file takes effect by itself, a bad one never does; SIGHUP or POST "
              "/api/reload also picks up\n"
              "changed credentials. SIGTERM and SIGINT drain: /readyz says no, requests under way "
              "finish, then the process\n"
              "ends with 0. A second signal ends it at once.",
          .example =
              "  understudy serve --config config.yaml\n"
              "  aws bedrock-runtime converse --endpoint-url http://127.0.0.1:8080 --model-id "
              "amazon.nova-lite-v1:0 \\\n"
              "    --messages '[{\"role\": \"user\", \"content\": [{\"text\": \"Hello\"}]}]'",
          .options = {{.name = "config",
                       .value = "FILE",
                       .help = "the YAML config to run by",
                       .required = true}},
          .run = serve};
}

}  // namespace understudy::proxy
