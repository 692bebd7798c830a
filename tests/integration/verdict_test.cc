// From requests to a verdict, through the real proxy: what a change of models does shows, is named
// in plain words, and nothing else alarms.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "proxy/route_status.h"
#include "proxy/verdict_status.h"
#include "tests/metrics/wire_samples.h"
#include "tests/simulator/simulator.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using metrics::GateState;
using metrics::Verdict;
using metrics::VerdictState;
using testing::HasSubstr;
using namespace std::chrono_literals;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string content_answer(std::string_view content, std::string_view stop = "end_turn") {
  return R"({"metrics":{"latencyMs":5},"output":{"message":{"content":[)" + std::string(content) +
         R"(],"role":"assistant"}},"stopReason":")" + std::string(stop) +
         R"(","usage":{"inputTokens":10,"outputTokens":20,"totalTokens":30}})";
}

std::string text_answer(std::string_view text, std::string_view stop = "end_turn") {
  return content_answer(R"({"text":)" + quoted(text) + "}", stop);
}

std::string tool_answer(std::string_view name, std::string_view input) {
  return content_answer(R"({"toolUse":{"name":")" + std::string(name) +
                            R"(","toolUseId":"t1","input":)" + std::string(input) + "}}",
                        "tool_use");
}

FakeBedrock::Script saying(std::string body) {
  return [body = std::move(body)](const FakeRequest&, FakePeer& peer) { peer.send(answer(body)); };
}

const std::string kProse =
    "The delivery of your parcel was delayed by a storm, and it should reach you on Thursday.";
// The times of what only pretends are no latency, and it has no price.
const std::string kNoTimes = "min_hours: 0, gates: {latency: off, cost: off}";

class VerdictOfPairs : public testing::Test {
 protected:
  void start(FakeBedrock::Script primary_script, FakeBedrock::Script candidate_script,
             ProxySetup setup = {}) {
    primary = std::make_unique<FakeBedrock>(std::move(primary_script));
    candidate = std::make_unique<FakeBedrock>(std::move(candidate_script));
    start_proxy(primary->port(), candidate->port(), kNoTimes, std::move(setup));
  }
  void start_proxy(std::uint16_t primary_port, std::uint16_t candidate_port, std::string rules,
                   ProxySetup setup) {
    setup.primary_port = primary_port;
    setup.candidate_port = candidate_port;
    setup.shadow = "percent: 100, control_percent: 100";  // controls tell noise from change
    setup.verdict = std::move(rules);
    proxy = std::make_unique<ProxyUnderTest>(setup);
    client = std::make_unique<RawClient>(proxy->port());
  }

  // Each a conversation of its own.
  void ask(int count, std::string_view body_more = "") {
    for (int i = 0; i < count; ++i)
      ASSERT_EQ(client->ask(question(asked_++, body_more)).status, 200);
    ASSERT_TRUE(proxy->books_balance(static_cast<std::uint64_t>(asked_)));
  }
  // The same by ten clients at a time, for models that take theirs.
  void ask_side_by_side(int count) {
    std::atomic<int> asked{0}, answered{0};
    {
      std::vector<std::jthread> clients(10);
      for (std::jthread& each : clients) {
        each = std::jthread([&] {
          RawClient own(proxy->port());
          for (int i = asked++; i < count; i = asked++)
            answered += own.ask(question(i)).status == 200;
        });
      }
    }
    asked_ = count;
    ASSERT_EQ(answered, count);
    ASSERT_TRUE(proxy->books_balance(static_cast<std::uint64_t>(asked_)));
  }
  static std::string question(int number, std::string_view body_more = "") {
    const std::string body = R"({"messages":[{"role":"user","content":[{"text":"question )" +
                             std::to_string(number) + R"("}]}])" + std::string(body_more) + "}";
    return post("/model/anthropic.claude-a/converse", body, "x-understudy-family: invoices\r\n");
  }

  // Once every pair has been weighed.
  Verdict verdict() {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
      evidence = proxy->server().evidence("route");
      if (evidence && evidence->pooled().pairs == static_cast<std::uint64_t>(asked_)) break;
      std::this_thread::sleep_for(5ms);
    }
    if (!evidence) throw std::runtime_error("no evidence was published");
    const auto snapshot = proxy->server().snapshot();
    return proxy::judge_route(snapshot->config().routes[0], proxy->counts(), evidence.get());
  }

  void expect_alarm(const Verdict& verdict, std::string_view signal, std::string_view words) {
    for (const metrics::GateResult& reason : verdict.reasons) {
      const bool alarms = reason.state == GateState::alarm;
      if (routing::kGates[reason.gate].signal == signal) {
        EXPECT_TRUE(alarms) << reason.text;
        EXPECT_THAT(reason.text, HasSubstr(std::string(words)));
        return;
      }
    }
    FAIL() << "no gate called " << signal;
  }
  void expect_no_other_alarm(const Verdict& verdict, std::string_view signal) {
    for (const metrics::GateResult& reason : verdict.reasons) {
      if (routing::kGates[reason.gate].signal != signal) {
        EXPECT_NE(reason.state, GateState::alarm) << reason.text;
      }
    }
  }

  std::shared_ptr<const metrics::RouteEvidence> evidence;  // that the last verdict rests on
  std::unique_ptr<FakeBedrock> primary, candidate;
  std::unique_ptr<ProxyUnderTest> proxy;
  std::unique_ptr<RawClient> client;
  int asked_ = 0;
};

