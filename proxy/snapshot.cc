#include "proxy/snapshot.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <utility>
#include <variant>

#include "proxy/lifecycle_report.h"
#include "proxy/log.h"
#include "proxy/plain_words.h"
#include "proxy/read_file.h"
#include "proxy/tls_contexts.h"
#include "routing/day.h"
#include "routing/experiment.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kMaxPricesBytes = std::size_t{16} << 20;

std::vector<std::shared_ptr<const UpstreamTarget>> load_upstreams(
    const routing::Config& config, aws::CredentialsKeeper& keeper, const Environment& environment,
    std::vector<std::string>& problems) {
  std::vector<std::shared_ptr<const UpstreamTarget>> targets;
  LoadedAnchors anchors = load_anchors(config);
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    const routing::UpstreamConfig& upstream = config.upstreams[i];
    auto target = std::make_shared<UpstreamTarget>();
    target->config = upstream;
    auto plan = aws::plan_credentials(upstream.credentials, upstream.region, environment);
    if (plan) {
      target->credentials = keeper.use(upstream.name, std::move(*plan));
    } else {
      problems.push_back("upstreams." + upstream.name + ".credentials: " + plan.error().context);
    }
    target->tls = std::move(anchors.tls[i]);
    targets.push_back(std::move(target));
  }
  std::ranges::move(anchors.problems, std::back_inserter(problems));
  return targets;
}

std::shared_ptr<const metrics::Prices> read_prices(const std::string& prices_file,
                                                   std::vector<std::string>& problems) {
  if (prices_file.empty()) return metrics::Prices::built_in();
  const auto text = read_file(prices_file, kMaxPricesBytes);
  if (!text) {
    problems.push_back("prices_file: cannot read " + prices_file +
                       " (or it is larger than 16 MiB)");
    return nullptr;
  }
  auto prices = metrics::Prices::from_json(*text, prices_file);
  if (const auto* problem = std::get_if<metrics::PricesProblem>(&prices)) {
    problems.push_back("prices_file: " + plain_words(problem->what));
    return nullptr;
  }
  return std::get<std::shared_ptr<const metrics::Prices>>(std::move(prices));
}

std::shared_ptr<const metrics::QuotaRules> read_quota_rules(const std::string& quotas_file,
                                                            std::vector<std::string>& problems) {
  if (quotas_file.empty()) return metrics::QuotaRules::built_in();
  const auto text = read_file(quotas_file, kMaxPricesBytes);
  if (!text) {
    problems.push_back("quotas_file: cannot read " + quotas_file +
                       " (or it is larger than 16 MiB)");
    return nullptr;
  }
  auto rules = metrics::QuotaRules::from_json(*text, quotas_file);
  if (const auto* problem = std::get_if<metrics::QuotaRulesProblem>(&rules)) {
    problems.push_back("quotas_file: " + plain_words(problem->what));
    return nullptr;
  }
  return std::get<std::shared_ptr<const metrics::QuotaRules>>(std::move(rules));
}

bool is_glob(const std::string& model) {
  return model.find_first_of("*?") != std::string::npos;
}

// A budget in dollars needs a price for whatever the copies may ask: the candidate's model, or
// where that is the client's own choice, every model that the route matches.
void check_budget(const routing::RouteConfig& route, LoadedPrices& loaded) {
  if (!route.shadow.budget.usd_per_day || !route.candidate) return;
  const std::string key = "routes." + route.name + ".shadow.budget.usd_per_day: ";
  const auto require_price = [&](const std::string& model) {
    if (loaded.prices->knows(model)) return;
    loaded.problems.push_back(key + "there is no price for " + model + " as of " +
                              std::string(loaded.prices->as_of()) +
                              "; add it by prices_file, or limit by "
                              "shadow.budget.requests_per_minute or tokens_per_minute");
  };
  if (!route.candidate->model.empty()) return require_price(route.candidate->model);
  const auto& models = route.match.models;
  for (const std::string& model : models) {
    if (!is_glob(model)) require_price(model);
  }
  if (models.empty() || std::any_of(models.begin(), models.end(), is_glob)) {
    loaded.warnings.push_back(
        key + "the candidate is asked for the client's model; one without a price is not budgeted");
  }
}

