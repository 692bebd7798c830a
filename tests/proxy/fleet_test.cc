// Fleets without a server: answers of Prometheus, good and broken, and what is made of them. The
// real one is in tests/fleet.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/fleet_exposition.h"
#include "proxy/fleet_history.h"
#include "proxy/fleet_watch.h"
#include "proxy/replica_id.h"
#include "proxy/rollout_files.h"
#include "proxy/verdict_status.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing_support::eventually;
using testing_support::ProxySetup;
using testing_support::ProxyUnderTest;
using testing_support::ScratchDirectory;
using namespace std::chrono_literals;

// --- Answers

TEST(PrometheusAnswer, IsReadAsAVector) {
  const auto read =
      parse_instant_vector(R"({"status":"success","data":{"resultType":"vector","result":[)"
                           R"({"metric":{"family":"all","cell":"2"},"value":[1800000000.1,"41"]},)"
                           R"({"metric":{},"value":[1800000000.1,"0.5"]}]}})");
  ASSERT_TRUE(read) << read.error().context;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].label("family"), "all");
  EXPECT_EQ((*read)[0].label("nothing"), "");
  EXPECT_EQ((*read)[0].count(), 41u);
  EXPECT_EQ((*read)[1].count(), std::nullopt) << "half a pair is none";
}

