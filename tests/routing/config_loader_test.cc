#include "routing/config_loader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace understudy::routing {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead =
    "listeners: [{address: 127.0.0.1:8080}]\n"
    "upstreams: {here: {endpoint: 'http://127.0.0.1:9000', credentials: {source: none}}}\n"
    "default_route: {upstream: here}\n";

LoadedConfig load(std::string_view text) {
  return load_config_text(text, "/etc/understudy/c.yaml");
}

std::string listed(const LoadedConfig& loaded) {
  std::string all;
  for (const ConfigProblem& problem : loaded.problems) {
    std::string text = problem.to_string();
    all += text.substr(text.find("c.yaml")) + "\n";
  }
  return all;
}

// What loads behind kHead, which takes lines 1 to 3.
Config good(std::string_view more) {
  const LoadedConfig loaded = load(std::string(kHead) + std::string(more));
  EXPECT_EQ(listed(loaded), "") << more;
  return loaded.config ? *loaded.config : Config{};
}

std::string problems_of(std::string_view more) {
  const LoadedConfig loaded = load(std::string(kHead) + std::string(more));
  const bool refused =
      std::ranges::any_of(loaded.problems, [](const auto& p) { return !p.warning; });
  EXPECT_EQ(loaded.config == nullptr, refused);
  return listed(loaded);
}

struct BadConfig {
  const char* text;
  const char* problem;  // the first one, from "c.yaml" on
};

void expect_refused(const BadConfig& row, const LoadedConfig& loaded) {
  EXPECT_EQ(loaded.config, nullptr) << row.text;
  const std::string all = listed(loaded);
  EXPECT_EQ(all.substr(0, all.find('\n')), row.problem) << row.text;
}

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
      "a.b}\n    canary:\n      gates: {evidence: fix_first, cost: off, drift: roll_back}\n"
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