bool clients_have_other_ways(const routing::ClientsConfig& clients) {
  return !clients.certificate_names.empty() &&
         (!clients.api_keys_file.empty() || !clients.sigv4_keys_file.empty());
}

// Expired is better than gone: the old certificate's clients may still come.
void warn_of_expiry(const TlsServer& tls, const std::string& key,
                    std::vector<std::string>& warnings) {
  for (const CertificateFacts& certificate : tls.certificates()) {
    if (certificate.expires <= std::chrono::system_clock::now())
      warnings.push_back(key + "certificate: " + certificate.file + " has expired");
  }
}

// A token file has one line.
Secret read_token(const std::string& file, std::vector<std::string>& problems) {
  constexpr std::size_t kMaxTokenBytes = 4096, kMinTokenBytes = 16;
  auto text = read_file(file, kMaxTokenBytes).value_or("");
  trim_end(text);
  const bool visible =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (text.size() < kMinTokenBytes || !visible)
    problems.push_back("admin.token_file: " + file +
                       " must hold one line of at least 16 visible characters");
  return Secret(std::move(text));
}

void load_admin(const routing::Config& config, LoadedListeners& loaded) {
  const routing::AdminConfig& admin = config.admin;
  if (!admin.token_file.empty()) loaded.admin.token = read_token(admin.token_file, loaded.problems);
  if (!admin.tls) return;
  auto tls = TlsServer::load(
      *admin.tls, {.max_sessions = config.limits.max_tls_sessions, .offers_http2 = false});
  for (const std::string& problem : tls.problems) loaded.problems.push_back("admin.tls." + problem);
  loaded.admin.tls = std::move(tls.server);
  if (loaded.admin.tls) warn_of_expiry(*loaded.admin.tls, "admin.tls.", loaded.warnings);
}

}  // namespace

metrics::QuotaRule quota_rule(const Snapshot& snapshot, const routing::VariantConfig& variant,
                              std::string_view model_id) {
  metrics::QuotaRule rule = snapshot.quota_rules->of(model_id);
  if (variant.quota.output_burn_down) rule.output_burn_down = *variant.quota.output_burn_down;
  return rule;
}

LoadedAnchors load_anchors(const routing::Config& config) {
  LoadedAnchors loaded;
  TlsContexts contexts;
  for (const routing::UpstreamConfig& upstream : config.upstreams) {
    loaded.tls.emplace_back();
    if (!upstream.endpoint.tls && !upstream.control_endpoint.tls) continue;
    if (auto context = contexts.of(upstream.ca_file)) {
      loaded.tls.back() = std::move(*context);
    } else {
      loaded.problems.push_back("upstreams." + upstream.name +
                                ".ca_file: " + context.error().context);
    }
  }
  return loaded;
}

LoadedPrices load_prices(const routing::Config& config) {
  LoadedPrices loaded;
  loaded.quota_rules = read_quota_rules(config.quotas_file, loaded.problems);
  loaded.prices = read_prices(config.prices_file, loaded.problems);
  if (!loaded.prices) return loaded;
  for (const routing::RouteConfig& route : config.routes) check_budget(route, loaded);
  return loaded;
}

LoadedListeners load_listeners(const routing::Config& config) {
  LoadedListeners loaded;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const routing::ListenerConfig& listener = config.listeners[i];
    ListenerTarget& target = loaded.listeners.emplace_back();
    const std::string name = "listeners[" + std::to_string(i) + "].";
    auto clients = ClientAuth::load(listener);
    for (const std::string& problem : clients.problems) loaded.problems.push_back(name + problem);
    target.clients = std::move(clients.auth);
    if (!listener.tls) continue;
    const std::string key = name + "tls.";
    auto tls = TlsServer::load(*listener.tls,
                               {.max_sessions = config.limits.max_tls_sessions,
                                .certificate_optional = clients_have_other_ways(listener.clients)});
    for (const std::string& problem : tls.problems) loaded.problems.push_back(key + problem);
    target.tls = std::move(tls.server);
    if (target.tls) warn_of_expiry(*target.tls, key, loaded.warnings);
  }
  load_admin(config, loaded);
  return loaded;
}

