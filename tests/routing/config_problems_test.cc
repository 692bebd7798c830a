// What makes a config refused, or a warning: each mistake by its place and in its words.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "routing/config_loader.h"
#include "tests/routing/config_text.h"

namespace understudy::routing {
namespace {

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
      {"log: *a\n", "c.yaml:4:6: text that begins with * needs quotes"},
      {"log: !x {level: info}\n", "c.yaml:4:6: log: tags (!) are not supported"},
      {"sampling_salt: !!str x\n", "c.yaml:4:16: sampling_salt: tags (!) are not supported"},
      {"? [a]\n: b\n", "c.yaml:4:3: a key is a list or a map"},
      {"log: {level: info}\n---\nlog: {}\n", "c.yaml:5:1: the file has a second document"},
      {"log: {level: info\n", "c.yaml:5:1: a { is not closed, or a comma is missing in it"},
      {"log:\n\tlevel: info\n", "c.yaml:5:7: illegal map value: indent by spaces, not by tabs"},
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
       "c.yaml:4:15: threads.io: must be between 0 and 256, got 99999999999999999999"},
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
       "c.yaml:4:18: drain.timeout: must be between 0ms and 1d, got 99999999999999d"},
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
      {"routes: {a: b}\n",
       "c.yaml:4:9: routes: must be a list, got a map: each of its items begins with `- `"},
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
       "ChatCompletions, Responses, InvokeModelWithBidirectionalStream, ApplyGuardrail, "
       "InvokeGuardrailChecks, StartAsyncInvoke, GetAsyncInvoke or ListAsyncInvokes, got "
       "converse"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {headers: {'x y': z}}\n",
       "c.yaml:7:23: routes[0].match.headers.x y: is no header name"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    match: {headers: {x_y: z}}\n",
       "c.yaml:7:23: routes[0].match.headers.x_y: has an underscore: a request with such a header "
       "is refused, so this would match none"},
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
       "model: a.b}\n    shadow: {percent: 1, control_percent: auto}\n    canary: {stages: "
       "[{percent: 5}, {percent: "
       "1}]}\n",
       "c.yaml:9:47: routes[0].canary.stages[1].percent: must be above the stage before it"},
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
       "model: a.b}\n    shadow: {percent: 1, control_percent: auto}\n    canary: {stages: "
       "[{percent: 5, gates: {drift: "
       "off}}]}\n",
       "c.yaml:9:51: routes[0].canary.stages[0].gates.drift: is watched after the last stage: it "
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
       "c.yaml:7:57: routes[0].candidate.rewrite[0].operations[0]: ApplyGuardrail is passed on as "
       "it is and cannot be rewritten"},
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
       "c.yaml:4:6: upstreams.u.region: is missing: the endpoint's name tells none"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'http://h', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: sends prompts and credentials in the clear; use "
       "https://, or say `allow_plaintext: true`"},
      {"listeners: [{address: 127.0.0.1:8080}]\ndefault_route: {upstream: u}\nupstreams:\n  u: "
       "{endpoint: 'https://h?x', region: r}\n",
       "c.yaml:4:17: upstreams.u.endpoint: must have no query"},
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

TEST(ConfigLoader, RefusesCredentialsThatDoNotFitTogether) {
  const std::vector<BadConfig> table{
      {"source: process", "c.yaml:4:54: upstreams.u.credentials.command: is missing"},
      {"source: imds, command: x",
       "c.yaml:4:78: upstreams.u.credentials.command: goes only with `source: process`"},
      {"source: imds, token_file: x",
       "c.yaml:4:81: upstreams.u.credentials.token_file: goes only with `source: web_identity`"},
      {"source: none, role_arn: 'arn:aws:iam::123456789012:role/r'",
       "c.yaml:4:79: upstreams.u.credentials.role_arn: needs a source of keys: a token cannot "
       "assume a role"},
      {"source: default, role_arn: r",
       "c.yaml:4:82: upstreams.u.credentials.role_arn: must be the ARN of a role "
       "(arn:aws:iam::123456789012:role/name)"},
      {"source: default, external_id: x",
       "c.yaml:4:85: upstreams.u.credentials.external_id: goes only with `role_arn`"},
      {"source: default, role_arn: 'arn:aws:iam::123456789012:role/r', role_duration: 1m",
       "c.yaml:4:133: upstreams.u.credentials.role_duration: must be between 15m and 12h, got 1m"},
      {"source: default, timeout: 1h",
       "c.yaml:4:81: upstreams.u.credentials.timeout: must be between 100ms and 5m, got 1h"},
      {"source: default, max_answer_bytes: 1B",
       "c.yaml:4:90: upstreams.u.credentials.max_answer_bytes: must be between 1KiB and 1MiB, got "
       "1B"},
  };
  for (const BadConfig& row : table) expect_refused(row, load_credentials(row.text));
}