TEST(ConfigLoader, RefusesEachMistakeAtItsPlace) {
  const std::vector<BadConfig> table{
      {"lisen: 1\n", "c.yaml:4:1: lisen: is not a known key"},
      {"log: {level: loud}\n",
       "c.yaml:4:14: log.level: must be debug, info, warn or error, got loud"},
      {"log: debug\n", "c.yaml:4:6: log: must be a map, got a single value"},
      {"log:\n", "c.yaml:4:1: log: must be a map, got nothing"},
      {"log: [info]\n", "c.yaml:4:6: log: must be a map, got a list"},
      {"log: {level: [info]}\n", "c.yaml:4:14: log.level: must be a single value, got a list"},
      {"log: {level: info, level: warn}\n",
       "c.yaml:4:20: log.level: is given twice, first on line 4"},
      {"log: &a {level: info}\n", "c.yaml:4:6: log: anchors (&) are not supported"},
      {"log: {level: &a info}\n", "c.yaml:4:14: log.level: anchors (&) are not supported"},
      {"log: *a\n", "c.yaml:4:6: the referenced anchor is not defined"},
      {"log: !x {level: info}\n", "c.yaml:4:6: log: tags (!) are not supported"},
      {"sampling_salt: !!str x\n", "c.yaml:4:16: sampling_salt: tags (!) are not supported"},
      {"? [a]\n: b\n", "c.yaml:4:3: a key is a list or a map"},
      {"log: {level: info}\n---\nlog: {}\n", "c.yaml:5:1: the file has a second document"},
      {"log: {level: info\n", "c.yaml:5:1: end of map flow not found"},
      {"log:\n\tlevel: info\n", "c.yaml:5:7: illegal map value"},
      {"<<: {log: x}\n", "c.yaml:4:1: <<: is not a known key"},
      {"log: 'x\n", "c.yaml:4:6: the quotation is never closed"},
      {"sampling_salt: \"pep", "c.yaml:4:20: illegal EOF in scalar"},
      {"sampling_salt: 'it''s", "c.yaml:4:22: illegal EOF in scalar"},
      {"\"é\": 1\nsampling_salt: \"a\\\"b", "c.yaml:5:21: illegal EOF in scalar"},
      {"threads: {io: 1.5}\n", "c.yaml:4:15: threads.io: must be a whole number, got 1.5"},
      {"threads: {io: 007}\n", "c.yaml:4:15: threads.io: must be a whole number, got 007"},
      {"threads: {io: -1}\n", "c.yaml:4:15: threads.io: must be a whole number, got -1"},
      {"threads: {io: 1000}\n", "c.yaml:4:15: threads.io: must be between 0 and 256, got 1000"},
      {"threads: {io: .nan}\n", "c.yaml:4:15: threads.io: must be a whole number, got .nan"},
      {"threads: {shadow: 2}\n", "c.yaml:4:11: threads.shadow: this version does not have it yet"},
      {"threads: {io: 99999999999999999999}\n",
       "c.yaml:4:15: threads.io: must be a whole number, got 99999999999999999999"},
      {"drain: {timeout: 5}\n",
       "c.yaml:4:18: drain.timeout: must be a whole number with a unit: ms, s, m, h or d (like "
       "300s), got 5"},
      {"drain: {timeout: 5 s}\n",
       "c.yaml:4:18: drain.timeout: must be a whole number with a unit: ms, s, m, h or d (like "
       "300s), got 5 s"},
      {"drain: {timeout: 1.5s}\n",
       "c.yaml:4:18: drain.timeout: must be a whole number with a unit: ms, s, m, h or d (like "
       "300s), got 1.5s"},
      {"drain: {timeout: 5w}\n",
       "c.yaml:4:18: drain.timeout: must be a whole number with a unit: ms, s, m, h or d (like "
       "300s), got 5w"},
      {"drain: {timeout: 2d}\n", "c.yaml:4:18: drain.timeout: must be between 0ms and 1d, got 2d"},
      {"drain: {timeout: 99999999999999d}\n",
       "c.yaml:4:18: drain.timeout: must be a whole number with a unit: ms, s, m, h or d (like "
       "300s), got 99999999999999d"},
      {"limits: {max_body_bytes: 32MB}\n",
       "c.yaml:4:26: limits.max_body_bytes: must be a whole number with a unit: B, KiB, MiB, GiB "
       "or TiB (like 32MiB), got 32MB"},
      {"limits: {max_body_bytes: 33554432}\n",
       "c.yaml:4:26: limits.max_body_bytes: must be a whole number with a unit: B, KiB, MiB, GiB "
       "or TiB (like 32MiB), got 33554432"},
      {"limits: {max_body_bytes: 2GiB}\n",
       "c.yaml:4:26: limits.max_body_bytes: must be between 1KiB and 1GiB, got 2GiB"},
      {"limits: {max_body: 1MiB}\n",
       "c.yaml:4:10: limits.max_body: is not a known key (did you mean max_body_bytes?)"},
      {"limits: {header_timeout: 0s}\n",
       "c.yaml:4:26: limits.header_timeout: must be between 10ms and 1d, got 0s"},
      {"admin: {address: 0.0.0.0:9901}\n",
       "c.yaml:4:18: admin.address: is open beyond this machine: give it a `token_file`, or `tls` "
       "with `client_ca`; scrapers and probes need only `read_only: {address: ...}`"},
      {"admin: {token_file: t}\n",
       "c.yaml:4:21: admin.token_file: names no file: /etc/understudy/t"},
      {"admin: {read_only: {address: 127.0.0.1:8080}}\n",
       "c.yaml:1:23: listeners[0].address: is the address of admin.read_only too"},
      {"admin: {address: 127.0.0.1:8080}\n",
       "c.yaml:1:23: listeners[0].address: is the admin address too"},
      {"admin: {address: 127.1:9901}\n",
       "c.yaml:4:18: admin.address: must be an IP address and a port (like 127.0.0.1:8080), got "
       "127.1:9901"},
      {"state: {}\n", "c.yaml:4:8: state.directory: is missing"},
      {"records: {content: full}\n", "c.yaml:4:10: records.directory: is missing"},
      {"records: {directory: r, content: some}\n",
       "c.yaml:4:34: records.content: must be none, redacted or full, got some"},
      {"records: {directory: r, rotate_bytes: 1GiB, max_total_bytes: 1MiB}\n",
       "c.yaml:4:62: records.max_total_bytes: must not be below rotate_bytes (1GiB), got 1MiB"},
      {"limits: {max_body_bytes: 2MiB, max_buffered_body_bytes: 1MiB}\n",
       "c.yaml:4:57: limits.max_buffered_body_bytes: must not be below max_body_bytes (2MiB), got "
       "1MiB"},
      {"routes: {a: b}\n", "c.yaml:4:9: routes: must be a list, got a map"},
      {"routes: [x]\n", "c.yaml:4:10: routes[0]: must be a map, got a single value"},
      {"routes:\n  - {primary: {upstream: here}}\n", "c.yaml:5:5: routes[0].name: is missing"},
      {"routes:\n  - {name: a b, primary: {upstream: here}}\n",
       "c.yaml:5:12: routes[0].name: must be 1 to 64 letters, digits, dots, dashes and "
       "underscores, got a b"},
      {"routes:\n  - {name: r}\n", "c.yaml:5:5: routes[0].primary: is missing"},
      {"routes:\n  - {name: r, primary: {}}\n",
       "c.yaml:5:24: routes[0].primary.upstream: is missing"},
      {"routes:\n  - {name: r, primary: {upstream: hre}}\n",
       "c.yaml:5:35: routes[0].primary.upstream: no upstream is called hre (did you mean here?)"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n  - name: r\n    primary: {upstream: "
       "here}\n",
       "c.yaml:7:5: warning: routes[1]: can never match: routes[0] before it takes all that it "
       "would"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {models: []}\n",
       "c.yaml:7:21: routes[0].match.models: must not be empty"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {models: anthropic}\n",
       "c.yaml:7:21: routes[0].match.models: must be a list, got a single value"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {models: ['anthropic?']}\n",
       "c.yaml:7:22: routes[0].match.models[0]: must be a model id in which '*' stands for "
       "anything, not percent-encoded, got anthropic?"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {models: ['a%3Ab']}\n",
       "c.yaml:7:22: routes[0].match.models[0]: must be a model id in which '*' stands for "
       "anything, not percent-encoded, got a%3Ab"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {operations: [converse]}\n",
       "c.yaml:7:26: routes[0].match.operations[0]: must be Converse, ConverseStream, InvokeModel, "
       "InvokeModelWithResponseStream, CountTokens, Messages, MessagesCountTokens, "
       "ChatCompletions, Responses or InvokeModelWithBidirectionalStream, got converse"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {operations: "
       "[ApplyGuardrail]}\n",
       "c.yaml:7:26: routes[0].match.operations[0]: this version cannot match ApplyGuardrail yet"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {headers: {'x y': z}}\n",
       "c.yaml:7:23: routes[0].match.headers.x y: is no header name"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {model: x}\n",
       "c.yaml:7:13: routes[0].match.model: is not a known key (did you mean models?)"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    primary: {upstream: here, "
       "rewrite: []}\n",
       "c.yaml:7:5: routes[0].primary: is given twice, first on line 6"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    shadow: {percent: 10}\n",
       "c.yaml:7:23: routes[0].shadow.percent: needs a candidate"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    canary: {percent: 10}\n",
       "c.yaml:7:23: routes[0].canary.percent: needs a candidate"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {percent: 100.01}\n",
       "c.yaml:8:23: routes[0].shadow.percent: must be between 0 and 100, got 100.01"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {percent: 0.125}\n",
       "c.yaml:8:23: routes[0].shadow.percent: must be a number of at most two decimals, got "
       "0.125"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {percent: -1}\n",
       "c.yaml:8:23: routes[0].shadow.percent: must be between 0 and 100, got -1"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {percent: .nan}\n",
       "c.yaml:8:23: routes[0].shadow.percent: must be a number from 0 to 100, got .nan"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {percent: 1e1}\n",
       "c.yaml:8:23: routes[0].shadow.percent: must be a number from 0 to 100, got 1e1"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {percent: 10%}\n",
       "c.yaml:8:23: routes[0].shadow.percent: must be a number from 0 to 100, got 10%"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {control_percent: some}\n",
       "c.yaml:8:31: routes[0].shadow.control_percent: must be a number from 0 to 100, got some "
       "(or auto)"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {budget: {usd_per_day: .inf}}\n",
       "c.yaml:8:36: routes[0].shadow.budget.usd_per_day: must be a number from 0 up, got .inf"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {budget: {usd_per_day: -1}}\n",
       "c.yaml:8:36: routes[0].shadow.budget.usd_per_day: must be a number from 0 up, got -1"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {budget: 50}\n",
       "c.yaml:8:22: routes[0].shadow.budget: must be a map, got a single value"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {skip_probes: yes}\n",
       "c.yaml:8:27: routes[0].shadow.skip_probes: must be true or false, got yes"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {max_inflight: 3}\n",
       "c.yaml:8:14: routes[0].shadow.max_inflight: is not a known key (did you mean "
       "max_in_flight?)"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    shadow: {max_in_flight: 0}\n",
       "c.yaml:8:29: routes[0].shadow.max_in_flight: must be between 1 and 100000, got 0"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {stages: [{percent: 5}, {percent: 1}]}\n",
       "c.yaml:8:47: routes[0].canary.stages[1].percent: must be above the stage before it"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {percent: 3, stages: [{percent: 5}]}\n",
       "c.yaml:8:23: routes[0].canary.percent: is not for a route with stages: they say what is "
       "served"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    canary: {stages: [{percent: "
       "5}]}\n",
       "c.yaml:7:22: routes[0].canary.stages: needs a candidate"},
      {"events: {webhook: {url: \"http://hooks.example/x\", secret_env: S}}\n",
       "c.yaml:4:25: events.webhook.url: must be https:// beyond loopback"},
      {"events: {webhook: {url: \"https://hooks.example/x\"}}\n",
       "c.yaml:4:25: events.webhook.url: needs one of secret_file and secret_env beside it: events "
       "are signed"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {gates: {evidence: maybe}}\n",
       "c.yaml:8:32: routes[0].canary.gates.evidence: must be roll_back, fix_first or off, got "
       "maybe"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {gates: {latency: {patience: 0}}}\n",
       "c.yaml:8:42: routes[0].canary.gates.latency.patience: must be between 1 and 1000, got 0"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {stages: [{percent: 5, gates: {drift: off}}]}\n",
       "c.yaml:8:51: routes[0].canary.stages[0].gates.drift: is watched after the last stage: it "
       "stands in the gates of canary"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {gates: {drift: maybe}}\n",
       "c.yaml:8:29: routes[0].canary.gates.drift: must be tell, roll_back or off, got maybe"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {fallback: primary}\n",
       "c.yaml:8:24: routes[0].canary.fallback: must be true or false, got primary"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {sticky_by: user}\n",
       "c.yaml:8:25: routes[0].canary.sticky_by: must be conversation, caller, {header: NAME} or "
       "{metadata: KEY}, got user"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {sticky_by: {header: a, metadata: b}}\n",
       "c.yaml:8:25: routes[0].canary.sticky_by: takes one of header and metadata"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    on_end_of_life: x\n",
       "c.yaml:8:21: routes[0].on_end_of_life: must be alarm or serve_candidate, got x"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    on_end_of_life: serve_candidate\n",
       "c.yaml:7:21: routes[0].on_end_of_life: needs a candidate"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    drill: {percent: 0.1}\n",
       "c.yaml:8:12: routes[0].drill: plays what on_end_of_life: serve_candidate does: say that, "
       "too"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    keep_warm: {every: 15d}\n",
       "c.yaml:7:24: routes[0].keep_warm.every: must be between 1s and 14d, got 15d"},
      {"lifecycle: {models: {a.b: {end_of_life: 2026-02-30}}}\n",
       "c.yaml:4:41: lifecycle.models.a.b.end_of_life: must be a day like 2026-11-20, got "
       "2026-02-30"},
      {"lifecycle: {models: [a.b]}\n", "c.yaml:4:21: lifecycle.models: must be a map of model ids"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    lifecycle: {}\n",
       "c.yaml:8:5: routes[0].lifecycle: this version does not have it yet"},
      {"evidence: {prometheus: 'http://127.0.0.1:9090', export: false}\n",
       "c.yaml:4:57: evidence.export: must be true where prometheus is asked: the sums would lack "
       "us"},
      {"evidence: {prometheus: 'http://127.0.0.1:9090', window: 30s}\n",
       "c.yaml:4:57: evidence.window: must be three times the interval at least"},
      {"evidence: {max_families: 21}\n",
       "c.yaml:4:26: evidence.max_families: must be between 0 and 20, got 21"},
      {"evidence: {prometheus: 'http://prometheus:9090', token_file: c.yaml}\n",
       "c.yaml:4:24: evidence.prometheus: must be https:// beyond loopback where a token is sent"},
      {"evidence: {promtheus: 'http://127.0.0.1:9090'}\n",
       "c.yaml:4:12: evidence.promtheus: is not a known key (did you mean prometheus?)"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    evidence: {}\n",
       "c.yaml:8:5: routes[0].evidence: this version does not have it yet"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    lifecycle: {}\n",
       "c.yaml:8:5: routes[0].lifecycle: this version does not have it yet"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: claude-5}\n",
       "c.yaml:7:42: routes[0].candidate.rewrite: must be a list of rules, like [{preset: "
       "drop-sampling}]"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{preset: drop-samplin}]}\n",
       "c.yaml:7:52: routes[0].candidate.rewrite[0].preset: there is no preset drop-samplin (did "
       "you "
       "mean drop-sampling?)"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{remove: a}]}\n",
       "c.yaml:7:52: routes[0].candidate.rewrite[0].remove: must be a JSON pointer (like "
       "/inferenceConfig/temperature), got a"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{remove: /a, set: /b, value: 1}]}\n",
       "c.yaml:7:43: routes[0].candidate.rewrite[0]: takes one of remove, set, json_patch and "
       "preset"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{set: /b}]}\n",
       "c.yaml:7:43: routes[0].candidate.rewrite[0].value: is missing"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{remove: /a~2}]}\n",
       "c.yaml:7:52: routes[0].candidate.rewrite[0].remove: must be a JSON pointer (like "
       "/inferenceConfig/temperature), got /a~2"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{remove: /a, value: 1}]}\n",
       "c.yaml:7:56: routes[0].candidate.rewrite[0].value: is not a known key"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{json_patch: [{op: put, path: /a}]}]}\n",
       "c.yaml:7:62: routes[0].candidate.rewrite[0].json_patch[0].op: must be add, remove, "
       "replace, move, copy or test, got put"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{json_patch: [{op: add, path: /a}]}]}\n",
       "c.yaml:7:57: routes[0].candidate.rewrite[0].json_patch[0].value: is missing"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{json_patch: [{op: move, path: /a}]}]}\n",
       "c.yaml:7:57: routes[0].candidate.rewrite[0].json_patch[0].from: is missing"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{operations: [ApplyGuardrail], remove: /a}]}\n",
       "c.yaml:7:57: routes[0].candidate.rewrite[0].operations[0]: this version cannot match "
       "ApplyGuardrail yet"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "rewrite: [{operations: [InvokeModelWithBidirectionalStream], remove: /a}]}\n",
       "c.yaml:7:57: routes[0].candidate.rewrite[0].operations[0]: "
       "InvokeModelWithBidirectionalStream is passed on as it is and cannot be rewritten"},
  };
  for (const BadConfig& row : table) {
    expect_refused(row, load(std::string(kHead) + row.text));
  }
}

