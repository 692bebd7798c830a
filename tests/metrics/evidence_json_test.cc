#include "metrics/evidence/evidence_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;

RouteEvidence some_evidence() {
  constexpr std::chrono::system_clock::time_point kMorning{std::chrono::seconds{1'790'000'000}};
  RouteEvidence evidence("0123456789abcdef", kMorning);
  Observation served, other;
  served.variant = routing::Variant::primary;
  other.variant = routing::Variant::candidate;
  served.total = 700ms;
  other.total = 900ms;
  other.first_token = 80ms;
  served.answer.text = other.answer.text = "text";
  served.answer.parsed = other.answer.parsed = true;
  served.usage = other.usage = {.input = 10, .output = 5, .cache_read = 3, .cache_write = {}};
  served.cost_usd = other.cost_usd = 0.25;
  Comparison comparison;
  Finding finding;
  finding.signal = Signal::json_contract;
  finding.diverges = finding.other_bad = true;
  comparison.findings.push_back(finding);
  for (int i = 0; i < 30; ++i) {
    evidence.record_pair(
        "family \"quoted\" \xc3\xa9",
        {.comparison = comparison, .served = served, .other = other, .language = "fi"},
        kMorning + i * 1h);
  }
  Finding shared;
  shared.signal = Signal::containment;
  shared.value = 0.8;
  comparison.findings.push_back(shared);
  Comparison control = comparison;
  control.findings.back().value = 0.9;
  evidence.record_triple("invoices", comparison, control);
  evidence.record_missing();
  evidence.record_repeat();
  evidence.record_copies({.drawn = 40, .dropped = 3});
  evidence.latch("invoices", 3);
  evidence.latch_pooled(5);
  evidence.latch_quantile(1, 2, 0.25);
  return evidence;
}

TEST(EvidenceJson, ComesBackAsItWas) {
  const RouteEvidence before = some_evidence();
  const auto read = evidence_from_json(to_json_text(before));
  ASSERT_TRUE(std::holds_alternative<RouteEvidence>(read)) << std::get<EvidenceProblem>(read).what;
  const RouteEvidence& after = std::get<RouteEvidence>(read);
  EXPECT_EQ(after.experiment(), before.experiment());
  EXPECT_EQ(after.since(), before.since());
  EXPECT_EQ(after.hours(), before.hours());
  EXPECT_EQ(after.missing(), 1u);
  EXPECT_EQ(after.repeats(), 1u);
  EXPECT_EQ(after.copies(), before.copies());
  EXPECT_EQ(after.style(), before.style());
  EXPECT_EQ(after.languages(), before.languages());
  EXPECT_EQ(after.languages().at("fi"), 30u);
  EXPECT_EQ(after.style().figure(Signal::containment)->pairs, 1u);
  EXPECT_EQ(after.pooled(), before.pooled());
  EXPECT_EQ(after.families(), before.families());
  EXPECT_EQ(after.quantile_alarms(), before.quantile_alarms());
  EXPECT_TRUE(after.quantile_alarms().stands(1, 2, 0.25));
  EXPECT_EQ(to_json_text(after), to_json_text(before));
  EXPECT_EQ(after.latency(routing::Variant::candidate).quantile(.5),
            before.latency(routing::Variant::candidate).quantile(.5));
}

TEST(EvidenceJson, KeepsTheStageAndWhichProcessAlarmed) {
  RouteEvidence before = some_evidence();
  before.begin_stage("10 %", before.since() + 40h);
  before.latch("invoices", 4, {Process::hour, 497'230});
  const auto read = evidence_from_json(to_json_text(before));
  ASSERT_TRUE(std::holds_alternative<RouteEvidence>(read)) << std::get<EvidenceProblem>(read).what;
  const RouteEvidence& after = std::get<RouteEvidence>(read);
  EXPECT_EQ(after.stage(), before.stage());
  EXPECT_EQ(after.families(), before.families());
  EXPECT_FALSE(after.pooled().recent.spans().empty());
}

TEST(EvidenceJson, ReadsFilesOfTheFirstVersion) {
  constexpr std::string_view kFamily =
      R"({"pairs":3,"triples":0,"gates":{"refusal":{"values":[0,2,1],"candidate":[3,1],)"
      R"("primary":[3,0]}},"alarmed":["refusal"],"primary":{"pairs":0,"input_tokens":0,)"
      R"("cache_read_tokens":0,"output_tokens":0,"characters":0,"priced":0,"cost_usd":0.0},)"
      R"("candidate":{"pairs":0,"input_tokens":0,"cache_read_tokens":0,"output_tokens":0,)"
      R"("characters":0,"priced":0,"cost_usd":0.0}})";
  const std::string text = R"({"version":1,"experiment":"e","since":1790000000,"hours":1,)"
                           R"("last_hour":497222,"missing":0,"repeats":0,"all":)" +
                           std::string(kFamily) + R"(,"families":{"a":)" + std::string(kFamily) +
                           R"(},"latency":[[],[]],"first_token":[[],[]]})";
  const auto read = evidence_from_json(text);
  ASSERT_TRUE(std::holds_alternative<RouteEvidence>(read)) << std::get<EvidenceProblem>(read).what;
  const FamilyEvidence& family = std::get<RouteEvidence>(read).families().at("a");
  EXPECT_EQ(family.pairs, 3u);
  EXPECT_TRUE(family.alarmed.test(*routing::gate_of("refusal")));
  EXPECT_TRUE(family.recent.spans().empty());
}

TEST(EvidenceJson, ReadsFilesThatDoNotTellAtWhichThresholdAGateAlarmed) {
  RouteEvidence before = some_evidence();
  before.latch("invoices", kErrorGate, {Process::hour, 7}, 0.02);
  nlohmann::json text = nlohmann::json::parse(to_json_text(before));
  const auto read = evidence_from_json(text.dump());
  EXPECT_EQ(std::get<RouteEvidence>(read).families(), before.families());

  text["version"] = 3;
  for (auto& alarm : text["families"]["invoices"]["alarmed"]) alarm.erase("threshold");
  const auto older = evidence_from_json(text.dump());
  const auto& family = std::get<RouteEvidence>(older).families().at("invoices");
  EXPECT_TRUE(family.alarm_stands(kErrorGate, 1.0)) << "nobody knows that it does not";
  EXPECT_EQ(family.alarmed_by[kErrorGate], (ProcessOrigin{Process::hour, 7}));
}

TEST(EvidenceJson, BeginsAGateThatFilesOfFormerVersionsDoNotKnowWithNothing) {
  const std::size_t gate = *routing::gate_of("json_agreement");
  RouteEvidence before = some_evidence();
  nlohmann::json text = nlohmann::json::parse(to_json_text(before));
  ASSERT_TRUE(text["families"]["invoices"]["gates"].contains("json_agreement"));
  text["version"] = 4;
  text["all"]["gates"].erase("json_agreement");
  text["families"]["invoices"]["gates"].erase("json_agreement");
  const auto read = evidence_from_json(text.dump());
  ASSERT_TRUE(std::holds_alternative<RouteEvidence>(read)) << std::get<EvidenceProblem>(read).what;
  const FamilyEvidence& after = std::get<RouteEvidence>(read).pooled();
  EXPECT_EQ(after.triples, 1u);
  EXPECT_EQ(after.gates[gate], GateCounts{});
  const std::size_t known = *routing::gate_of("tool_agreement");
  EXPECT_EQ(after.gates[known], before.pooled().gates[known]) << "the others go on";
}

TEST(EvidenceJson, GivesAFamilyThatWasCalledAsAllOfThemAreAnotherName) {
  nlohmann::json text = nlohmann::json::parse(to_json_text(some_evidence()));
  text["version"] = 3;
  text["families"]["all"] = text["families"]["invoices"];
  const auto read = evidence_from_json(text.dump());
  const auto& families = std::get<RouteEvidence>(read).families();
  EXPECT_FALSE(families.contains("all"));
  EXPECT_EQ(families.at("family-all"), families.at("invoices"));
}

TEST(EvidenceJson, RefusesWhatDoesNotFitWithAReason) {
  const std::string good = to_json_text(some_evidence());
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& bad :
       {std::string{}, std::string{"{}"}, std::string{"[1"}, good.substr(0, good.size() / 2),
        changed("\"version\":5", "\"version\":6"), changed("\"version\":5", "\"version\":0"),
        changed("\"pairs\":30", "\"pairs\":-1"), changed("\"pairs\":30", "\"pairs\":1.5"),
        changed("json_contract", "json_contraband"),
        changed("\"quantile\":0.99", "\"quantile\":0.98"), std::string(100'000, '['),
        std::string(1'000, '\xff')}) {
    const auto read = evidence_from_json(bad);
    ASSERT_TRUE(std::holds_alternative<EvidenceProblem>(read)) << bad.substr(0, 200);
    EXPECT_FALSE(std::get<EvidenceProblem>(read).what.empty());
  }
}

TEST(EvidenceJson, SurvivesAnyDamage) {
  const std::string good = to_json_text(some_evidence());
  std::minstd_rand random(17);
  for (int round = 0; round < 500; ++round) {
    std::string text = good;
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random() % 256);
    (void)evidence_from_json(text);  // anything but a crash
  }
}

}  // namespace
}  // namespace understudy::metrics