TEST(PrometheusAnswer, IsRefusedWholeWhereAnythingIsBroken) {
  const auto with = [](std::string_view samples) {
    return R"({"status":"success","data":{"resultType":"vector","result":[)" +
           std::string(samples) + "]}}";
  };
  const std::string deep(100'000, '[');
  for (const std::string& body :
       {std::string(), std::string("no JSON"), std::string("null"), std::string("[]"), deep,
        std::string(R"({"status":"error","error":"x"})"),
        std::string(R"({"status":"success","data":{"resultType":"matrix","result":[]}})"),
        std::string(R"({"status":"success","warnings":["a store is away"],)"
                    R"("data":{"resultType":"vector","result":[]}})"),
        with(R"({"metric":{},"value":[1]})"), with(R"({"metric":{},"value":[1,2]})"),
        with(R"({"metric":{},"value":[1,"NaN"]})"), with(R"({"metric":{},"value":[1,"+Inf"]})"),
        with(R"({"metric":{},"value":[1,"1 "]})"), with(R"({"metric":{"a":1},"value":[1,"1"]})"),
        with(R"({"metric":[],"value":[1,"1"]})"), with(R"({"value":[1,"1"]})"),
        with(R"({"metric":{"a":")" + std::string(2'000, 'x') + R"("},"value":[1,"1"]})")}) {
    const auto read = parse_instant_vector(body);
    ASSERT_FALSE(read) << body.substr(0, 200);
    EXPECT_EQ(read.error().kind, ErrorKind::bad_message);
  }
}

TEST(PrometheusQuery, IsEncodedForAForm) {
  EXPECT_EQ(form_encoded("sum(a{b=\"c\"}[5m]) + 1"),
            "sum%28a%7Bb%3D%22c%22%7D%5B5m%5D%29%20%2B%201");
}

TEST(ReplicaId, StaysWhereTheStateIs) {
  const ScratchDirectory directory;
  const std::string id = replica_id(directory.path());
  EXPECT_TRUE(is_replica_id(id)) << id;
  EXPECT_EQ(replica_id(directory.path()), id);
  directory.write("replica", "\"} or vector(1)\n");
  EXPECT_TRUE(is_replica_id(replica_id(directory.path())));
  EXPECT_NE(replica_id(""), replica_id("")) << "without a directory each process is another";
}

// --- History

constexpr PrometheusTime kBegin{std::chrono::seconds{1'800'000'000}};  // 8:00 UTC
const std::string kA = "aaaaaaaaaaaaaaaa", kB = "bbbbbbbbbbbbbbbb";

// What a server would have stored: scrapes of replicas, each with its pairs so far. It answers the
// five questions that a FleetHistory asks.
class FakePrometheus {
 public:
  void scrape(PrometheusTime when, const std::string& replica, std::uint64_t pairs,
              PrometheusTime begun = kBegin) {
    const auto second = std::chrono::floor<std::chrono::seconds>(begun).time_since_epoch().count();
    const std::lock_guard lock(mutex_);
    scrapes_.push_back({when, replica, std::to_string(second), pairs});
  }
  Result<InstantVector> answer(std::string_view query, std::optional<PrometheusTime> when) {
    const std::lock_guard lock(mutex_);
    ++asked;
    if (!problem.empty()) return Error{ErrorKind::connect, Side::upstream, problem};
    if (query.starts_with("{__name__")) return states;
    // "[3000ms]" or "[3600000ms:3000ms]"
    long range = 0;
    const std::size_t at = query.find('[') + 1;
    std::from_chars(query.data() + at, query.data() + query.size(), range);
    const bool whole = query.starts_with("sum by");
    std::map<std::pair<std::string, std::string>, Scrape> last;
    for (const Scrape& scrape : scrapes_) {
      if (scrape.when > *when || scrape.when <= *when - milliseconds(range)) continue;
      const bool asked_for = query.find(",replica=\"") == query.npos ||
                             query.find(",replica=\"" + scrape.replica + "\",begun=\"" +
                                        scrape.begun + "\"") != query.npos;
      if (!asked_for) continue;
      auto& known = last[{scrape.replica, scrape.begun}];
      if (known.pairs <= scrape.pairs) known = scrape;
    }
    InstantVector result;
    std::uint64_t pairs = 0;
    for (const auto& [life, scrape] : last) {
      pairs += scrape.pairs;
      const bool times = query.find("timestamp(") != query.npos;
      const double value =
          times ? std::chrono::duration<double>(scrape.when.time_since_epoch()).count() : 1.0;
      if (!whole) result.push_back({{{"replica", scrape.replica}, {"begun", scrape.begun}}, value});
    }
    if (!whole || pairs == 0) return result;
    const auto told = static_cast<double>(pairs);
    return InstantVector{{{{"family", "all"}, {"signal", "pair"}, {"cell", "pairs"}}, told},
                         {{{"family", "all"}, {"signal", "error_class"}, {"cell", "1"}}, told},
                         {{{"family", "all"}, {"signal", "refusal"}, {"cell", refusals_}}, told}};
  }
  // From now on all pairs are refusals of the candidate's alone, or none is one.
  void candidate_refuses(bool refuses) {
    const std::lock_guard lock(mutex_);
    refusals_ = refuses ? "2" : "1";
  }
  AskPrometheus ask() {
    return [this](const routing::EvidenceConfig&, std::string_view query,
                  std::optional<PrometheusTime> when) { return answer(query, when); };
  }

  std::string problem;   // of every question
  InstantVector states;  // the answer to the question where the others stand
  int asked = 0;

 private:
  struct Scrape {
    PrometheusTime when{};
    std::string replica, begun;
    std::uint64_t pairs = 0;
  };
  std::mutex mutex_;
  std::vector<Scrape> scrapes_;
  std::string refusals_ = "1";  // the cell that the pairs are in: D + 1
};

class History : public testing::Test {
 protected:
  static FleetHistory::Of of() {
    FleetHistory::Of what{.route = "sonnet", .experiment = "0123456789abcdef", .config = {}};
    what.config.window = 1min;
    what.config.horizon = 24h;
    return what;
  }
  metrics::FleetSums sums(FleetHistory& reader, PrometheusTime at) {
    auto sums = reader.sums(at, {}, {});
    EXPECT_TRUE(sums) << (sums ? "" : sums.error().context);
    return sums ? *sums : metrics::FleetSums{};
  }
  // Scrapes every 15 s from one moment to another, at a pair a second.
  void lives(const std::string& replica, PrometheusTime from, PrometheusTime to) {
    for (auto when = from; when <= to; when += 15s)
      prometheus.scrape(when, replica, static_cast<std::uint64_t>((when - from) / 1s), from);
  }

  FakePrometheus prometheus;
  FleetHistory history{of(), prometheus.ask()};
};

TEST_F(History, AddsUpReplicasEachByItsLargestCount) {
  prometheus.scrape(kBegin + 10s, kA, 30);
  prometheus.scrape(kBegin + 20s, kA, 25);  // it lost what it had not saved
  prometheus.scrape(kBegin + 20s, kB, 7);
  const auto now = sums(history, kBegin + 30s);
  EXPECT_EQ(now.now.all.pairs, 37u);
  EXPECT_EQ(now.now.all.gates[*routing::gate_of("refusal")].candidate_pairs, 37u);
  EXPECT_EQ(now.since, std::chrono::floor<std::chrono::seconds>(kBegin));
}

TEST_F(History, GoesOnCountingWhoIsGone) {
  lives(kA, kBegin, kBegin + 10min);
  lives(kB, kBegin, kBegin + 2h);
  EXPECT_EQ(sums(history, kBegin + 10min).now.all.pairs, 1'200u);
  EXPECT_EQ(history.gone(), 0u);
  EXPECT_EQ(sums(history, kBegin + 20min).now.all.pairs, 600u + 1'200u);
  EXPECT_EQ(history.gone(), 1u);
  FleetHistory late{of(), prometheus.ask()};
  const auto from_late = sums(late, kBegin + 2h);
  EXPECT_EQ(from_late.now, sums(history, kBegin + 2h).now) << "also who starts late";
  EXPECT_EQ(from_late.now.all.pairs, 600u + 7'200u);
}

TEST_F(History, CountsWhoComesBackOnce) {
  lives(kA, kBegin, kBegin + 5min);
  lives(kB, kBegin, kBegin + 1h);
  EXPECT_EQ(sums(history, kBegin + 30min).now.all.pairs, 300u + 1'800u);
  prometheus.scrape(kBegin + 31min, kA, 310);
  EXPECT_EQ(sums(history, kBegin + 31min).now.all.pairs, 310u + 1'860u);
  EXPECT_EQ(history.gone(), 0u);
  prometheus.scrape(kBegin + 32min, kA, 5, kBegin + 31min);  // another experiment, and back
  EXPECT_EQ(sums(history, kBegin + 32min).now.all.pairs, 310u + 5u + 1'920u);
}

TEST_F(History, KnowsWhatTheSumsWereWhenHoursAndTheStageBegan) {
  lives(kA, kBegin, kBegin + 90min);
  lives(kB, kBegin, kBegin + 3h);
  const metrics::Stage stage{.name = "stage 1", .ordinal = 1, .since = {}};
  const auto at = history.sums(kBegin + 170min, stage, kBegin + 160min);
  ASSERT_TRUE(at) << at.error().context;
  EXPECT_EQ(at->now.all.pairs, 5'400u + 10'200u);
  EXPECT_EQ(at->at_stage.all.pairs, 5'400u + 9'600u);
  const auto hour = kBegin.time_since_epoch() / 1h;
  ASSERT_EQ(at->marks.size(), 2u);
  EXPECT_EQ(at->marks.at(hour + 1).all.pairs, 7'200u);
  EXPECT_EQ(at->marks.at(hour + 2).all.pairs, 5'400u + 7'200u);
  FleetHistory late{of(), prometheus.ask()};
  EXPECT_EQ(late.sums(kBegin + 170min, stage, kBegin + 160min)->marks, at->marks);
  const int asked = prometheus.asked;
  sums(history, kBegin + 171min);
  EXPECT_LE(prometheus.asked - asked, 3) << "what is past is kept";
}

TEST_F(History, ReadsALongPastInSeveralGoes) {
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(1'000'000'000'000'000 + i);
    prometheus.scrape(kBegin + i * 2min, name, 10);
  }
  prometheus.scrape(kBegin + 20h, kA, 1);
  const auto first = history.sums(kBegin + 20h, {}, {});
  ASSERT_FALSE(first);
  EXPECT_THAT(first.error().context, HasSubstr("still being read"));
  EXPECT_LE(prometheus.asked, static_cast<int>(FleetHistory::kMaxQuestions));
  Result<metrics::FleetSums> read = first.error();
  for (int round = 0; round < 5 && !read; ++round) read = history.sums(kBegin + 20h, {}, {});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->now.all.pairs, 1'001u);
}

TEST_F(History, TakesNoNamesOfReplicasThatWouldChangeAQuestion) {
  prometheus.scrape(kBegin, "\"} or vector(1) #", 10);
  const auto read = history.sums(kBegin + 10s, {}, {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::bad_message);
}

// --- The watch

class Watch : public testing::Test {
 protected:
  Watch() {
    proxy = std::make_unique<ProxyUnderTest>(with("1s"));
    const auto snapshot = proxy->server().snapshot();
    experiment = snapshot->experiments[0];
    canary = identity_of(snapshot->config(), snapshot->config().routes[0]).canary;
  }
  static ProxySetup with(const std::string& timeout) {
    return {.primary_port = 1,
            .candidate_port = 1,
            .canary = "stages: [{percent: 5}, {percent: 50}]",
            .top =
                "evidence: {prometheus: \"http://127.0.0.1:9\", interval: 200ms, window: 1s, "
                "timeout: " +
                timeout + "}\n"};
  }
  void start() {
    watch = std::make_unique<FleetWatch>(
        FleetWatch::Sources{
            .snapshot = [this] { return proxy->server().snapshot(); },
            .rollouts = [this](auto route) { return proxy->rollouts().view(route); },
            .ask = [this](const auto&, std::string_view query,
                          auto when) { return prometheus.answer(query, when); },
            .now = [] { return kBegin + 10s; }},
        kA, FleetWatch::Options{.look_every = 1ms, .state_directory = state_directory});
  }
  VectorSample state(std::string_view name, const std::string& replica, double value) const {
    return {{{"__name__", std::string(name)},
             {"fleet", "default"},
             {"route", "route"},
             {"experiment", experiment},
             {"canary", canary},
             {"kind", "alarms"},
             {"replica", replica}},
            value};
  }
  void is_seen(const std::string& replica, double rolled_back = 0) {
    for (auto& sample : {state(fleet_metric::kObjections, replica, 0),
                         state(fleet_metric::kRolledBack, replica, rolled_back),
                         state(fleet_metric::kStage, replica, 0)})
      prometheus.states.push_back(sample);
  }
  FleetReading read() {
    start();
    EXPECT_TRUE(eventually([&] {
      return watch->exposition().find("understudy_fleet_readings_total{result=\"ok\"} 0\n") ==
                 std::string::npos ||
             watch->reading("route")->problem != FleetReading{}.problem;
    }));
    return *watch->reading("route");
  }

  // Refusals alarm; later all is well, as the sums have it.
  void alarm_for_a_while() {
    is_seen(kA);
    prometheus.scrape(kBegin + 9s, kA, 300);
    prometheus.candidate_refuses(true);
    ASSERT_TRUE(refusals_alarm(read()));
    prometheus.candidate_refuses(false);
    await_reading();
  }
  void await_reading() {
    for (int reading = 0; reading < 3; ++reading) {  // one may have been under way
      const std::string since = watch->exposition();
      ASSERT_TRUE(eventually([&] { return watch->exposition() != since; }));
    }
    ASSERT_TRUE(watch->reading("route")->fresh);
  }
  static bool refusals_alarm(const FleetReading& reading) {
    return reading.evidence &&
           reading.evidence->pooled().alarmed.test(*routing::gate_of("refusal"));
  }

  ScratchDirectory directory;
  std::string state_directory = directory.path().string();
  std::unique_ptr<ProxyUnderTest> proxy;
  FakePrometheus prometheus;
  std::string experiment, canary;
  std::unique_ptr<FleetWatch> watch;  // ends first
};

TEST_F(Watch, JudgesByWhatAllHaveSeen) {
  is_seen(kA);
  is_seen(kB);
  prometheus.scrape(kBegin + 9s, kA, 30);
  prometheus.scrape(kBegin + 9s, kB, 40);
  const FleetReading reading = read();
  EXPECT_TRUE(reading.fresh) << reading.problem;
  EXPECT_EQ(reading.replicas, 2u);
  ASSERT_TRUE(reading.evidence);
  EXPECT_EQ(reading.evidence->pooled().pairs, 70u);
  EXPECT_THAT(watch->exposition(), HasSubstr("understudy_fleet_fresh{route=\"route\"} 1\n"));
}

TEST_F(Watch, RemembersAlarmsThroughARestart) {
  alarm_for_a_while();
  watch.reset();
  const FleetReading after = read();
  EXPECT_TRUE(after.fresh) << after.problem;
  EXPECT_TRUE(refusals_alarm(after));
  const metrics::Verdict verdict =
      judge_now(proxy->server().snapshot()->config().routes[0], {}, nullptr, &after).verdict;
  EXPECT_EQ(verdict.state, metrics::VerdictState::roll_back) << verdict.text;
}

TEST_F(Watch, RemembersAlarmsThroughAReloadOfHowPrometheusIsAsked) {
  state_directory.clear();  // what a file remembers is another matter
  alarm_for_a_while();
  const Status applied = proxy->apply(with("2s"));
  ASSERT_TRUE(applied) << applied.error().context;
  await_reading();
  EXPECT_TRUE(refusals_alarm(*watch->reading("route")));
}

TEST_F(Watch, SetsADamagedFileOfAlarmsAsideAndBeginsAnew) {
  directory.write("fleet-alarms-route.json", "{");
  is_seen(kA);
  prometheus.scrape(kBegin + 9s, kA, 300);
  EXPECT_FALSE(refusals_alarm(read()));
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "fleet-alarms-route.json.damaged"));
}

TEST_F(Watch, HoldsWhereThereIsNoAnswerOrABrokenOne) {
  prometheus.problem = "connection refused";
  const FleetReading reading = read();
  EXPECT_FALSE(reading.fresh);
  EXPECT_EQ(reading.problem, "connection refused");
  EXPECT_FALSE(reading.rollout) << "nor does it follow what it does not know";
  EXPECT_THAT(watch->exposition(), HasSubstr("understudy_fleet_fresh{route=\"route\"} 0\n"));
  const auto& route = proxy->server().snapshot()->config().routes[0];
  const Judgement judged = judge_now(route, {}, nullptr, &reading);
  EXPECT_EQ(judged.verdict.state, metrics::VerdictState::keep_shadowing);
  EXPECT_THAT(judged.verdict.text, HasSubstr("not known: connection refused"));
}

TEST_F(Watch, HoldsWherePrometheusDoesNotScrapeThisReplica) {
  is_seen(kB);
  prometheus.scrape(kBegin + 9s, kB, 40);
  const FleetReading reading = read();
  EXPECT_FALSE(reading.fresh);
  EXPECT_THAT(reading.problem, HasSubstr("does not show this replica"));
}

TEST_F(Watch, TellsWhereTheOthersStandButNotItself) {
  is_seen(kA, 1'800'000'500.25);
  is_seen(kB, 1'800'000'100.5);
  prometheus.states.push_back(state(fleet_metric::kStage, "cccccccccccccccc", 2));
  prometheus.states.push_back(state(fleet_metric::kStageSince, "cccccccccccccccc", 1'800'000'050));
  VectorSample other_plan = state(fleet_metric::kRolledBack, "dddddddddddddddd", 1'800'009'000);
  other_plan.labels["canary"] = "another section";
  prometheus.states.push_back(other_plan);
  const FleetReading reading = read();
  ASSERT_TRUE(reading.rollout);
  EXPECT_EQ(reading.rollout->rolled_back, routing::Moment(1'800'000'100'500ms));
  EXPECT_EQ(reading.rollout->stage, 2u);
  EXPECT_EQ(reading.rollout->stage_since, routing::Moment(1'800'000'050'000ms));
}

TEST_F(Watch, TellsWhenAPersonLastPausedAndResumedOneOfThem) {
  is_seen(kA);
  is_seen(kB);
  for (const double when : {1'800'000'001.0, 1'800'000'007.125})
    prometheus.states.push_back(state(fleet_metric::kPaused, kB, when));
  prometheus.states.push_back(state(fleet_metric::kPaused, kA, 1'800'000'900));
  prometheus.states.push_back(state(fleet_metric::kResumed, "cccccccccccccccc", 1'800'000'003));
  const FleetReading reading = read();
  ASSERT_TRUE(reading.rollout);
  EXPECT_EQ(reading.rollout->paused, routing::Moment(1'800'000'007'125ms));
  EXPECT_EQ(reading.rollout->resumed, routing::Moment(1'800'000'003'000ms));
}

TEST_F(Watch, IsToldOfAPauseByTheSeriesThatThisReplicaExports) {
  const auto page = [&] {
    return fleet_exposition(
        *proxy->server().snapshot(), kA, [](auto) { return nullptr; },
        [&](auto route) { return proxy->rollouts().view(route); });
  };
  EXPECT_THAT(page(), testing::ContainsRegex("rollout_paused_timestamp_seconds\\{[^}]*\\} 0\n"));
  EXPECT_EQ(proxy->rollouts().order("route", routing::RolloutOrder::pause).result,
            OrderAnswer::Result::done);
  EXPECT_THAT(page(), testing::ContainsRegex("rollout_paused_timestamp_seconds\\{[^}]*\\} [1-9]"));
  EXPECT_THAT(page(), testing::ContainsRegex("rollout_resumed_timestamp_seconds\\{[^}]*\\} 0\n"));
  proxy->rollouts().order("route", routing::RolloutOrder::resume);
  EXPECT_THAT(page(), testing::ContainsRegex("rollout_paused_timestamp_seconds\\{[^}]*\\} 0\n"));
  EXPECT_THAT(page(), testing::ContainsRegex("rollout_resumed_timestamp_seconds\\{[^}]*\\} [1-9]"));
}

TEST_F(Watch, IsToldByAReplicaThatNoPairCameAtItsPeak) {
  const auto now = std::chrono::system_clock::now();
  auto evidence = std::make_shared<metrics::RouteEvidence>(experiment, now);
  const auto page = [&] {
    return fleet_exposition(
        *proxy->server().snapshot(), kA, [&](auto) { return evidence; },
        [&](auto route) { return proxy->rollouts().view(route); });
  };
  evidence->record_traffic(10, 1h, now);
  const metrics::Observation answer;
  evidence->record_pair(
      "letters", {.comparison = metrics::Comparison{}, .served = answer, .other = answer}, now);
  EXPECT_THAT(page(), testing::ContainsRegex("objections\\{[^}]*kind=\"coverage\"\\} 0\n"));
  evidence->record_traffic(100, 1h, now - 3h);
  EXPECT_THAT(page(), testing::ContainsRegex("objections\\{[^}]*kind=\"coverage\"\\} 1\n"));
}

// A reload puts the config in force a moment before its rollouts: a scrape may fall in between.
TEST_F(Watch, IsToldOfARolloutBySeriesOfTheSectionThatItsStateIsOf) {
  proxy->rollouts().order("route", routing::RolloutOrder::rollback);
  ProxySetup changed{.primary_port = 1, .candidate_port = 1};
  changed.candidate_model = "another-candidate";
  changed.canary = "stages: [{percent: 7}, {percent: 70}]";
  const auto next = proxy->snapshot_of(changed.text());
  ASSERT_TRUE(next);
  const auto page = [&] {
    return fleet_exposition(
        *next, kA, [](auto) { return nullptr; },
        [&](auto route) { return proxy->rollouts().view(route); });
  };
  const auto rolled_back_of = [](const RolloutIdentity& identity) {
    return testing::ContainsRegex("rolled_back_timestamp_seconds\\{[^}]*experiment=\"" +
                                  identity.experiment + "\",canary=\"" + identity.canary +
                                  "\"\\} [1-9]");
  };
  const RolloutIdentity after = identity_of(next->config(), next->config().routes[0]);
  EXPECT_THAT(page(), rolled_back_of({canary, "", experiment}));
  EXPECT_THAT(page(), testing::Not(HasSubstr("canary=\"" + after.canary + "\"")));
  proxy->rollouts().applied(next->config());
  EXPECT_THAT(page(), HasSubstr("canary=\"" + after.canary + "\"} 0"));
}

// --- Verdicts

TEST(FleetVerdict, HeedsWhatSingleProxiesObject) {
  const routing::RouteConfig route;
  FleetReading reading{.fresh = true, .problem = {}};
  EXPECT_EQ(judge_now(route, {}, nullptr, &reading).verdict.state,
            metrics::VerdictState::keep_shadowing);
  reading.alarms = 2;
  const Judgement judged = judge_now(route, {}, nullptr, &reading);
  EXPECT_EQ(judged.verdict.state, metrics::VerdictState::fix_first);
  EXPECT_THAT(judged.verdict.text, HasSubstr("only their own proxies know"));
}

}  // namespace
}  // namespace understudy::proxy