TEST(ConfigLoader, RefusesFilesThatAreNoConfigAtAll) {
  const std::vector<BadConfig> table{
      {"# nothing\n", "c.yaml: is empty"},
      {"{}\n", "c.yaml:1:1: listeners: is missing"},
      {"just text\n", "c.yaml:1:1: must be a map, got a single value"},
      {"- a\n- b\n", "c.yaml:1:1: must be a map, got a list"},
      {"listeners: []\nupstreams: {}\n",
       "c.yaml:1:1: routes: is missing, and default_route too: no request could be served"},
      {"upstreams: {u: {endpoint: 'https://h', region: r}}\ndefault_route: {upstream: u}\n",
       "c.yaml:1:1: listeners: is missing"},
      {"listeners: [{address: 127.0.0.1:1}]\nupstreams: {u: {endpoint: 'https://h', region: r}}\n",
       "c.yaml:1:1: routes: is missing, and default_route too: no request could be served"},
      {"listeners: [{address: 127.0.0.1:1}, {address: 127.0.0.1:1}]\nupstreams: {u: {endpoint: "
       "'https://h', region: r}}\nroutes: []\n",
       "c.yaml:1:47: listeners[1].address: is the address of listeners[0] too"},
      {"listeners:\n  - address: 0.0.0.0:8080\nupstreams: {u: {endpoint: 'https://h', region: "
       "r}}\nroutes: []\n",
       "c.yaml:2:14: listeners[0].address: is open beyond this machine: anyone who reaches it "
       "spends your money; say who may by `clients` (api_keys_file, sigv4 or mutual_tls) or "
       "`tls.client_ca`, or say `trust_network: true` if the network keeps others out"},
      {"listeners:\n  - {address: 127.0.0.1:8443, tls: {certificate: a}}\nupstreams: {u: "
       "{endpoint: 'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:36: listeners[0].tls.key: is missing"},
      {"listeners:\n  - {address: 127.0.0.1:8443, tls: {certificate: none.pem, key: k}}\n"
       "upstreams: {u: {endpoint: 'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:50: listeners[0].tls.certificate: names no file: /etc/understudy/none.pem"},
      {"listeners:\n  - {address: 127.0.0.1:8443, tls: {certificates: []}}\n"
       "upstreams: {u: {endpoint: 'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:51: listeners[0].tls.certificates: must not be empty"},
      {"listeners:\n  - {address: 127.0.0.1:8443, clients: {api_keys_file: a}}\nupstreams: {u: "
       "{endpoint: 'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:56: listeners[0].clients.api_keys_file: names no file: /etc/understudy/a"},
      {"listeners:\n  - {address: 127.0.0.1:8443, clients: {}}\nupstreams: {u: "
       "{endpoint: 'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:40: listeners[0].clients: must name a way: api_keys_file, sigv4 or mutual_tls"},
      {"listeners:\n  - {address: 127.0.0.1:8443, clients: {mutual_tls: {names: [a]}}}\nupstreams: "
       "{u: {endpoint: 'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:53: listeners[0].clients.mutual_tls: needs `tls.client_ca`: the authorities that "
       "vouch for the names"},
      {"listeners:\n  - {address: 127.0.0.1:70000}\nupstreams: {u: {endpoint: 'https://h', region: "
       "r}}\nroutes: []\n",
       "c.yaml:2:15: listeners[0].address: must be an IP address and a port (like 127.0.0.1:8080), "
       "got 127.0.0.1:70000"},
      {"listeners:\n  - {address: 127.0.0.1:1, base_path: a/b}\nupstreams: {u: {endpoint: "
       "'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:39: listeners[0].base_path: must be a path of plain segments (like /prefix), got "
       "a/b"},
      {"listeners:\n  - {address: 127.0.0.1:1, hosts: ['a:1']}\nupstreams: {u: {endpoint: "
       "'https://h', region: r}}\nroutes: []\n",
       "c.yaml:2:36: listeners[0].hosts[0]: must be a host name without port, got a:1"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{region: r}\n",
       "c.yaml:4:6: upstreams.u.endpoint: is missing"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h'}\n",
       "c.yaml:4:6: upstreams.u.region: is missing"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'http://h', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: sends prompts and credentials in the clear; use "
       "https://, or say `allow_plaintext: true`"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h?x', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: has no fit host name or IP address"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: has no fit host name or IP address"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h:0', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: has a port that is not between 1 and 65535"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h/../x', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: must be scheme, host, port and path alone; its path is "
       "not fit"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://u:p@h', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: must not hold a user or password; see `credentials`"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'http://localhost:8080', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: is one of our own listeners: requests would come back "
       "for ever"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://bedrock-runtime.us-east-1.amazonaws.com', region: us-west-2}\n",
       "c.yaml:4:76: upstreams.u.region: is us-west-2, but the endpoint is in us-east-1: requests "
       "are signed for one region"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: US}\n",
       "c.yaml:4:38: upstreams.u.region: must be a region (like us-east-1), got US"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, credentials: {}}\n",
       "c.yaml:4:54: upstreams.u.credentials.source: is missing"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, credentials: {source: vault}}\n",
       "c.yaml:4:63: upstreams.u.credentials.source: must be default, environment, profile, "
       "static, process, web_identity, container, imds, sso, bearer, forward_bearer or none"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, credentials: {source: profile}}\n",
       "c.yaml:4:54: upstreams.u.credentials.profile: is missing"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, credentials: {source: static, access_key_id: a}}\n",
       "c.yaml:4:54: upstreams.u.credentials.secret_access_key: is missing"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, credentials: {source: bearer}}\n",
       "c.yaml:4:54: upstreams.u.credentials.token: `source: bearer` takes either `token` or "
       "`token_env`"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, credentials: {source: default, profile: p}}\n",
       "c.yaml:4:81: upstreams.u.credentials.profile: goes only with `source: profile`"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h', region: r, ca_file: none.pem}\n",
       "c.yaml:4:50: upstreams.u.ca_file: names no file: /etc/understudy/none.pem"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  'a b': "
       "{endpoint: 'https://h', region: r}\n  u: {endpoint: 'https://h', region: r}\n",
       "c.yaml:4:3: upstreams.a b: the name must be 1 to 64 letters, digits, dots, dashes and "
       "underscores, got a b"},
  };
  for (const BadConfig& row : table) expect_refused(row, load(row.text));
}