std::vector<std::filesystem::path> companion_files(const routing::Config& config) {
  std::vector<std::filesystem::path> files;
  const auto add = [&files](const std::string& file) {
    if (!file.empty()) files.emplace_back(file);
  };
  const auto add_tls = [&add](const std::optional<routing::ListenerTlsConfig>& tls) {
    if (!tls) return;
    for (const routing::CertificateConfig& pair : tls->certificates) {
      add(pair.certificate);
      add(pair.key);
    }
    add(tls->client_ca);
  };
  for (const routing::ListenerConfig& listener : config.listeners) {
    add(listener.clients.api_keys_file);
    add(listener.clients.sigv4_keys_file);
    add_tls(listener.tls);
  }
  add(config.admin.token_file);
  add_tls(config.admin.tls);
  add(config.prices_file);
  add(config.quotas_file);
  return files;
}

std::string listener_name(const routing::ListenerConfig& listener) {
  return listener.address.host + ":" + std::to_string(listener.address.port);
}

std::vector<metrics::CertificateExpiry> expiries_of(const Snapshot& snapshot) {
  std::vector<metrics::CertificateExpiry> all;
  const auto add = [&all](const TlsServer* tls, const std::string& listener) {
    if (tls == nullptr) return;
    for (const CertificateFacts& certificate : tls->certificates()) {
      all.push_back(
          {.listener = listener, .file = certificate.file, .expires = certificate.expires});
    }
  };
  for (std::size_t i = 0; i < snapshot.listeners.size(); ++i)
    add(snapshot.listeners[i].tls.get(), listener_name(snapshot.config().listeners[i]));
  add(snapshot.admin.tls.get(), "admin");
  return all;
}

SnapshotResult make_snapshot(std::shared_ptr<const routing::Config> config,
                             metrics::Recorder& recorder, aws::CredentialsKeeper& keeper,
                             const Environment& environment, routing::LiveShares shares) {
  SnapshotResult result;
  auto upstreams = load_upstreams(*config, keeper, environment, result.problems);
  LoadedPrices loaded = load_prices(*config);
  LoadedListeners listeners = load_listeners(*config);
  LoadedLifecycles lifecycles = load_lifecycles(*config, routing::today());
  const auto tell = [&result](const auto& part) {
    for (const std::string& warning : part.warnings)
      log_warn("config_warning", {{"problem", warning}});
    result.problems.insert(result.problems.end(), part.problems.begin(), part.problems.end());
  };
  tell(loaded);
  tell(listeners);
  tell(lifecycles);
  if (!result.problems.empty()) return result;

  // Meters last: a refused config leaves no series behind.
  std::vector<metrics::RouteMeter*> meters;
  std::vector<std::string> experiments;
  for (const routing::RouteConfig& route : config->routes) {
    meters.push_back(&recorder.route(route.name));
    experiments.push_back(routing::experiment_id(*config, route));
  }
  static std::atomic<std::uint64_t> made{0};
  result.snapshot = std::make_shared<const Snapshot>(Snapshot{
      .generation = ++made,
      .routes = routing::RouteTable(std::move(config), std::move(shares)),
      .upstreams = std::move(upstreams),
      .listeners = std::move(listeners.listeners),
      .admin = std::move(listeners.admin),
      .meters = std::move(meters),
      .experiments = std::move(experiments),
      .default_meter = &recorder.route("default"),
      .prices = std::move(loaded.prices),
      .lifecycles = std::move(lifecycles.lifecycles),
      .quota_rules = std::move(loaded.quota_rules),
  });
  return result;
}

void require_new_credentials(SnapshotResult& made, const Snapshot& before,
                             const aws::CredentialsKeeper& keeper,
                             std::chrono::milliseconds limit) {
  if (!made.snapshot) return;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (const auto& upstream : made.snapshot->upstreams) {
    const aws::CredentialSlot& slot = *upstream->credentials->slot;
    const bool in_use =
        std::any_of(before.upstreams.begin(), before.upstreams.end(),
                    [&slot](const auto& known) { return known->credentials->slot.get() == &slot; });
    if (in_use) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    keeper.wait_for_first(slot, std::max(left, std::chrono::milliseconds(0)));
    if (slot.now().credentials) continue;
    const std::string problem = slot.status().problem;
    made.problems.push_back("upstreams." + upstream->config.name + ".credentials: none from " +
                            slot.plan().origin + ": " +
                            (problem.empty() ? "they did not come in time" : problem));
  }
  if (!made.problems.empty()) made.snapshot.reset();
}

}  // namespace understudy::proxy
