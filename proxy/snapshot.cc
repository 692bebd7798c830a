#include "proxy/snapshot.h"

#include <algorithm>
#include <boost/asio/ssl/context.hpp>
#include <map>
#include <utility>
#include <variant>

#include "proxy/log.h"
#include "proxy/read_file.h"
#include "proxy/tls.h"

namespace understudy::proxy {
namespace {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

constexpr std::size_t kMaxPricesBytes = std::size_t{16} << 20;

// Upstreams with the same anchors share a context: the system's bundle takes milliseconds and
// megabytes to load.
class TlsContexts {
 public:
  Result<TlsContext> of(const std::string& ca_file) {
    if (const auto found = made_.find(ca_file); found != made_.end()) return found->second;
    auto made = make_client_tls(ca_file);
    if (made) made_.emplace(ca_file, *made);
    return made;
  }

 private:
  std::map<std::string, TlsContext> made_;
};

bool needs_tls(const routing::UpstreamConfig& upstream) {
  return upstream.endpoint.tls || upstream.control_endpoint.tls;
}

std::vector<std::shared_ptr<const UpstreamTarget>> load_upstreams(
    const routing::Config& config, const Environment& environment,
    std::vector<std::string>& problems) {
  std::vector<std::shared_ptr<const UpstreamTarget>> targets;
  TlsContexts contexts;
  for (const routing::UpstreamConfig& upstream : config.upstreams) {
    auto target = std::make_shared<UpstreamTarget>();
    target->config = upstream;
    const std::string key = "upstreams." + upstream.name;
    if (auto credentials = load_credentials(upstream.credentials, environment)) {
      target->credentials = *credentials;
    } else {
      problems.push_back(key + ".credentials: " + credentials.error().context);
    }
    if (needs_tls(upstream)) {
      if (auto context = contexts.of(upstream.ca_file)) {
        target->tls = *context;
      } else {
        problems.push_back(key + ".ca_file: " + context.error().context);
      }
    }
    targets.push_back(std::move(target));
  }
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
    problems.push_back("prices_file: " + problem->what);
    return nullptr;
  }
  return std::get<std::shared_ptr<const metrics::Prices>>(std::move(prices));
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
    loaded.problems.push_back(
        key + "there is no price for " + model + " as of " + std::string(loaded.prices->as_of()) +
        "; add it by prices_file, or limit by shadow.budget.requests_per_minute");
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

}  // namespace

LoadedPrices load_prices(const routing::Config& config) {
  LoadedPrices loaded;
  loaded.prices = read_prices(config.prices_file, loaded.problems);
  if (!loaded.prices) return loaded;
  for (const routing::RouteConfig& route : config.routes) check_budget(route, loaded);
  return loaded;
}

SnapshotResult make_snapshot(std::shared_ptr<const routing::Config> config,
                             metrics::Recorder& recorder, const Environment& environment) {
  SnapshotResult result;
  auto upstreams = load_upstreams(*config, environment, result.problems);
  LoadedPrices loaded = load_prices(*config);
  for (const std::string& warning : loaded.warnings) {
    log_warn("config_warning", {{"problem", warning}});
  }
  result.problems.insert(result.problems.end(), loaded.problems.begin(), loaded.problems.end());
  if (!result.problems.empty()) return result;

  // Meters last: a refused config leaves no series behind.
  std::vector<metrics::RouteMeter*> meters;
  for (const routing::RouteConfig& route : config->routes)
    meters.push_back(&recorder.route(route.name));
  result.snapshot = std::make_shared<const Snapshot>(Snapshot{
      .routes = routing::RouteTable(std::move(config)),
      .upstreams = std::move(upstreams),
      .meters = std::move(meters),
      .default_meter = &recorder.route("default"),
      .prices = std::move(loaded.prices),
  });
  return result;
}

}  // namespace understudy::proxy