LoadedConfig load_credentials(std::string_view keys) {
  return load(
      "listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n"
      "  u: {endpoint: 'https://h', region: r, credentials: {" +
      std::string(keys) + "}}\n");
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

TEST(ConfigLoader, RefusesCredentialsThatDoNotFitTogether) {
  const std::vector<BadConfig> table{
      {"source: process", "c.yaml:4:54: upstreams.u.credentials.command: is missing"},
      {"source: imds, command: x",
       "c.yaml:4:78: upstreams.u.credentials.command: goes only with `source: process`"},
      {"source: imds, token_file: x",
       "c.yaml:4:81: upstreams.u.credentials.token_file: goes only with `source: web_identity`"},
      {"source: none, role_arn: 'arn:aws:iam::1:role/r'",
       "c.yaml:4:79: upstreams.u.credentials.role_arn: needs a source of keys: a token cannot "
       "assume a role"},
      {"source: default, role_arn: r",
       "c.yaml:4:82: upstreams.u.credentials.role_arn: must be the ARN of a role "
       "(arn:aws:iam::123456789012:role/name)"},
      {"source: default, external_id: x",
       "c.yaml:4:85: upstreams.u.credentials.external_id: goes only with `role_arn`"},
      {"source: default, role_arn: 'arn:r', role_duration: 1m",
       "c.yaml:4:106: upstreams.u.credentials.role_duration: must be between 15m and 12h, got 1m"},
      {"source: default, timeout: 1h",
       "c.yaml:4:81: upstreams.u.credentials.timeout: must be between 100ms and 5m, got 1h"},
      {"source: default, max_answer_bytes: 1B",
       "c.yaml:4:90: upstreams.u.credentials.max_answer_bytes: must be between 1KiB and 1MiB, got "
       "1B"},
  };
  for (const BadConfig& row : table) expect_refused(row, load_credentials(row.text));
}

TEST(ConfigLoader, RefusesBytesThatAreNoUtf8) {
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> table{
      {"\xef\xbb\xbflog: {}\n", "c.yaml: begins with a byte order mark\n"},
      {"\xff\xfel\0o\0g\0"s, "c.yaml: is UTF-16 or binary; it must be UTF-8\n"},
      {"\xfe\xff\0l\0o"s, "c.yaml: is UTF-16 or binary; it must be UTF-8\n"},
      {"l\0o\0g\0"s, "c.yaml: is UTF-16 or binary; it must be UTF-8\n"},
      {"log:\n  level: \x01\n",
       "c.yaml:2:10: there is a control character, or a byte that is no UTF-8\n"},
      {"log:\n  l\xc3\xa9vel: \xe9\n",
       "c.yaml:2:10: there is a control character, or a byte that is no UTF-8\n"},
      {"a: \xed\xa0\x80\n",
       "c.yaml:1:4: there is a control character, or a byte that is no UTF-8\n"},
      {"a: \xc3", "c.yaml:1:4: there is a control character, or a byte that is no UTF-8\n"},
  };
  for (const auto& [text, problem] : table) EXPECT_EQ(listed(load(text)), problem);
}

TEST(ConfigLoader, TellsClosedQuotationsFromOpenOnes) {
  EXPECT_EQ(good("# é\r\nsampling_salt: 'it''s'\n").sampling_salt, "it's");
  EXPECT_EQ(good("# é\nsampling_salt: \"a\\\"b\" # it's\n").sampling_salt, "a\"b");
  EXPECT_EQ(good("sampling_salt: \"\\\\\"\n").sampling_salt, "\\");
  EXPECT_EQ(good("sampling_salt: it's\n").sampling_salt, "it's");
  for (const char* open : {"'a\n", "'a''\n", "\"a\n", "\"a\\\"\n", "'a", "\"a"}) {
    EXPECT_NE(problems_of(std::string("# é\nsampling_salt: ") + open), "") << open;
  }
}

TEST(ConfigLoader, RefusesTextBeyondItsCaps) {
  EXPECT_EQ(listed(load(std::string((1 << 20) + 1, '#'))), "c.yaml: is larger than 1 MiB\n");
  const std::string deep = "a: " + std::string(40, '[') + std::string(40, ']') + "\n";
  EXPECT_EQ(listed(load(deep)), "c.yaml:1:35: the file is nested deeper than 32 levels\n");
  const std::string bottomless = "a: " + std::string(100'000, '[');
  EXPECT_EQ(load(bottomless).config, nullptr);
  std::string many = "a:\n";
  for (int i = 0; i < 10'001; ++i) many += "  - x\n";
  EXPECT_EQ(listed(load(many)), "c.yaml:9999:5: the file has more than 10,000 values\n");
}

TEST(ConfigLoader, ReportsAllProblemsInTheOrderOfTheFile) {
  const std::string text =
      "listeners:\n"
      "  - address: 127.0.0.1\n"
      "    base_pth: /x\n"
      "upstreams:\n"
      "  a:\n"
      "    endpoint: ftp://x\n"
      "    region: us-east-1\n"
      "routes:\n"
      "  - name: r\n"
      "    primary: {upstream: b}\n"
      "    shadow: {percent: 150, timeout: 5}\n";
  EXPECT_EQ(listed(load(text)),
            "c.yaml:2:14: listeners[0].address: must be an IP address and a port (like "
            "127.0.0.1:8080), got "
            "127.0.0.1\n"
            "c.yaml:3:5: listeners[0].base_pth: is not a known key (did you mean base_path?)\n"
            "c.yaml:6:15: upstreams.a.endpoint: must begin with https:// or http://\n"
            "c.yaml:10:25: routes[0].primary.upstream: no upstream is called b\n"
            "c.yaml:11:23: routes[0].shadow.percent: must be between 0 and 100, got 150\n"
            "c.yaml:11:37: routes[0].shadow.timeout: must be a whole number with a unit: ms, s, m, "
            "h or d (like "
            "300s), got 5\n");
}

TEST(ConfigLoader, NeverShowsASecret) {
  const std::vector<std::string> sections{
      "{source: static, access_key_id: AKIAHUNTER2, secret_acess_key: hunter2}",
      "{source: bearer, token: 'hunter2 hunter2'}",
      "{source: none, token: hunter2}",
      "{source: hunter2}",
      "{source: static, access_key_id: [hunter2], secret_access_key: {hunter: 2}}",
      "{source: bearer, token: hunter2, token_env: HUNTER2}",
      "hunter2",
      "[hunter2]",
      "{source: bearer, token: !hunter x}",
  };
  for (const std::string& section : sections) {
    const std::string text =
        "listeners: [{address: 127.0.0.1:1}]\nupstreams: {a: {endpoint: "
        "'https://user:hunter2@host', "
        "region: r, credentials: " +
        section + "}}\ndefault_route: {upstream: a}\n";
    const LoadedConfig loaded = load(text);
    EXPECT_EQ(loaded.config, nullptr) << section;
    std::string all = listed(loaded);
    std::ranges::transform(all, all.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_EQ(all.find("hunter"), std::string::npos) << all;
  }
}

TEST(ConfigLoader, RefusesACandidateThatWouldSeeTheClientsToken) {
  const LoadedConfig loaded = load(
      "listeners: [{address: 127.0.0.1:8080}]\n"
      "upstreams: {here: {endpoint: 'http://127.0.0.1:9000', credentials: {source: "
      "forward_bearer}}}\n"
      "routes:\n"
      "  - name: r\n"
      "    primary: {upstream: here}\n"
      "    candidate: {upstream: here, model: a.b}\n");
  EXPECT_EQ(loaded.config, nullptr);
  EXPECT_EQ(listed(loaded),
            "c.yaml:6:27: routes[0].candidate.upstream: forwards the client's bearer token, which "
            "a candidate never gets to see: name an upstream with credentials of its own\n");
}

TEST(ConfigLoader, WarnsWithoutRefusing) {
  EXPECT_EQ(problems_of("routes:\n"
                        "  - {name: all, primary: {upstream: here}, candidate: {upstream: here}}\n"
                        "  - {name: never, primary: {upstream: here}}\n"),
            "c.yaml:5:55: warning: routes[0].candidate: is the primary once more: there is nothing "
            "to compare\n"
            "c.yaml:6:5: warning: routes[1]: can never match: routes[0] before it takes all that "
            "it would\n");
  EXPECT_EQ(problems_of("routes:\n"
                        "  - name: r\n"
                        "    match: {models: ['*.anthropic.claude-*']}\n"
                        "    primary: {upstream: here}\n"
                        "    candidate: {upstream: here, model: us.amazon.nova-pro-v1:0}\n"),
            "c.yaml:8:40: warning: routes[0].candidate.model: takes another InvokeModel body than "
            "the models of this "
            "route: such requests are skipped (body_format); Converse is not concerned\n");
}

TEST(ConfigLoader, DoesNotWarnOfRoutesThatCanStillMatch) {
  EXPECT_EQ(
      problems_of(
          "routes:\n"
          "  - {name: a, match: {models: ['anthropic.*'], operations: [Converse]}, primary: "
          "{upstream: here}}\n"
          "  - {name: b, match: {models: ['anthropic.*']}, primary: {upstream: here}}\n"
          "  - {name: c, match: {models: ['*'], headers: {x-a: b}}, primary: {upstream: here}}\n"
          "  - {name: d, match: {models: ['*']}, primary: {upstream: here}}\n"
          "  - {name: e, primary: {upstream: here}}\n"),
      "");
  EXPECT_EQ(
      problems_of("routes:\n"
                  "  - {name: a, match: {models: ['anthropic.*']}, primary: {upstream: here}}\n"
                  "  - {name: b, match: {models: ['anthropic.claude-*'], operations: [Converse]}, "
                  "primary: {upstream: here}}\n"),
      "c.yaml:6:5: warning: routes[1]: can never match: routes[0] before it takes all that it "
      "would\n");
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

constexpr std::string_view kCandidate =
    "routes:\n"
    "  - name: r\n"
    "    match: {models: [\"*\"]}\n"
    "    primary: {upstream: here}\n";

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

TEST(ConfigLoader, RefusesAQuotaThatServiceQuotasCannotTell) {
  const auto with = [](const std::string& candidate) {
    return problems_of(std::string(kCandidate) + "    candidate: {upstream: here, " + candidate +
                       "}\n");
  };
  const auto has = [](const std::string& problems, std::string_view words) {
    return problems.find(words) != std::string::npos;
  };
  EXPECT_TRUE(has(with("model: a.b, quota: {part: 50}"),
                  "routes[0].candidate.quota.part: is for quotas that are read"));
  EXPECT_TRUE(
      has(with("model: a.b, quota: {from: elsewhere}"), "must be config or service_quotas"));
  EXPECT_TRUE(has(with("quota: {from: service_quotas}"), "needs candidate.model to be"));
  EXPECT_TRUE(has(with("model: 'arn:aws:bedrock:us-east-1:123456789012:"
                       "application-inference-profile/x', quota: {from: service_quotas}"),
                  "needs candidate.model to be"));
  EXPECT_TRUE(has(with("model: a.b, quota: {from: service_quotas, requests_per_minute: 1, "
                       "tokens_per_minute: 2}"),
                  "is not needed"));
  const std::string mantle =
      "listeners: [{address: 127.0.0.1:8080}]\n"
      "upstreams: {here: {endpoint: 'https://bedrock-mantle.us-east-1.api.aws', credentials: "
      "{source: bearer, token_env: T}}}\n" +
      std::string(kCandidate) +
      "    candidate: {upstream: here, model: a.b, quota: {from: service_quotas}}\n";
  EXPECT_TRUE(has(listed(load(mantle)), "knows the quotas of bedrock-runtime alone"));
  EXPECT_TRUE(has(listed(load(mantle)), "needs AWS keys"));
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
      "    dns_refresh: 4s\n"
      "    dns_keep: 5s\n"
      "  keys: {endpoint: 'https://x', region: r, credentials: {source: static, access_key_id: a, "
      "secret_access_key: b, session_token: c}}\n"
      "default_route: {upstream: vpc}\n"
      "records: {directory: records/../r, content: redacted, rotate_bytes: 1MiB, max_total_bytes: "
      "2MiB, keep_free_bytes: 0B}\n"
      "limits: {max_connections: 5, header_timeout: 1s, keep_alive_timeout: 2s, max_header_bytes: "
      "2KiB,\n"
      "  max_header_fields: 50, max_target_bytes: 1KiB, max_body_bytes: 1GiB, "
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
  EXPECT_EQ(vpc.dns_refresh, 4s);
  EXPECT_EQ(vpc.dns_keep, 5s);
  EXPECT_EQ(config.upstreams[3].credentials.session_token, "c");
  EXPECT_EQ(config.default_upstream, 2U);
  EXPECT_EQ(config.records, (RecordsConfig{"/etc/understudy/r", RecordsConfig::Content::redacted,
                                           1 << 20, 2 << 20, 0}));
  EXPECT_EQ(config.limits, (LimitsConfig{5,
                                         1s,
                                         2s,
                                         2 << 10,
                                         50,
                                         1 << 10,
                                         1 << 30,
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
      "      gates: {latency: {alarm: 20, margin: 50}, refusal: {margin: 2}, cost: off}\n");
  EXPECT_EQ(config.state_directory, "/etc/understudy/state");
  const VerdictConfig& verdict = config.routes[0].verdict;
  EXPECT_EQ(verdict.min_hours, 6u);
  EXPECT_EQ(verdict.min_pairs_per_family, 50u);
  EXPECT_EQ(verdict.max_missing, Percent{250});
  EXPECT_EQ(verdict.max_dropped, Percent{100});
  EXPECT_EQ(verdict.gates[*gate_of("latency")], (GateThresholds{0.2, 0.5}));
  EXPECT_EQ(verdict.gates[*gate_of("refusal")], (GateThresholds{0.0, 0.02}));
  EXPECT_FALSE(verdict.gates[*gate_of("cost")]);
  EXPECT_EQ(verdict.gates[*gate_of("language")], kGates[*gate_of("language")].thresholds);
}

TEST(ConfigLoader, RefusesRulesOfAVerdictThatMakeNoSense) {
  const auto with = [](std::string_view verdict) {
    return problems_of("routes:\n  - name: r\n    primary: {upstream: here}\n    verdict: " +
                       std::string(verdict) + "\n");
  };
  EXPECT_EQ(with("{gates: {refusals: off}}"),
            "c.yaml:7:23: routes[0].verdict.gates.refusals: is not a known key (did you mean "
            "refusal?)\n");
  EXPECT_EQ(with("{gates: {refusal: {margin: 0}}}"),
            "c.yaml:7:41: routes[0].verdict.gates.refusal.margin: must be above alarm: what is "
            "safe lies beyond what alarms\n");
  EXPECT_EQ(with("{gates: {refusal: {margin: 101}}}"),
            "c.yaml:7:41: routes[0].verdict.gates.refusal.margin: must be a number of per cent "
            "from 0 to 100, got 101\n");
}

TEST(ConfigLoader, GivesDefaultsAndAHashOfTheBytes) {
  const Config config = good("");
  EXPECT_EQ(config.limits, LimitsConfig{});
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
  ConfigFile() {
    std::string name = (fs::temp_directory_path() / "understudy-config-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~ConfigFile() override { fs::remove_all(directory_); }

  fs::path write(std::string_view text) const {
    const fs::path file = directory_ / "c.yaml";
    std::ofstream(file) << text;
    ::chmod(file.c_str(), 0644);
    return file;
  }

  fs::path directory_;
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
  EXPECT_EQ(what(directory_), "is a directory");
  EXPECT_EQ(what(directory_ / "none.yaml"), "cannot be opened: No such file or directory");
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(what(directory_ / "pipe"), "is no regular file");
  EXPECT_EQ(what(write("")), "is empty");
  EXPECT_EQ(what(write(std::string(2 << 20, ' '))), "is larger than 1 MiB");
  const fs::path file = write(kHead);
  ::chmod(file.c_str(), 0666);
  EXPECT_EQ(what(file), "can be written by anyone (chmod o-w)");
}

TEST(ConfigLoader, NamesFilesThatAreNotThere) {
  EXPECT_EQ(problems_of("prices_file: none.json\n"),
            "c.yaml:4:14: prices_file: names no file: /etc/understudy/none.json\n");
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
