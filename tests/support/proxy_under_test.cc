#include "tests/support/proxy_under_test.h"

#include <chrono>
#include <numeric>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "proxy/exposition.h"
#include "proxy/rollout_status.h"
#include "proxy/volume_book.h"
#include "routing/config_loader.h"
#include "tests/support/socket.h"

namespace understudy::testing_support {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string endpoint_of(const std::string& given, std::uint16_t port) {
  return given.empty() ? "http://127.0.0.1:" + std::to_string(port) : given;
}

std::string upstream_line(std::string_view name, std::string_view endpoint,
                          std::string_view credentials, std::string_view more) {
  std::ostringstream line;
  line << "  " << name << ": {endpoint: \"" << endpoint << "\", region: us-east-1, credentials: {"
       << credentials << "}" << more << "}\n";
  return line.str();
}

// The value of a series line that carries all of `labels`; none for other lines.
std::optional<double> series_value(std::string_view line, std::string_view name,
                                   const Labels& labels) {
  if (!line.starts_with(name)) return std::nullopt;
  const char next = line.size() > name.size() ? line[name.size()] : '\0';
  if (next != '{' && next != ' ') return std::nullopt;
  for (const auto& [key, value] : labels) {
    if (line.find(key + "=\"" + value + "\"") == std::string_view::npos) return std::nullopt;
  }
  return std::stod(std::string{line.substr(line.rfind(' ') + 1)});
}

std::uint64_t total(const std::map<std::string, std::uint64_t>& by_reason) {
  return std::accumulate(by_reason.begin(), by_reason.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& entry) { return sum + entry.second; });
}

void print(std::ostream& out, const char* name,
           const std::map<std::string, std::uint64_t>& counts) {
  for (const auto& [reason, count] : counts) {
    if (count > 0) out << ' ' << name << '{' << reason << "}=" << count;
  }
}

}  // namespace

bool eventually(const std::function<bool()>& met) {
  const auto deadline = steady_clock::now() + kPatience;
  while (!met()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

std::string ProxySetup::text() const {
  const bool has_candidate = candidate_port != 0 || !candidate_endpoint.empty();
  std::ostringstream yaml;
  yaml << "listeners: [{address: 127.0.0.1:0" << listener_more << "}]\n"
       << "admin: {address: 127.0.0.1:0}\nthreads: {io: 2}\nupstreams:\n"
       << upstream_line("primary", endpoint_of(primary_endpoint, primary_port), primary_credentials,
                        primary_more);
  if (has_candidate) {
    yaml << upstream_line("candidate", endpoint_of(candidate_endpoint, candidate_port),
                          candidate_credentials, candidate_more);
  }
  yaml << "routes:\n  - name: route\n    match: {" << match
       << "}\n    primary: {upstream: primary}\n";
  if (has_candidate) {
    yaml << "    candidate: {upstream: candidate, model: \"" << candidate_model << '"';
    if (!rewrite.empty()) yaml << ", rewrite: " << rewrite;
    yaml << "}\n    shadow: {" << shadow << "}\n    canary: {" << canary << "}\n";
    if (!route_more.empty()) yaml << "    " << route_more << "\n";
    if (!verdict.empty()) yaml << "    verdict: {" << verdict << "}\n";
  }
  yaml << top;
  return yaml.str();
}

ProxyUnderTest::ProxyUnderTest(const std::string& config, proxy::Environment environment,
                               std::function<proxy::WallTime()> now)
    : recorder_(metrics::make_prometheus_recorder()),
      keeper_(std::make_unique<proxy::aws::CredentialsKeeper>(*recorder_, now)),
      events_(now),
      rollouts_(std::make_unique<proxy::RolloutKeeper>(events_, state_writer_, now)),
      environment_(std::move(environment)) {
  auto snapshot = snapshot_of(config);
  if (!snapshot) throw std::invalid_argument("the test's config has problems:\n" + config);
  auto started = proxy::Server::start(std::move(snapshot), *recorder_, state_writer_);
  if (!started) throw std::runtime_error(started.error().context);
  server_ = std::move(*started);
  rollouts_->applied(server_->snapshot()->config());
}

std::shared_ptr<const proxy::Snapshot> ProxyUnderTest::snapshot_of(const std::string& config) {
  const auto loaded = routing::load_config_text(config, "test.yaml");
  for (const auto& problem : loaded.problems) {
    if (!problem.warning && loaded.config) ADD_FAILURE() << problem.to_string();
  }
  if (!loaded.config) return nullptr;
  return proxy::make_snapshot(loaded.config, *recorder_, *keeper_, environment_,
                              rollouts_->shares_for(*loaded.config))
      .snapshot;
}

proxy::Status ProxyUnderTest::apply(const std::string& config) {
  auto snapshot = snapshot_of(config);
  if (!snapshot)
    return proxy::Error{proxy::ErrorKind::internal, proxy::Side::internal,
                        "the config has problems"};
  proxy::Status applied = server_->apply(snapshot);
  if (applied) rollouts_->applied(snapshot->config());
  return applied;
}

void ProxyUnderTest::look_at_rollouts() {
  const auto snapshot = server_->snapshot();
  const auto samples = proxy::parse_exposition(recorder_->render());
  rollouts_->look([&](const std::string& route) {
    const auto evidence = [this](std::string_view name) { return server_->evidence(name); };
    proxy::RouteLook look = proxy::look_at(*snapshot, route, evidence, samples);
    look.no_room = proxy::refused_stages(
        snapshot->config(), route,
        [this](std::string_view name) { return server_->volumes().peak(name); }, quotas);
    return look;
  });
  server_->look_at_families();
}

double ProxyUnderTest::value(std::string_view metric, const Labels& labels) const {
  const std::string name = "understudy_" + std::string{metric};
  std::istringstream page(recorder_->render());
  double sum = 0.0;
  for (std::string line; std::getline(page, line);)
    sum += series_value(line, name, labels).value_or(0.0);
  return sum;
}

testing::AssertionResult ProxyUnderTest::wait_for(std::string_view metric, const Labels& labels,
                                                  double at_least) {
  if (eventually([&] { return value(metric, labels) >= at_least; }))
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << metric << " stays at " << value(metric, labels) << "; " << books();
}

std::string ProxyUnderTest::books(std::string_view route) {
  const metrics::RouteCounts now = counts(route);
  std::ostringstream text;
  text << "eligible=" << now.eligible << " compared=" << now.compared;
  print(text, "failed", now.failed);
  print(text, "skipped", now.skipped);
  print(text, "dropped", now.dropped);
  return text.str();
}

testing::AssertionResult ProxyUnderTest::books_balance(std::uint64_t eligible,
                                                       std::string_view route) {
  const bool met = eventually([&] {
    const metrics::RouteCounts now = counts(route);
    const auto ended = now.compared + total(now.failed) + total(now.skipped) + total(now.dropped);
    return now.eligible == eligible && ended == eligible;
  });
  return (met ? testing::AssertionSuccess() : testing::AssertionFailure()) << books(route);
}

}  // namespace understudy::testing_support
