#include "routing/config_loader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/routing/config_text.h"
#include "tests/support/scratch_directory.h"

namespace understudy::routing {
namespace {

namespace fs = std::filesystem;

TEST(ConfigLoader, ReadsWhatFollowsFromAModelsEnd) {
  const Config config = good(
      "lifecycle: {warn_before: 30d, models: {a.old-v1: {legacy: 2026-04-14, end_of_life: "
      "2026-10-14, replacement: a.b}}}\n"
      "routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, model: "
      "a.b, rewrite: [{preset: drop-prefill}, {remove: /x}]}\n    canary: {fallback: false}\n"
      "    on_end_of_life: serve_candidate\n    drill: {percent: 0.1}\n"
      "    keep_warm: {every: 12h}\n");
  ASSERT_EQ(config.routes.size(), 1U);
  const RouteConfig& route = config.routes[0];
  EXPECT_FALSE(route.canary.fallback);
  EXPECT_EQ(route.on_end_of_life, EndOfLifeAction::serve_candidate);
  EXPECT_EQ(route.drill, Percent{10});
  EXPECT_EQ(route.keep_warm, 12h);
  ASSERT_EQ(route.candidate->rewrite.size(), 2U);
  EXPECT_EQ(route.candidate->rewrite[0].preset, "drop-prefill");
  EXPECT_EQ(route.candidate->rewrite[1].preset, "");
  EXPECT_EQ(config.lifecycle.warn_before, 30 * 24h);
  const ModelDates& dates = config.lifecycle.models.at("a.old-v1");
  EXPECT_FALSE(dates.launch);
  EXPECT_EQ(*dates.end_of_life - *dates.legacy, std::chrono::days(183));
  EXPECT_EQ(dates.replacement, "a.b");
}

TEST(ConfigLoader, PutsAStagesGatesBeforeTheRoutes) {
  const Config config = good(
      "routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, model: "
      "a.b}\n    shadow: {percent: 1, control_percent: auto}\n    canary:\n"
      "      gates: {evidence: fix_first, cost: off, drift: roll_back}\n"
      "      stages:\n        - {percent: 1, gates: {evidence: off, way_back: off, latency: "
      "{threshold: 10}}}\n"
      "        - {percent: 50, gates: {cost: {patience: 9}}}\n        - {percent: 100}\n");
  const CanaryConfig& canary = config.routes.at(0).canary;
  using Gate = OperationalGate;
  const auto rule = [](const RolloutGates& gates, Gate gate) {
    return gates.operational[static_cast<std::size_t>(gate)];
  };
  EXPECT_EQ(canary.gates->drift, RolloutGates::Drift::roll_back);
  ASSERT_TRUE(canary.stages[0].gates && canary.stages[1].gates);
  const RolloutGates& first = *canary.stages[0].gates;
  EXPECT_EQ(first.evidence, RolloutGates::Evidence::off);
  EXPECT_EQ(first.way_back, RolloutGates::WayBack::off);
  EXPECT_EQ(rule(first, Gate::latency)->threshold, 10.0);
  EXPECT_FALSE(rule(first, Gate::cost)) << "as the route has it";
  const RolloutGates& second = *canary.stages[1].gates;
  EXPECT_EQ(second.evidence, RolloutGates::Evidence::fix_first) << "as the route has it";
  EXPECT_EQ(second.way_back, RolloutGates::WayBack::hold) << "as it is by default";
  EXPECT_EQ(rule(second, Gate::cost)->patience, 9u);
  EXPECT_EQ(rule(second, Gate::cost)->threshold, 50.0) << "on again, by default";
  EXPECT_FALSE(canary.stages[2].gates);
}

TEST(ConfigLoader, ReadsEverySourceOfCredentials) {
  using Source = CredentialsConfig::Source;
  const LoadedConfig loaded = load_credentials(
      "source: web_identity, token_file: jwt, web_identity_role_arn: 'arn:a', role_arn: 'arn:b', "
      "external_id: x, role_session_name: me, role_duration: 1h, timeout: 5s, "
      "max_answer_bytes: 8KiB");
  ASSERT_TRUE(loaded.config) << listed(loaded);
  const CredentialsConfig& credentials = loaded.config->upstreams[0].credentials;
  EXPECT_EQ(credentials.source, Source::web_identity);
  EXPECT_EQ(credentials.token_file, "/etc/understudy/jwt");
  EXPECT_EQ(credentials.web_identity_role_arn, "arn:a");
  EXPECT_EQ(credentials.role_arn, "arn:b");
  EXPECT_EQ(credentials.external_id, "x");
  EXPECT_EQ(credentials.role_session_name, "me");
  EXPECT_EQ(credentials.role_duration, 1h);
  EXPECT_EQ(credentials.timeout, 5s);
  EXPECT_EQ(credentials.max_answer_bytes, 8192U);
  for (const std::string_view good :
       {"source: default", "source: environment", "source: profile, profile: p",
        "source: container", "source: imds", "source: sso", "source: sso, profile: p",
        "source: process, command: a b"}) {
    const LoadedConfig one = load_credentials(good);
    EXPECT_TRUE(one.config) << listed(one);
    EXPECT_EQ(one.config->upstreams[0].credentials.timeout, 2s);
    EXPECT_EQ(one.config->upstreams[0].credentials.max_answer_bytes, 65'536U);
  }
}

TEST(ConfigLoader, ReadsEveryKeyOfARoute) {
  const Config config = good(
      "routes:\n"
      "  - name: r\n"
      "    match: {models: ['anthropic.claude-*'], operations: [Converse, InvokeModel], headers: "
      "{x-team: 's-*'}}\n"
      "    primary: {upstream: here, model: anthropic.claude-a}\n"
      "    candidate:\n"
      "      upstream: here\n"
      "      model: arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-b\n"
      "      rewrite:\n"
      "        - {operations: [Converse], remove: /inferenceConfig/temperature}\n"
      "        - {set: /max_tokens, value: {a: [1, 'two', true, ~, 1.5, 0777]}}\n"
      "        - json_patch: [{op: add, path: /a~1b, value: '1'}, {op: move, from: /x, path: /y}]\n"
      "    shadow:\n"
      "      percent: 12.34\n"
      "      control_percent: 5\n"
      "      max_in_flight: 7\n"
      "      max_queued: 8\n"
      "      max_body_bytes: 1MiB\n"
      "      max_capture_bytes: 2048B\n"
      "      connect_timeout: 500ms\n"
      "      first_byte_timeout: 1m\n"
      "      timeout: 1h\n"
      "      skip_probes: false\n"
      "      budget: {usd_per_day: 0.5, requests_per_minute: 60, "
      "tokens_per_minute: 200000}\n"
      "      suspend_for: 2m\n"
      "      breaker: {consecutive_failures: 2, failure_percent: 40, min_requests: 3, window: 5s, "
      "open_for: 6s}\n"
      "    canary: {percent: 0.01, sticky_by: conversation}\n");
  ASSERT_EQ(config.routes.size(), 1U);
  const RouteConfig& route = config.routes[0];
  EXPECT_EQ(route.name, "r");
  EXPECT_EQ(route.match.models, std::vector<std::string>{"anthropic.claude-*"});
  EXPECT_EQ(route.match.operations, (std::vector{Operation::converse, Operation::invoke_model}));
  EXPECT_EQ(route.match.headers, (std::vector{HeaderMatch{"x-team", "s-*"}}));
  EXPECT_EQ(route.primary.model, "anthropic.claude-a");
  ASSERT_TRUE(route.candidate);
  EXPECT_EQ(route.candidate->model,
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-b");
  const auto& rewrite = route.candidate->rewrite;
  ASSERT_EQ(rewrite.size(), 3U);
  EXPECT_EQ(
      rewrite[0],
      (RewriteRule{
          RewriteRule::Kind::remove, {Operation::converse}, "/inferenceConfig/temperature", ""}));
  EXPECT_EQ(rewrite[1].json, R"({"a":[1,"two",true,null,1.5,"0777"]})");
  EXPECT_EQ(rewrite[2].json,
            R"([{"op":"add","path":"/a~1b","value":"1"},{"op":"move","from":"/x","path":"/y"}])");
  const ShadowConfig& shadow = route.shadow;
  EXPECT_EQ(shadow.percent, Percent{1234});
  EXPECT_EQ(shadow.control, (ControlShare{false, Percent{500}}));
  EXPECT_EQ(shadow.max_in_flight, 7U);
  EXPECT_EQ(shadow.max_queued, 8U);
  EXPECT_EQ(shadow.max_body_bytes, 1U << 20);
  EXPECT_EQ(shadow.max_capture_bytes, 2048U);
  EXPECT_EQ(shadow.connect_timeout, 500ms);
  EXPECT_EQ(shadow.first_byte_timeout, 1min);
  EXPECT_EQ(shadow.timeout, 1h);
  EXPECT_FALSE(shadow.skip_probes);
  EXPECT_EQ(shadow.budget, (ShadowBudget{0.5, 60, 200'000}));
  EXPECT_EQ(shadow.suspend_for, 2min);
  EXPECT_EQ(shadow.breaker, (BreakerConfig{2, Percent{4000}, 3, 5s, 6s}));
  EXPECT_EQ(route.canary.percent, Percent{1});
}

TEST(ConfigLoader, ReadsAQuotaThatServiceQuotasTell) {
  const LoadedConfig loaded = load(
      "listeners: [{address: 127.0.0.1:8080}]\n"
      "upstreams: {here: {endpoint: 'https://bedrock-runtime.us-east-1.amazonaws.com'}}\n" +
      std::string(kCandidate) +
      "    candidate: {upstream: here, model: us.anthropic.claude-sonnet-5, quota: {from: "
      "service_quotas, part: 12.5, every: 6h, name: Claude Sonnet 5, tokens_per_minute: 7}}\n");
  ASSERT_TRUE(loaded.config) << listed(loaded);
  const QuotaConfig& quota = loaded.config->routes.at(0).candidate->quota;
  const auto& source = quota.service_quotas;
  ASSERT_TRUE(source);
  EXPECT_EQ(source->part, Percent{1'250});
  EXPECT_EQ(source->every, 6h);
  EXPECT_EQ(source->name, "Claude Sonnet 5");
  EXPECT_EQ(quota.tokens_per_minute, 7U);
  EXPECT_FALSE(quota.requests_per_minute);
  EXPECT_TRUE(quota.limits()) << "the volume is measured before the first figure is read";
}

TEST(ConfigLoader, ReadsEveryKeyOutsideOfRoutes) {
  const LoadedConfig loaded = load(
      "listeners:\n"
      "  - {address: '[::1]:8080', base_path: /bedrock/, hosts: [Bedrock.Internal]}\n"
      "  - {address: 0.0.0.0:8081, trust_network: true}\n"
      "admin: {address: localhost:9900}\n"
      "upstreams:\n"
      "  real: {endpoint: 'https://bedrock-runtime.eu-west-1.amazonaws.com', credentials: {source: "
      "profile, profile: p}}\n"
      "  fips: {endpoint: 'https://bedrock-runtime-fips.us-east-1.amazonaws.com:8443/x', region: "
      "us-east-1}\n"
      "  vpc:\n"
      "    endpoint: http://10.0.0.1/prefix/\n"
      "    control_endpoint: https://control.example\n"
      "    allow_plaintext: true\n"
      "    credentials: {source: bearer, token_env: TOKEN}\n"
      "    connect_timeout: 1s\n"
      "    first_byte_timeout: 2s\n"
      "    stream_idle_timeout: 3s\n"
      "    pool_idle_timeout: 0s\n"
      "    max_idle_connections: 4\n"
      "    tcp_keep_alive: 25s\n"
      "    dns_refresh: 4s\n"
      "    dns_keep: 5s\n"
      "  keys: {endpoint: 'https://x', region: r, credentials: {source: static, access_key_id: a, "
      "secret_access_key: b, session_token: c}}\n"
      "default_route: {upstream: vpc}\n"
      "records: {directory: records/../r, content: redacted, rotate_bytes: 1MiB, max_total_bytes: "
      "2MiB, keep_free_bytes: 0B, max_queued_bytes: 2MiB}\n"
      "limits: {max_connections: 5, header_timeout: 1s, keep_alive_timeout: 2s, tcp_keep_alive: "
      "26s, max_header_bytes: "
      "2KiB,\n"
      "  max_header_fields: 50, max_target_bytes: 1KiB, max_body_bytes: 1GiB, "
      "max_chunk_overhead_bytes: 9KiB, "
      "max_buffered_body_bytes: 3GiB, body_idle_timeout: "
      "3s, min_body_bytes_per_second: 24B, body_rate_grace: 7s, write_timeout: 4s,\n"
      "  max_response_header_bytes: 3KiB, max_shadow_bytes: 1MiB, max_conversation_scan_bytes: "
      "4KiB, max_model_scan_bytes: 7KiB,\n"
      "  max_analysis_queue: 6, max_analysis_bytes: 5MiB,\n"
      "  tls_handshake_timeout: 6s, max_tls_sessions: 23,\n"
      "  linger_timeout: 6s, max_linger_bytes: 6MiB, max_seen_calls: 7, seen_calls_for: 8s,\n"
      "  http2: {max_concurrent_streams: 7, max_streams: 8, stream_window_bytes: 64KiB,\n"
      "    connection_window_bytes: 2MiB, keep_alive_timeout: 5s,\n"
      "    resets_received: {burst: 9, per_second: 10}, resets_sent: {burst: 11, per_second: 12},\n"
      "    pings: {burst: 13, per_second: 14}, settings: {burst: 15, per_second: 0},\n"
      "    max_glitches: 16, max_priorities_per_stream: 17, max_window_updates_per_data: 18,\n"
      "    max_empty_data: 19, max_unknown_frames: 20, max_continuations: 21,\n"
      "    max_pending_acks: 22}}\n"
      "threads: {io: 3}\n"
      "drain: {lame_duck: 0s, timeout: 1d}\n"
      "log: {level: debug}\n"
      "sampling_salt: pepper\n");
  ASSERT_EQ(listed(loaded), "");
  const Config& config = *loaded.config;
  EXPECT_EQ(config.listeners[0],
            (ListenerConfig{{"::1", 8080}, "/bedrock", {"bedrock.internal"}, false}));
  EXPECT_EQ(config.listeners[1], (ListenerConfig{{"0.0.0.0", 8081}, "", {}, true}));
  EXPECT_EQ(config.admin.address, (Address{"127.0.0.1", 9900}));
  ASSERT_EQ(config.upstreams.size(), 4U);
  const UpstreamConfig& real = config.upstreams[0];
  EXPECT_EQ(real.name, "real");
  EXPECT_EQ(real.endpoint, (Endpoint{true, "bedrock-runtime.eu-west-1.amazonaws.com", 443, ""}));
  EXPECT_EQ(real.control_endpoint.host, "bedrock.eu-west-1.amazonaws.com");
  EXPECT_EQ(real.region, "eu-west-1");
  EXPECT_EQ(real.credentials.profile, "p");
  const UpstreamConfig& fips = config.upstreams[1];
  EXPECT_EQ(fips.control_endpoint,
            (Endpoint{true, "bedrock-fips.us-east-1.amazonaws.com", 8443, "/x"}));
  EXPECT_EQ(fips.credentials.source, CredentialsConfig::Source::default_chain);
  const UpstreamConfig& vpc = config.upstreams[2];
  EXPECT_EQ(vpc.endpoint, (Endpoint{false, "10.0.0.1", 80, "/prefix"}));
  EXPECT_EQ(vpc.control_endpoint.host, "control.example");
  EXPECT_EQ(vpc.credentials.token_env, "TOKEN");
  EXPECT_EQ(vpc.connect_timeout, 1s);
  EXPECT_EQ(vpc.first_byte_timeout, 2s);
  EXPECT_EQ(vpc.stream_idle_timeout, 3s);
  EXPECT_EQ(vpc.pool_idle_timeout, 0s);
  EXPECT_EQ(vpc.max_idle_connections, 4U);
  EXPECT_EQ(vpc.tcp_keep_alive, 25s);
  EXPECT_EQ(vpc.dns_refresh, 4s);
  EXPECT_EQ(vpc.dns_keep, 5s);
  EXPECT_EQ(config.upstreams[3].credentials.session_token, "c");
  EXPECT_EQ(config.default_upstream, 2U);
  EXPECT_EQ(config.records, (RecordsConfig{"/etc/understudy/r", RecordsConfig::Content::redacted,
                                           1 << 20, 2 << 20, 0, 2 << 20}));
  EXPECT_EQ(config.limits, (LimitsConfig{5,
                                         1s,
                                         2s,
                                         26s,
                                         2 << 10,
                                         50,
                                         1 << 10,
                                         1 << 30,
                                         9 << 10,
                                         std::size_t{3} << 30,
                                         3s,
                                         24,
                                         7s,
                                         4s,
                                         3 << 10,
                                         1 << 20,
                                         4 << 10,
                                         7 << 10,
                                         6,
                                         5 << 20,
                                         6s,
                                         23,
                                         6s,
                                         6 << 20,
                                         7,
                                         8s,
                                         Http2Limits{7,
                                                     8,
                                                     64 << 10,
                                                     2 << 20,
                                                     5s,
                                                     {9, 10},
                                                     {11, 12},
                                                     {13, 14},
                                                     {15, 0},
                                                     16,
                                                     17,
                                                     18,
                                                     19,
                                                     20,
                                                     21,
                                                     22}}));
  EXPECT_EQ(config.threads.io, 3U);
  EXPECT_EQ(config.drain, (DrainConfig{0s, 24h}));
  EXPECT_EQ(config.log.level, LogConfig::Level::debug);
  EXPECT_EQ(config.sampling_salt, "pepper");
}

TEST(ConfigLoader, ReadsTheRulesOfAVerdict) {
  const Config config = good(
      "state: {directory: state}\n"
      "routes:\n  - name: r\n    primary: {upstream: here}\n"
      "    candidate: {upstream: here, model: a.b}\n"
      "    verdict:\n      min_hours: 6\n      min_pairs_per_family: 50\n"
      "      max_missing_percent: 2.5\n      max_dropped_percent: 1\n"
      "      number_tolerance_percent: 0.5\n"
      "      gates: {latency: {alarm: 20, margin: 50}, refusal: {margin: 2}, cost: off}\n");
  EXPECT_EQ(config.state_directory, "/etc/understudy/state");
  const VerdictConfig& verdict = config.routes[0].verdict;
  EXPECT_EQ(verdict.min_hours, 6u);
  EXPECT_EQ(verdict.min_pairs_per_family, 50u);
  EXPECT_EQ(verdict.max_missing, Percent{250});
  EXPECT_EQ(verdict.max_dropped, Percent{100});
  EXPECT_DOUBLE_EQ(verdict.number_tolerance, 0.005);
  EXPECT_EQ(verdict.gates[*gate_of("latency")], (GateThresholds{0.2, 0.5}));
  EXPECT_EQ(verdict.gates[*gate_of("refusal")], (GateThresholds{0.0, 0.02}));
  EXPECT_FALSE(verdict.gates[*gate_of("cost")]);
  EXPECT_EQ(verdict.gates[*gate_of("language")], kGates[*gate_of("language")].thresholds);
}

TEST(ConfigLoader, GivesDefaultsAndAHashOfTheBytes) {
  const Config config = good("");
  EXPECT_EQ(config.admin, AdminConfig{});
  EXPECT_EQ(config.hash.size(), 16U);
  EXPECT_EQ(config.hash, good("").hash);
  EXPECT_NE(config.hash, good("# a comment\n").hash);
}

std::string shipped_config() {
  std::ifstream file(UNDERSTUDY_SOURCE_DIR "/config.yaml");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ConfigLoader, FindsEveryOperationThatARouteCanMatchNamedInTheShippedConfig) {
  const std::string text = shipped_config();
  std::set<Operation> named;
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find_if_not(begin, text.end(), is_letter);
    if (const auto operation = operation_from_name({begin, end})) named.insert(*operation);
    begin = std::find_if(end, text.end(), is_letter);
  }
  std::set<Operation> all(kOperations.begin(), kOperations.end());
  all.erase(Operation::other);
  EXPECT_EQ(named, all);
}

TEST(ConfigLoader, LoadsTheShippedConfigClean) {
  const LoadedConfig loaded = load(shipped_config());
  EXPECT_EQ(listed(loaded), "");
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->routes[0].name, "sonnet");
  EXPECT_EQ(loaded.config->routes[0].candidate->model, "us.anthropic.claude-sonnet-5");
  EXPECT_EQ(loaded.config->listeners[0].address, (Address{"127.0.0.1", 8080}));
  EXPECT_TRUE(loaded.config->routes[0].shadow.control.automatic);
}

class ConfigFile : public testing::Test {
 protected:
  fs::path write(std::string_view text) const {
    const fs::path file = directory_ / "c.yaml";
    std::ofstream(file) << text;
    ::chmod(file.c_str(), 0644);
    return file;
  }

  testing_support::ScratchDirectory directory_;
};

TEST_F(ConfigFile, LoadsWithPathsFromItsOwnDirectory) {
  std::ofstream(directory_ / "prices.json") << "{}";
  const LoadedConfig loaded = load_config_file(
      write(std::string(kHead) + "records: {directory: r}\nprices_file: prices.json\n"));
  ASSERT_TRUE(loaded.config) << listed(loaded);
  EXPECT_EQ(loaded.config->records.directory, (directory_ / "r").string());
  EXPECT_EQ(loaded.config->prices_file, (directory_ / "prices.json").string());
}

TEST_F(ConfigFile, IsFollowedThroughALinkWhosePathsStartAtTheLink) {
  write(kHead);
  fs::create_symlink("c.yaml", directory_ / "link.yaml");
  EXPECT_TRUE(load_config_file(directory_ / "link.yaml").config);
}

TEST_F(ConfigFile, IsRefusedWhereItIsNoPrivateRegularFile) {
  const auto what = [](const fs::path& file) {
    const LoadedConfig loaded = load_config_file(file);
    EXPECT_EQ(loaded.config, nullptr);
    return loaded.problems.empty() ? "" : loaded.problems[0].what;
  };
  EXPECT_EQ(what(directory_.path()), "is a directory");
  EXPECT_EQ(what(directory_ / "none.yaml"), "cannot be opened: No such file or directory");
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(what(directory_ / "pipe"), "is no regular file");
  EXPECT_EQ(what(write("")), "is empty");
  EXPECT_EQ(what(write(std::string(2 << 20, ' '))), "is larger than 1 MiB");
  const fs::path file = write(kHead);
  ::chmod(file.c_str(), 0666);
  EXPECT_EQ(what(file), "can be written by anyone (chmod o-w)");
}

constexpr const char* kMantle =
    "listeners: [{address: 127.0.0.1:8080}]\n"
    "upstreams:\n"
    "  mantle: {endpoint: https://bedrock-mantle.eu-west-1.api.aws, credentials: {source: "
    "default}%s}\n"
    "default_route: {upstream: mantle}\n";

std::string mantle(std::string_view more) {
  std::string text = kMantle;
  return text.replace(text.find("%s"), 2, more);
}

TEST(SecondWireConfig, DerivesRegionAndSigningNameOfMantle) {
  const LoadedConfig loaded = load(mantle(""));
  ASSERT_EQ(listed(loaded), "");
  const UpstreamConfig& upstream = loaded.config->upstreams[0];
  EXPECT_EQ(upstream.region, "eu-west-1");
  EXPECT_EQ(upstream.signing_service, "bedrock-mantle");
  EXPECT_EQ(upstream.control_endpoint, upstream.endpoint);
  EXPECT_EQ(good("").upstreams[0].signing_service, "bedrock");
}

TEST(SecondWireConfig, TakesASigningNameOfTheUsers) {
  EXPECT_EQ(load(mantle(", signing_service: execute-api")).config->upstreams[0].signing_service,
            "execute-api");
  EXPECT_NE(listed(load(mantle(", signing_service: Bedrock!"))).find("signing_service"),
            std::string::npos);
}

TEST(SecondWireConfig, MatchesByOperationAndPath) {
  const Config config = good(
      "limits: {max_model_scan_bytes: 1MiB}\n"
      "routes: [{name: r, primary: {upstream: here}, match: {operations: [Messages, "
      "MessagesCountTokens, ChatCompletions, Responses], paths: [/v1/*, /openai/*]}}]\n");
  EXPECT_EQ(config.routes[0].match.operations,
            (std::vector{Operation::messages, Operation::messages_count_tokens,
                         Operation::chat_completions, Operation::responses}));
  EXPECT_EQ(config.routes[0].match.paths, (std::vector<std::string>{"/v1/*", "/openai/*"}));
  EXPECT_EQ(config.limits.max_model_scan_bytes, 1u << 20);
  for (const char* path : {"v1", "'/v1?x=1'", "'/v 1'", "''"}) {
    const std::string text = std::string(kHead) +
                             "routes: [{name: r, primary: {upstream: here}, match: {paths: [" +
                             path + "]}}]\n";
    EXPECT_NE(listed(load(text)).find("routes[0].match.paths[0]"), std::string::npos) << path;
  }
}

TEST(SecondWireConfig, SeesARouteThatAnothersPathsTakeAll) {
  const std::string text =
      "routes: [{name: a, primary: {upstream: here}, match: {paths: [/v1/*]}},"
      "{name: b, primary: {upstream: here}, match: {paths: [/v1/chat/*]}},"
      "{name: c, primary: {upstream: here}, match: {models: [x]}}]\n";
  const std::string found = listed(load(std::string(kHead) + text));
  EXPECT_NE(found.find("routes[1]: can never match"), std::string::npos) << found;
  EXPECT_EQ(found.find("routes[2]: can never match"), std::string::npos) << found;
}

}  // namespace
}  // namespace understudy::routing