// What people type, and what they then have to read.
TEST(ConfigLoader, SaysWhatToDoAboutACommonSlip) {
  const std::vector<BadConfig> table{
      {"routes:\n  - name: r\n    match: {models: [*claude*]}\n",
       "c.yaml:6:22: text that begins with * needs quotes"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n   match: {models: [a]}\n",
       "c.yaml:7:4: end of sequence not found: check the indentation of this line and the one "
       "before"},
      {"routes:\n  - name:r\n    primary: {upstream: here}\n",
       "c.yaml:6:12: illegal map value: is a space missing after a colon, on this line or the one "
       "before?"},
      {"routes:\n  - name:r\n",
       "c.yaml:5:5: routes[0]: must be a map, got a single value (is a space missing after the "
       "colon?)"},
      {"drain: {timeout:10s}\n", "c.yaml:4:9: drain.timeout: needs a space after its colon"},
      {"log: [a, b\n", "c.yaml:5:1: a [ is not closed, or a comma is missing in it"},
      {"routes:\n  - {name: r, primary: here}\n",
       "c.yaml:5:24: routes[0].primary: must be a map: {upstream: here}"},
      {"routes:\n  name: r\n  primary: {upstream: here}\n",
       "c.yaml:5:3: routes: must be a list, got a map: each of its items begins with `- `"},
      {"routes:\n  - {name: r, primary: {upstream: elsewhere}}\n",
       "c.yaml:5:35: routes[0].primary.upstream: no upstream is called elsewhere (there is here)"},
      {"routes:\n  - {name: default, primary: {upstream: here}}\n",
       "c.yaml:5:12: routes[0].name: is what requests that no route takes are counted under: "
       "choose "
       "another one"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    verdict: {gates: {cost: "
       "false}}\n",
       "c.yaml:7:29: routes[0].verdict.gates.cost: must be `off`, or {alarm: ..., margin: ...} in "
       "per cent, got false"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    verdict: {gates: {refusal: "
       "{alarm: 5}}}\n",
       "c.yaml:7:32: routes[0].verdict.gates.refusal.margin: (1 by default) must be above alarm "
       "(5): what is safe lies beyond what alarms"},
      {"routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: {upstream: here, "
       "model: a.b}\n    canary: {gates: {latency: false}}\n",
       "c.yaml:8:31: routes[0].canary.gates.latency: must be `off`, or a map like {threshold: 5}, "
       "got false"},
  };
  for (const BadConfig& row : table) expect_refused(row, load(std::string(kHead) + row.text));
  const LoadedConfig bare = load(
      "listeners: [{address: 127.0.0.1:1}]\nupstreams: {u: {endpoint: 'https://h', region: "
      "r}}\ndefault_route: u\n");
  EXPECT_EQ(listed(bare), "c.yaml:3:16: default_route: must be a map: {upstream: u}\n");
  EXPECT_EQ(problems_of("routes:\n  - name: r\n    primary: {upstream: here}\n    candidate: "
                        "{upstream: here, model: 'a b'}\n"),
            "c.yaml:7:40: routes[0].candidate.model: must be a model id or ARN, not "
            "percent-encoded, got a b\n")
      << "and not that it is the primary once more";
}

// It takes effect, and does not do what was meant.
TEST(ConfigLoader, WarnsOfPlacesThatAreNotWhereModelsAnswer) {
  const auto of_upstream = [](const std::string& keys) {
    return listed(
        load("listeners: [{address: 127.0.0.1:1}]\ndefault_route: {upstream: u}\n"
             "upstreams:\n  u: {" +
             keys + "}\n"));
  };
  const std::string aws = "endpoint: 'https://bedrock-runtime.us-east-1.amazonaws.com'";
  EXPECT_EQ(of_upstream(aws), "");
  EXPECT_EQ(of_upstream("endpoint: 'https://bedrock.us-east-1.amazonaws.com', region: us-east-1"),
            "c.yaml:4:17: warning: upstreams.u.endpoint: is the control plane's, where no model "
            "answers: bedrock-runtime.us-east-1.amazonaws.com does\n");
  EXPECT_EQ(of_upstream("endpoint: 'https://h/model', region: r"),
            "c.yaml:4:17: warning: upstreams.u.endpoint: has the path /model, which goes before "
            "the path of every request: /model/... comes from the client\n");
  EXPECT_EQ(of_upstream("endpoint: 'https://bedrock-runtime.us-esat-1.amazonaws.com'"),
            "c.yaml:4:17: warning: upstreams.u.endpoint: is signed for us-esat-1, which does not "
            "read like a region (us-east-1)\n");
  for (const char* region : {"us-esat-1", "us-east", "useast1", "us-east-1a"}) {
    EXPECT_EQ(of_upstream("endpoint: 'https://bedrock.internal', region: " + std::string(region)),
              "c.yaml:4:53: warning: upstreams.u.region: is signed for " + std::string(region) +
                  ", which does not read like a region (us-east-1)\n");
  }
  for (const char* region : {"us-gov-west-1", "ap-southeast-5", "il-central-1", "eusc-de-east-1"}) {
    EXPECT_EQ(of_upstream("endpoint: 'https://bedrock.internal', region: " + std::string(region)),
              "");
  }
  const auto role = [&](const std::string& arn) {
    return of_upstream(aws + ", credentials: {source: default, role_arn: '" + arn + "'}");
  };
  EXPECT_EQ(role("arn:aws-us-gov:iam::123456789012:role/path/name"), "");
  for (const char* arn : {"arn:aws:iam::1234:role/name", "arn:aws:iam::123456789012:user/name",
                          "arn:aws:iam::123456789012:role/", "arn:aws:sts::123456789012:role/x"}) {
    EXPECT_NE(role(arn).find("warning: upstreams.u.credentials.role_arn: is no role"),
              std::string::npos)
        << arn;
  }
}

TEST(ConfigLoader, WarnsOfACandidateThatCannotDoItsPart) {
  const auto with = [](const std::string& candidate) {
    return listed(
        load("listeners: [{address: 127.0.0.1:1}]\nupstreams: {here: {endpoint: "
             "'https://bedrock-runtime.us-east-1.amazonaws.com'}}\n" +
             std::string(kCandidate) + "    candidate: {upstream: here, " + candidate));
  };
  EXPECT_EQ(with("model: a.b}\n    canary: {stages: [{percent: 5}]}\n"),
            "c.yaml:8:22: warning: routes[0].canary.stages: cannot begin by themselves: without "
            "copies (shadow.percent) there is no evidence\n");
  const auto with_shadow = [&](const std::string& shadow, const std::string& more) {
    return with("model: a.b}\n    shadow: {percent: 1" + shadow +
                "}\n    canary: {stages: [{percent: 5}]}\n" + more);
  };
  EXPECT_EQ(with_shadow("", ""),
            "c.yaml:9:22: warning: routes[0].canary.stages: cannot begin by themselves: language, "
            "label, number, json_agreement, tool_agreement are judged only beside control legs: "
            "set shadow.control_percent (auto), or those verdict.gates to off\n");
  EXPECT_EQ(with_shadow("",
                        "    verdict: {gates: {language: off, label: off, number: off, "
                        "json_agreement: off, tool_agreement: off}}\n"),
            "");
  EXPECT_EQ(with_shadow(", control_percent: 5", ""), "");
  EXPECT_EQ(with_shadow(", control_percent: auto", ""), "");
  const std::string profile = ":123456789012:inference-profile/us.a.b'}\n";
  EXPECT_EQ(with("model: 'arn:aws:bedrock:us-east-1" + profile), "");
  EXPECT_EQ(with("model: 'arn:aws:bedrock:eu-west-1" + profile),
            "c.yaml:7:40: warning: routes[0].candidate.model: lies in eu-west-1, and the upstream "
            "here in us-east-1\n");
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
            "c.yaml:10:25: routes[0].primary.upstream: no upstream is called b (there is a)\n"
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
      "{source: bearer, token:hunter2}",
      "{source: bearer, tokn:hunter2}",
      "{source: static, secretAccessKey:hunter2}",
      "{source: static, secret-access.key:hunter2}",
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

TEST(ConfigLoader, RefusesRulesOfAVerdictThatMakeNoSense) {
  const auto with = [](std::string_view verdict) {
    return problems_of("routes:\n  - name: r\n    primary: {upstream: here}\n    verdict: " +
                       std::string(verdict) + "\n");
  };
  EXPECT_EQ(with("{gates: {refusals: off}}"),
            "c.yaml:7:23: routes[0].verdict.gates.refusals: is not a known key (did you mean "
            "refusal?)\n");
  EXPECT_EQ(with("{gates: {refusal: {margin: 0}}}"),
            "c.yaml:7:41: routes[0].verdict.gates.refusal.margin: (0) must be above alarm (0 by "
            "default): what is safe lies beyond what alarms\n");
  EXPECT_EQ(with("{gates: {refusal: {margin: 101}}}"),
            "c.yaml:7:41: routes[0].verdict.gates.refusal.margin: must be a number of per cent "
            "from 0 to 100, got 101\n");
  for (const char* tolerance : {"-1", "many", "nan", "100.5"}) {
    EXPECT_EQ(with("{number_tolerance_percent: " + std::string(tolerance) + "}"),
              "c.yaml:7:41: routes[0].verdict.number_tolerance_percent: must be a number of per "
              "cent from 0 to 100, got " +
                  std::string(tolerance) + "\n");
  }
}

TEST(ConfigLoader, NamesFilesThatAreNotThere) {
  EXPECT_EQ(problems_of("prices_file: none.json\n"),
            "c.yaml:4:14: prices_file: names no file: /etc/understudy/none.json\n");
}

}  // namespace
}  // namespace understudy::routing