// --- What a change of models does: two models of the simulator, equal but for one thing

class VerdictOfModels : public VerdictOfPairs {
 protected:
  // `common` and `change` are settings of an answer; `candidate_more` of the candidate itself.
  void start(const std::string& common, const std::string& change = "",
             const std::string& candidate_more = "") {
    start_models(
        "answer: {" + common + "}",
        "answer: {" + common + (change.empty() ? "" : ", " + change) + "}" + candidate_more,
        kNoTimes);
  }
  void start_models(const std::string& primary_model, const std::string& candidate_model,
                    std::string rules) {
    bedrock =
        simulator::Simulator::start("models:\n  - {id: anthropic.claude-a, " + primary_model +
                                    "}\n  - {id: anthropic.claude-b, " + candidate_model + "}\n");
    start_proxy(bedrock->port(), bedrock->port(), std::move(rules),
                ProxySetup{.candidate_model = "anthropic.claude-b"});
  }

  std::unique_ptr<simulator::Simulator> bedrock;
};

constexpr const char* kTools =
    R"(,"toolConfig":{"tools":[{"toolSpec":{"name":"pay","inputSchema":{"json":{"type":"object",)"
    R"("properties":{"amount":{"type":"number"}},"required":["amount"]}}}}]})";

TEST_F(VerdictOfModels, IsSafeWhereNothingChanges) {
  start("kind: text, tokens: 20");
  ask(1'500);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::safe_to_promote) << seen.text;
  expect_no_other_alarm(seen, "");
}

TEST_F(VerdictOfModels, SeesJsonThatIsFencedAllOfASudden) {
  start("kind: json", "fence_json_percent: 100");
  ask(80);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::roll_back) << seen.text;
  expect_alarm(seen, "json_contract", "JSON contract");
  expect_no_other_alarm(seen, "json_contract");
}

TEST_F(VerdictOfModels, SeesARenamedKey) {
  start("kind: json", "json_rename_percent: 100");
  ask(80);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::roll_back) << seen.text;
  expect_alarm(seen, "json_contract", "JSON contract");
}

TEST_F(VerdictOfModels, SeesTwoPerCentMoreRefusals) {
  start("kind: text, tokens: 20", "refuse_percent: 2");
  ask(900);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::roll_back) << seen.text;
  expect_alarm(seen, "refusal", "Answers refuse or do not answer: ");
  expect_alarm(seen, "refusal", "% of the candidate's, 0 % of the primary's");
  expect_no_other_alarm(seen, "refusal");
}

TEST_F(VerdictOfModels, SeesARetypedToolArgumentAndCallsItsContractBroken) {
  start("kind: tools", "tool_retype_percent: 100");
  ask(80, kTools);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::roll_back) << seen.text;
  expect_alarm(seen, "tool_contract", "contract");
}

TEST_F(VerdictOfModels, TakesMoreCallsInParallelForNoRegression) {
  start("kind: tools", "tool_parallel_percent: 100");
  ask(300, kTools);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::keep_shadowing) << seen.text;
  expect_no_other_alarm(seen, "");
  for (const metrics::GateResult& reason : seen.reasons) {
    if (routing::kGates[reason.gate].signal != "tool_agreement") continue;
    EXPECT_EQ(reason.state, GateState::safe) << reason.text;
    EXPECT_THAT(reason.text, HasSubstr("0 % of the candidate's"));
  }
  // It is told all the same, once every control is weighed too.
  const metrics::RouteMeter& meter = proxy->recorder().route("route");
  std::string told;
  EXPECT_TRUE(eventually([&] {
    for (const auto& note : proxy::describe_information(meter.signals(), meter.control_signals())) {
      if (note["signal"] == "tool_calls") told = note["text"];
    }
    return told ==
           "Only the primary calls tools in 0 pairs, only the candidate in 0 pairs. Where both do, "
           "the candidate makes 2.00 calls for each of the primary's, 300 pairs; between two "
           "answers of the same variant it is 1.00, 300 pairs.";
  })) << told;
}

