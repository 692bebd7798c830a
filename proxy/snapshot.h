#pragma once
// Everything a request needs that follows from the config: made once when a config is loaded,
// immutable, shared by all threads. An exchange keeps the snapshot that it began with.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "metrics/lifecycle.h"
#include "metrics/pricing.h"
#include "metrics/recorder.h"
#include "metrics/token_quota.h"
#include "proxy/aws/keeper.h"
#include "proxy/client_auth.h"
#include "proxy/credentials.h"
#include "proxy/error.h"
#include "proxy/tls_server.h"
#include "proxy/trust_anchors.h"
#include "routing/route_table.h"

namespace boost::asio::ssl {
class context;
}

namespace understudy::proxy {

struct UpstreamTarget {
  routing::UpstreamConfig config;
  std::shared_ptr<const aws::CredentialUse> credentials;  // as they are now: CredentialsReader
  TrustAnchors tls;                                       // no context for plain HTTP
};

struct ListenerTarget {
  std::shared_ptr<const TlsServer> tls;       // null: plain
  std::shared_ptr<const ClientAuth> clients;  // null: whoever comes
};

struct AdminTarget {
  std::shared_ptr<const TlsServer> tls;  // null: plain
  Secret token;                          // empty: none is asked for
};

struct Snapshot {
  std::uint64_t generation = 0;  // rises with every snapshot that is made
  routing::RouteTable routes;
  std::vector<std::shared_ptr<const UpstreamTarget>> upstreams;  // as Config::upstreams
  std::vector<ListenerTarget> listeners{};                       // as Config::listeners
  AdminTarget admin{};
  std::vector<metrics::RouteMeter*> meters;  // as Config::routes; owned by the Recorder
  std::vector<std::string> experiments;      // as Config::routes; routing::experiment_id()
  metrics::RouteMeter* default_meter = nullptr;
  std::shared_ptr<const metrics::Prices> prices;
  std::shared_ptr<const metrics::Lifecycles> lifecycles{};
  std::shared_ptr<const metrics::QuotaRules> quota_rules = metrics::QuotaRules::built_in();

  const routing::Config& config() const noexcept { return routes.config(); }
};

// How that model's tokens count: as the variant's quota says, else as the file.
metrics::QuotaRule quota_rule(const Snapshot& snapshot, const routing::VariantConfig& variant,
                              std::string_view model_id);

// The prices and the rules of quotas that a config names, and whether its budgets can be kept with
// them. Needs no credentials, so that a config can be checked anywhere.
struct LoadedPrices {
  std::shared_ptr<const metrics::Prices> prices;           // null where they could not be loaded
  std::shared_ptr<const metrics::QuotaRules> quota_rules;  // the same
  std::vector<std::string> problems;                       // each under its config key
  std::vector<std::string> warnings;
};
LoadedPrices load_prices(const routing::Config& config);

// Whom the upstreams of a config are trusted by.
struct LoadedAnchors {
  std::vector<TrustAnchors> tls{};      // as Config::upstreams
  std::vector<std::string> problems{};  // each under its config key
  std::vector<std::string> warnings{};
};
LoadedAnchors load_anchors(const routing::Config& config);

// The certificates, keys and clients' keys that a config's listeners name.
struct LoadedListeners {
  std::vector<ListenerTarget> listeners{};  // as Config::listeners
  AdminTarget admin{};
  std::vector<std::string> problems;  // each under its config key
  std::vector<std::string> warnings;
};
LoadedListeners load_listeners(const routing::Config& config);

// The files that are read again as soon as they change: certificates and keys, of clients
// too.
std::vector<std::filesystem::path> companion_files(const routing::Config& config);

// A listener in metrics and logs: its address as the config gives it.
std::string listener_name(const routing::ListenerConfig& listener);
std::vector<metrics::CertificateExpiry> expiries_of(const Snapshot& snapshot);

// Plans the credentials and loads the certificates, trust anchors and prices of a checked config.
// Every problem is reported, under its config key. Credentials that must be fetched are on their
// way when it returns: the keeper outlives the snapshot. `shares` as RouteTable takes them.
struct SnapshotResult {
  std::shared_ptr<const Snapshot> snapshot;  // null where there are problems
  std::vector<std::string> problems;
};
SnapshotResult make_snapshot(std::shared_ptr<const routing::Config> config,
                             metrics::Recorder& recorder, aws::CredentialsKeeper& keeper,
                             const Environment& environment, routing::LiveShares shares = {});

// For a reload: waits until every plan that `before` does not use has been tried, for `limit` at
// most, and turns those that gave nothing into problems. So a reload never replaces credentials
// that work by some that do not.
void require_new_credentials(SnapshotResult& made, const Snapshot& before,
                             const aws::CredentialsKeeper& keeper, std::chrono::milliseconds limit);

}  // namespace understudy::proxy
