#pragma once
// The configuration as plain values with their defaults and units. A Config is built by
// config_loader, never changed afterwards, and shared between threads as `std::shared_ptr<const
// Config>`.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/canary_config.h"
#include "routing/gates.h"
#include "routing/operation.h"
#include "routing/percent.h"
#include "routing/settings.h"

namespace understudy::routing {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

struct Address {
  std::string host;  // an IP address literal; "localhost" is accepted and means 127.0.0.1
  std::uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

// A certificate chain and its private key: PEM files, absolute paths once loaded.
struct CertificateConfig {
  std::string certificate;
  std::string key;
  friend bool operator==(const CertificateConfig&, const CertificateConfig&) = default;
};

struct ListenerTlsConfig {
  // Chosen by the name that the client asks for (SNI); the first where it asks for none of them.
  std::vector<CertificateConfig> certificates;
  std::string client_ca;  // trust anchors for client certificates; empty: none is asked for
  friend bool operator==(const ListenerTlsConfig&, const ListenerTlsConfig&) = default;
};

// How a listener knows its clients: any of the ways that are given suffices, none asks for nothing.
struct ClientsConfig {
  std::string api_keys_file;                   // absolute once loaded; empty: not this way
  std::string sigv4_keys_file;                 // the same
  milliseconds sigv4_max_skew = 5min;          // between the client's clock and ours
  std::vector<std::string> certificate_names;  // globs over a certificate's names; empty: not this
  bool any() const noexcept {
    return !api_keys_file.empty() || !sigv4_keys_file.empty() || !certificate_names.empty();
  }
  friend bool operator==(const ClientsConfig&, const ClientsConfig&) = default;
};

struct ListenerConfig {
  Address address;
  std::string base_path;           // "" or "/prefix": removed from every target
  std::vector<std::string> hosts;  // allow-list for Host; empty allows all
  // Must be true where the address is not loopback and nothing tells who the clients are.
  bool trust_network = false;
  std::optional<ListenerTlsConfig> tls{};  // none: plain
  ClientsConfig clients{};
  friend bool operator==(const ListenerConfig&, const ListenerConfig&) = default;
};

// Metrics and probes alone, for scrapers and kubelets: no token, nothing to post.
struct AdminReadOnlyConfig {
  Address address;
  std::size_t max_connections = 64;
  friend bool operator==(const AdminReadOnlyConfig&, const AdminReadOnlyConfig&) = default;
};

struct AdminConfig {
  Address address{"127.0.0.1", 9901};
  std::string token_file;  // absolute once loaded; empty: no token, loopback or mutual TLS only
  std::optional<ListenerTlsConfig> tls{};  // none: plain
  std::vector<std::string> hosts{};        // further names for Host, in lower case, without a port
  std::size_t max_connections = 64;
  std::optional<AdminReadOnlyConfig> read_only{};
  friend bool operator==(const AdminConfig&, const AdminConfig&) = default;
};

struct CredentialsConfig {
  enum class Source : std::uint8_t {
    default_chain,   // AWS_BEARER_TOKEN_BEDROCK, then the AWS SDKs' default chain
    environment,     // AWS_ACCESS_KEY_ID and its kin
    profile,         // `profile` of the shared config and credentials files, whatever it asks for
    static_keys,     // `access_key_id`, `secret_access_key`, optionally `session_token`
    process,         // what `command` prints
    web_identity,    // `token_file` and `web_identity_role_arn`, or their variables
    container,       // the endpoint that AWS_CONTAINER_CREDENTIALS_*_URI names
    imds,            // the instance metadata service of EC2
    sso,             // IAM Identity Center as `profile` (or the chosen one) names it
    bearer,          // `token`, or the variable `token_env`
    forward_bearer,  // the client's own bearer token (or x-api-key) goes on unchanged
    none,            // nothing is added
  };
  Source source = Source::default_chain;
  std::string profile;
  std::string access_key_id, secret_access_key, session_token;
  std::string command;
  std::string token_file;  // absolute once loaded
  std::string web_identity_role_arn;
  std::string token, token_env;
  // Assumed with what the source gives, where there is an ARN.
  std::string role_arn, external_id, role_session_name;
  milliseconds role_duration = 0s;           // 0: STS's default, an hour
  milliseconds timeout = 2s;                 // of each call that fetching takes
  std::size_t max_answer_bytes = 64u << 10;  // of each of its answers
  friend bool operator==(const CredentialsConfig&, const CredentialsConfig&) = default;
};
// Whether requests are signed with what the source gives.
bool signs(CredentialsConfig::Source source) noexcept;
// As written in the config.
std::string_view label(CredentialsConfig::Source source) noexcept;

struct Endpoint {
  bool tls = true;
  std::string host;  // as written: a name, an IPv4 literal or "[v6]"
  std::uint16_t port = 443;
  std::string path;  // "" or "/prefix", put in front of every target and signed
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct UpstreamConfig {
  std::string name;
  Endpoint endpoint;
  Endpoint control_endpoint;  // control-plane paths; derived: bedrock-runtime.X -> bedrock.X, else
                              // `endpoint`
  std::string region;
  std::string ca_file;                      // trust anchors instead of the system's
  std::string signing_service = "bedrock";  // that SigV4 signs for; derived: "bedrock-mantle" for
                                            // such hosts
  CredentialsConfig credentials;
  milliseconds connect_timeout = 5s;        // DNS, TCP and TLS together
  milliseconds first_byte_timeout = 3600s;  // of the answer, from the end of the request
  milliseconds stream_idle_timeout = 600s;  // between two reads of an answer
  milliseconds pool_idle_timeout = 20s;     // an unused kept-alive connection is closed after this
  std::size_t max_idle_connections = 256;   // kept per thread
  milliseconds tcp_keep_alive = 60s;  // it is asked for a sign of life when silent for this long
  milliseconds dns_refresh = 30s;     // older addresses are used, and renewed meanwhile
  milliseconds dns_keep = 1h;         // how long they are used while look-ups fail
  bool allow_plaintext = false;       // must be true for http:// to anything but loopback
  friend bool operator==(const UpstreamConfig&, const UpstreamConfig&) = default;
};

// One change to a candidate's JSON body. A path that is absent changes nothing: `set` replaces a
// value that is there (json_patch can add one), and a json_patch of which one step does not apply
// is not applied at all.
struct RewriteRule {
  enum class Kind : std::uint8_t {
    remove,
    set,
    json_patch,
    // Of presets alone:
    remove_beside,  // `pointer`, where `beside` is there too
    at_most,        // the number at `pointer`
    set_where,      // `pointer`, where the value at `beside` is `where`
    drop_prefill    // the assistant's turns at the end of the list at `pointer`
  };
  Kind kind = Kind::remove;
  std::vector<Operation> operations;  // empty: every understood operation
  std::string pointer;                // an RFC 6901 pointer
  std::string json;      // set, set_where: the value; at_most: the bound; json_patch: the RFC 6902
                         // document; all as JSON text
  std::string beside{};  // a pointer
  std::string where{};   // JSON text
  std::string preset{};  // that brought it; empty: the config itself
  friend bool operator==(const RewriteRule&, const RewriteRule&) = default;
};

// The account's own figures, asked for now and then (proxy/quota_poll.h).
struct ServiceQuotaSource {
  Percent part{kAllTraffic};  // of the account's quota that is this proxy's
  milliseconds every = 1h;    // between two readings
  std::string name{};         // as the quotas call the model; empty: as its id tells
  friend bool operator==(const ServiceQuotaSource&, const ServiceQuotaSource&) = default;
};

// What the account may ask of a model in a minute, or this proxy's part of it. Where a figure is
// both given and read, the smaller one holds.
struct QuotaConfig {
  std::optional<std::uint64_t> requests_per_minute;
  std::optional<std::uint64_t> tokens_per_minute;
  std::optional<ServiceQuotaSource> service_quotas;  // `from: service_quotas`
  // Tokens of the quota that one token of an answer uses up; none: as quotas_file has it.
  std::optional<std::uint32_t> output_burn_down;
  bool limits() const noexcept {
    return requests_per_minute || tokens_per_minute || service_quotas;
  }
  friend bool operator==(const QuotaConfig&, const QuotaConfig&) = default;
};

struct VariantConfig {
  std::size_t upstream = 0;          // index into Config::upstreams
  std::string model;                 // empty: the model the client asked for
  std::vector<RewriteRule> rewrite;  // candidate only
  QuotaConfig quota{};               // candidate only
  friend bool operator==(const VariantConfig&, const VariantConfig&) = default;
};

struct HeaderMatch {
  std::string name;
  std::string value;  // a glob
  friend bool operator==(const HeaderMatch&, const HeaderMatch&) = default;
};

struct MatchConfig {
  std::vector<std::string> models;  // globs over the decoded id, '*' spans ':' and '/'; empty: any
  std::vector<Operation> operations;  // empty: any
  std::vector<std::string> paths;  // globs over the path as it came, without its query; empty: any
  std::vector<HeaderMatch> headers;    // all must match
  std::vector<std::string> callers{};  // globs over the caller's identity; empty: any, also none
  friend bool operator==(const MatchConfig&, const MatchConfig&) = default;
};

// How many of the shadowed exchanges are also asked of the served variant a second time.
struct ControlShare {
  bool automatic =
      false;        // 2 %, but all until a route and a family have 400 (proxy/control_need.h)
  Percent percent;  // exact share of the shadowed exchanges, where not automatic
  friend bool operator==(const ControlShare&, const ControlShare&) = default;
};

struct ShadowBudget {
  std::optional<double> usd_per_day;  // estimated cost of shadow and control legs, UTC day
  std::optional<std::uint64_t> requests_per_minute;  // shadow and control legs together
  // The same, as Bedrock counts them against a quota (metrics/token_quota.h), in any 60 seconds.
  std::optional<std::uint64_t> tokens_per_minute;
  friend bool operator==(const ShadowBudget&, const ShadowBudget&) = default;
};

struct BreakerConfig {
  std::uint32_t consecutive_failures = 5;
  Percent failure_percent{5000};  // of at least `min_requests` in `window`
  std::uint32_t min_requests = 20;
  milliseconds window = 10s;
  milliseconds open_for = 30s;  // +- 20 %, then one probe
  friend bool operator==(const BreakerConfig&, const BreakerConfig&) = default;
};

struct ShadowConfig {
  Percent percent;
  ControlShare control;
  std::size_t max_in_flight = 1024;       // calls under way, of this route
  std::size_t max_queued = 4096;          // admitted and waiting, of this route
  std::size_t max_body_bytes = 8u << 20;  // a larger request is skipped{too_large}
  std::size_t max_capture_bytes =
      16u << 20;  // of one answer; beyond it the answer counts as truncated by us
  milliseconds connect_timeout = 3s;
  milliseconds first_byte_timeout = 60s;
  milliseconds timeout = 300s;  // the whole call
  bool skip_probes = true;      // requests for one token
  // How long no copy is sent after the primary was throttled.
  milliseconds suspend_for = 10s;
  // Share, of the drawn exchanges, that is still copied of a family whose gates all are safe.
  Percent settled{kAllTraffic};
  ShadowBudget budget;
  BreakerConfig breaker;
  friend bool operator==(const ShadowConfig&, const ShadowConfig&) = default;
};

// What the candidate has to show before it is called safe.
struct VerdictConfig {
  std::size_t min_hours = 24;              // of the clock, with pairs in them
  std::size_t min_pairs_per_family = 100;  // of families with 2 % of the pairs or more
  Percent max_missing{500};                // copies that the candidate throttled
  Percent max_dropped{500};                // drawn copies that our limits dropped
  // Two answers that are numbers are one answer where they are not further apart than that share of
  // the primary's.
  double number_tolerance = 1e-6;
  // As kGates; none: the gate is off.
  std::array<std::optional<GateThresholds>, kGates.size()> gates = default_gates();
  friend bool operator==(const VerdictConfig&, const VerdictConfig&) = default;
};

// What follows when the primary's model has come to its end, or is locked out as legacy.
enum class EndOfLifeAction : std::uint8_t { alarm, serve_candidate };

struct RouteConfig {
  std::string name;
  MatchConfig match;
  VariantConfig primary;
  std::optional<VariantConfig> candidate;
  ShadowConfig shadow;
  CanaryConfig canary;
  VerdictConfig verdict;
  EndOfLifeAction on_end_of_life = EndOfLifeAction::alarm;
  Percent drill;                // share for which the primary's end of life is played
  milliseconds keep_warm = 0s;  // the primary gets a tiny request when nothing else was answered
                                // for this long; 0: never
  friend bool operator==(const RouteConfig&, const RouteConfig&) = default;
};

// When a model's states begin; none: not known.
struct ModelDates {
  std::optional<std::chrono::sys_days> launch, legacy, extended_access, end_of_life;
  std::string replacement;
  friend bool operator==(const ModelDates&, const ModelDates&) = default;
};

struct LifecycleConfig {
  std::string file;                          // absolute once loaded; empty: the built-in dates
  std::map<std::string, ModelDates> models;  // by model id; goes before the file
  milliseconds warn_before = 90 * 24h;       // an end of life
  std::optional<std::size_t> poll_upstream;  // index into Config::upstreams, asked for dates
  milliseconds poll_every = 24h;
  friend bool operator==(const LifecycleConfig&, const LifecycleConfig&) = default;
};

struct RecordsConfig {
  enum class Content : std::uint8_t { none, redacted, full };
  std::string directory;  // absolute once loaded; empty: no records
  Content content = Content::none;
  std::size_t rotate_bytes = 256u << 20;
  std::size_t max_total_bytes = std::size_t{10} << 30;  // oldest files are removed beyond it
  std::size_t keep_free_bytes =
      std::size_t{1} << 30;  // of the file system; below it records are dropped and counted
  std::size_t max_queued_bytes = 16u << 20;  // of lines that wait for the disk; the same
  friend bool operator==(const RecordsConfig&, const RecordsConfig&) = default;
};

// A bucket that holds `burst` and gains `per_second`.
struct RateLimit {
  std::size_t burst = 0;
  std::size_t per_second = 0;
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

// Of one HTTP/2 connection of a client. Beyond max_streams it is drained and the client opens
// another; the frame limits end it with ENHANCE_YOUR_CALM.
struct Http2Limits {
  std::size_t max_concurrent_streams = 100;
  std::size_t max_streams = 10'000;
  std::size_t stream_window_bytes = 256u << 10;
  std::size_t connection_window_bytes = 1u << 20;
  milliseconds keep_alive_timeout = 300s;  // without a stream
  RateLimit resets_received{200, 20};
  RateLimit resets_sent{100, 10};  // for what the client did wrong
  RateLimit pings{50, 10};
  RateLimit settings{20, 1};
  std::size_t max_glitches = 100;                // malformed requests and frames
  std::size_t max_priorities_per_stream = 100;   // PRIORITY <= this * (1 + streams)
  std::size_t max_window_updates_per_data = 10;  // <= 5 + 2 * (streams + this * DATA frames sent)
  std::size_t max_empty_data = 10;               // in a row
  std::size_t max_unknown_frames = 100;
  std::size_t max_continuations = 8;   // of one header block
  std::size_t max_pending_acks = 200;  // of PING and SETTINGS that the client does not read
  friend bool operator==(const Http2Limits&, const Http2Limits&) = default;
};

struct LimitsConfig {
  std::size_t max_connections = 10'000;   // of clients; further lowered to (open files - 256) / 3
  milliseconds header_timeout = 10s;      // first byte of a request to the end of its head
  milliseconds keep_alive_timeout = 75s;  // between requests
  milliseconds tcp_keep_alive = 60s;  // a client silent for this long is asked for a sign of life
  std::size_t max_header_bytes = 32u << 10;  // request line and fields
  std::size_t max_header_fields = 100;
  std::size_t max_target_bytes = 8u << 10;
  std::size_t max_body_bytes = 32u << 20;
  std::size_t max_chunk_overhead_bytes =
      64u << 10;  // of a chunked body's framing, and one more for every eight of its data
  std::size_t max_buffered_body_bytes = std::size_t{1} << 30;  // of all requests under way together
  milliseconds body_idle_timeout = 30s;              // between two reads of a request body
  std::size_t min_body_bytes_per_second = 1u << 10;  // of a request body, on the whole; 0: any
  milliseconds body_rate_grace = 10s;                // from its begin on, that much longer
  milliseconds write_timeout = 120s;  // a client that takes no byte for this long is closed
  std::size_t max_response_header_bytes = 64u << 10;
  std::size_t max_shadow_bytes =
      256u << 20;  // bodies and answers held for shadow work, all routes together
  std::size_t max_conversation_scan_bytes =
      256u << 10;                                // of a body, to find the conversation's beginning
  std::size_t max_model_scan_bytes = 32u << 20;  // of a body that names its model itself; a larger
                                                 // one goes to the default route
  std::size_t max_analysis_queue = 8192;         // answers waiting to be read
  std::size_t max_analysis_bytes = 256u << 20;
  milliseconds tls_handshake_timeout = 10s;  // from the connection's begin
  std::size_t max_tls_sessions =
      20'480;                        // kept for clients that resume without a ticket, per listener
  milliseconds linger_timeout = 2s;  // for a refused client to take its answer while it still sends
  std::size_t max_linger_bytes = 64u << 20;  // of what it sends meanwhile
  std::size_t max_seen_calls = 65'536;       // SDK calls remembered, so that each is copied once
  milliseconds seen_calls_for = 15min;       // longer than an SDK goes on repeating a call
  Http2Limits http2;
  friend bool operator==(const LimitsConfig&, const LimitsConfig&) = default;
};

struct ThreadsConfig {
  std::size_t io = 0;  // 0: one per core
  friend bool operator==(const ThreadsConfig&, const ThreadsConfig&) = default;
};

struct DrainConfig {
  milliseconds lame_duck = 5s;  // /readyz says no, connections are still accepted
  milliseconds timeout = 120s;  // then what is left is cut
  friend bool operator==(const DrainConfig&, const DrainConfig&) = default;
};

struct LogConfig {
  enum class Level : std::uint8_t { debug, info, warn, error };
  Level level = Level::info;
  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

// Where events are posted to, signed with a secret that both sides know.
struct WebhookConfig {
  Endpoint url;               // with its path; http only to loopback
  std::string secret_file;    // absolute once loaded; or
  std::string secret_env;     // the name of a variable
  std::string ca_file;        // trust anchors instead of the system's
  milliseconds timeout = 5s;  // of one try
  std::size_t retries = 5;    // after the first try, each after twice the pause
  friend bool operator==(const WebhookConfig&, const WebhookConfig&) = default;
};

struct EventsConfig {
  std::optional<WebhookConfig> webhook;
  friend bool operator==(const EventsConfig&, const EventsConfig&) = default;
};

// Several proxies, one decision: the evidence that each exports, read back as the sum of all from a
// Prometheus server (proxy/fleet_watch.h).
struct EvidenceConfig {
  bool exported = true;                // as counters on /metrics
  std::size_t max_families = 20;       // exported beside the pool; mined ones never are
  std::string fleet = "default";       // proxies of one name decide together
  std::optional<Endpoint> prometheus;  // its base URL; none: each proxy decides by itself
  milliseconds interval = 15s;         // between two readings
  milliseconds timeout = 5s;           // of one question
  milliseconds window = 5min;          // a replica that is silent for longer counts as gone: its
                                       // counters are looked up where they ended
  milliseconds horizon = 30 * 24h;     // replicas that have been gone for longer are forgotten
  std::size_t max_answer_bytes = 16u << 20;  // of one answer
  std::string token_file;                    // sent as a bearer token; absolute once loaded
  std::string ca_file;                       // trust anchors instead of the system's
  friend bool operator==(const EvidenceConfig&, const EvidenceConfig&) = default;
};

struct Config {
  std::vector<ListenerConfig> listeners;
  AdminConfig admin;
  std::vector<UpstreamConfig> upstreams;
  std::vector<RouteConfig> routes;
  std::optional<std::size_t> default_upstream;  // index into upstreams; what no route matches
  RecordsConfig records;
  EventsConfig events;
  LifecycleConfig lifecycle;
  EvidenceConfig evidence;
  std::string state_directory;  // absolute once loaded; empty: evidence dies with the process
  std::string prices_file;      // absolute once loaded; empty: the built-in prices
  std::string quotas_file;      // the same: how tokens count against quotas
  LimitsConfig limits;
  ThreadsConfig threads;
  DrainConfig drain;
  LogConfig log;
  std::string sampling_salt = "understudy";  // same salt, same decisions, on every replica
  std::string hash;                          // of the file's bytes, 16 hex digits
  Settings settings;                         // all of the above, key by key
};

}  // namespace understudy::routing