TEST_F(VerdictOfModels, SeesThatAnswersTakeFortyPerCentLonger) {
  const auto taking = [](int milliseconds) {
    return "answer: {kind: text, tokens: 20}, latency: {first_token_ms: " +
           std::to_string(milliseconds) + "}";
  };
  // So long that what a busy machine adds to both does not hide the difference.
  start_models(taking(250), taking(350), "min_hours: 0, gates: {cost: off}");
  ask_side_by_side(100);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::fix_first) << seen.text;
  expect_alarm(seen, "latency", "Answers take");
  expect_no_other_alarm(seen, "latency");
}

TEST_F(VerdictOfModels, SeesAnswersThatBreakOffAndAsksToFixThem) {
  start("kind: text, tokens: 20", "cut_percent: 100");
  ask(80);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::fix_first) << seen.text;
  expect_alarm(seen, "truncation", "break off");
}

TEST_F(VerdictOfModels, SeesAnotherLanguage) {
  start("kind: text, tokens: 40", "german_percent: 100");
  ask(120);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::roll_back) << seen.text;
  expect_alarm(seen, "language", "language");
}

TEST_F(VerdictOfModels, SeesThatTheCandidateRefusesAParameter) {
  start("kind: text, tokens: 20", "", ", reject_parameters: [temperature]");
  ask(60, R"(,"inferenceConfig":{"temperature":0.5})");
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::roll_back) << seen.text;
  expect_alarm(seen, "validation_error", "refused as invalid");
  const auto said = evidence->validation_errors().top(5);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].text,
            "The model returned the following errors: `temperature` is deprecated for this model.");
  EXPECT_EQ(said[0].count, 60u);
}

// --- What no model of the simulator does

TEST_F(VerdictOfPairs, DoesNotBlameTheCandidateForThePrimarysOwnNoise) {
  // Both call one tool or the other by chance, also when the primary is asked twice.
  std::atomic<int> asked{0};
  const auto by_chance = [&asked](const FakeRequest&, FakePeer& peer) {
    const bool first = (static_cast<unsigned>(asked++) * 2654435761u >> 16) % 2 == 0;
    peer.send(answer(tool_answer(first ? "search" : "lookup", R"({"q":"parcel"})")));
  };
  start(by_chance, by_chance);
  ask(400);
  const Verdict seen = verdict();
  EXPECT_EQ(seen.state, VerdictState::keep_shadowing) << seen.text;
  expect_no_other_alarm(seen, "");
}

TEST_F(VerdictOfPairs, BlamesTheCandidateForAnswersThatNeverCame) {
  start(saying(text_answer(kProse)), [](const FakeRequest&, FakePeer& peer) { peer.reset(); });
  ask(5);  // then the breaker opens and copies are dropped
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!proxy->server().evidence("route") && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(5ms);
  evidence = proxy->server().evidence("route");
  ASSERT_TRUE(evidence);
  const auto& errors = evidence->pooled().gates[*routing::gate_of("error_class")];
  EXPECT_GT(errors.candidate_bad, 0u);
  EXPECT_EQ(errors.primary_bad, 0u);
}

// Which requests fail is the model's affair, so every third of one's and others of the other's.
FakeBedrock::Script failing_at(int remainder) {
  return [remainder](const FakeRequest& request, FakePeer& peer) {
    const std::size_t at = request.body.find("question ") + 9;
    const bool fails = std::stoi(request.body.substr(at)) % 5 == remainder;
    peer.send(fails ? answer(R"({"message":"try again"})", "500 Internal Server Error")
                    : answer(text_answer(kProse)));
  };
}

class FailuresNowAndThen : public VerdictOfPairs {
 protected:
  // Asks that many questions and waits until each is in the gate of errors.
  metrics::GateCounts errors_of(int questions) {
    for (; asked_ < questions; ++asked_)
      client->ask(converse("question " + std::to_string(asked_)));
    EXPECT_TRUE(proxy->books_balance(static_cast<std::uint64_t>(questions))) << proxy->books();
    metrics::GateCounts errors;
    EXPECT_TRUE(eventually([&] {
      evidence = proxy->server().evidence("route");
      if (evidence) errors = evidence->pooled().gates[metrics::kErrorGate];
      return errors.total() == static_cast<std::uint64_t>(questions);
    })) << errors.total();
    return errors;
  }
};

TEST_F(FailuresNowAndThen, OfEqualModelsWeighTheSame) {
  start(failing_at(0), failing_at(3));
  const metrics::GateCounts errors = errors_of(40);
  EXPECT_EQ(errors.values[0], 8u) << "the primary failed, so that there was no pair";
  EXPECT_EQ(errors.values[2], 8u);
  EXPECT_EQ(errors.primary_bad, errors.candidate_bad);
  EXPECT_EQ(errors.primary_pairs, 40u);
  EXPECT_EQ(errors.candidate_pairs, 32u) << "nobody asked it after the primary had failed";
}

TEST_F(FailuresNowAndThen, WeighTheSameWhereTheCandidateServesAndThePrimaryStepsIn) {
  start(failing_at(0), failing_at(3), ProxySetup{.canary = "percent: 100"});
  const metrics::GateCounts errors = errors_of(40);
  EXPECT_EQ(errors.values[0], 8u) << "the primary's copy failed";
  EXPECT_EQ(errors.values[2], 8u) << "once each, though the copy fails as well";
  EXPECT_EQ(errors.primary_pairs, 40u);
  EXPECT_EQ(errors.candidate_pairs, 40u);
}

TEST_F(FailuresNowAndThen, WeighAgainstTheCandidateThatServesAlone) {
  start(failing_at(0), failing_at(3), ProxySetup{.canary = "percent: 100, fallback: false"});
  const metrics::GateCounts errors = errors_of(40);
  EXPECT_EQ(errors.values[0], 8u);
  EXPECT_EQ(errors.values[2], 8u);
  EXPECT_EQ(errors.primary_pairs, 32u);
}

TEST_F(VerdictOfPairs, TakesThrottlingAfterAStreamHasBegunForMissingData) {
  using metrics::test::header;
  const std::string throttled = metrics::test::frame_of(
      header(":exception-type", "throttlingException") + header(":message-type", "exception"),
      R"({"message":"Too many tokens"})");
  start(saying(text_answer(kProse)), [throttled](const FakeRequest&, FakePeer& peer) {
    peer.send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ncontent-length: " +
        std::to_string(throttled.size()) + "\r\n\r\n" + throttled);
  });
  ask(10);
  EXPECT_EQ(proxy->counts().failed["throttled"], 10u) << proxy->books();
  EXPECT_TRUE(eventually([&] {
    evidence = proxy->server().evidence("route");
    return evidence && evidence->missing() == 10;
  }));
  EXPECT_EQ(evidence->pooled().pairs, 0u);
}

TEST_F(VerdictOfPairs, BlamesNobodyForAnswersThatItCannotReadOnBothSides) {
  start(saying("<html>not what was promised</html>"), saying("<html>nor this</html>"));
  ask(10);
  EXPECT_EQ(proxy->counts().failed["unreadable"], 10u);
  const auto seen = proxy->server().evidence("route");
  EXPECT_TRUE(!seen || seen->pooled().pairs == 0u);
}

TEST_F(VerdictOfPairs, TakesNoisesOnlyFromThePrimarysSecondAnswers) {
  start(saying(text_answer(kProse)), saying(text_answer(kProse)),
        ProxySetup{.canary = "percent: 100"});
  ask(10);
  verdict();
  EXPECT_EQ(evidence->pooled().pairs, 10u);
  EXPECT_EQ(evidence->pooled().triples, 0u) << "the control asked the candidate";
}

TEST_F(VerdictOfPairs, TakesNoFailedControlForAnAnswerWithoutNoise) {
  start(
      [](const FakeRequest& request, FakePeer& peer) {
        const bool control = request.has("x-understudy-shadow");
        peer.send(control ? answer("{}", "500 Internal Server Error")
                          : answer(text_answer(kProse)));
      },
      saying(text_answer(kProse)));
  ask(10);
  verdict();
  EXPECT_EQ(evidence->pooled().pairs, 10u);
  EXPECT_EQ(evidence->pooled().triples, 0u);
}

}  // namespace
}  // namespace understudy::testing_support
