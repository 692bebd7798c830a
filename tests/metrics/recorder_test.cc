#include "metrics/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;
using routing::Operation;
using routing::SkipReason;
using routing::Variant;
using testing::HasSubstr;
using testing::Not;

class RecorderTest : public testing::Test {
 protected:
  std::string page() const { return recorder_->render(); }
  std::unique_ptr<Recorder> recorder_ = make_prometheus_recorder();
  RouteMeter& meter_ = recorder_->route("sonnet");
};

Comparison comparison(bool diverges) {
  Comparison made;
  made.findings.push_back(
      {.signal = Signal::stop_reason, .diverges = diverges, .other_bad = diverges});
  made.findings.push_back({.signal = Signal::verbosity, .value = 0.25});
  return made;
}

TEST_F(RecorderTest, BeginsTheBooksOfARouteAtZero) {
  EXPECT_THAT(page(), HasSubstr("understudy_shadow_eligible_total{route=\"sonnet\"} 0\n"));
  EXPECT_THAT(
      page(),
      HasSubstr("understudy_shadow_total{route=\"sonnet\",result=\"compared\",reason=\"\"} 0\n"));
  EXPECT_THAT(page(), Not(HasSubstr("understudy_requests_total{")));
}

TEST_F(RecorderTest, CountsRequestsByCode) {
  meter_.request(Operation::converse, Variant::primary, Leg::served, 200, 30ms);
  meter_.request(Operation::converse, Variant::primary, Leg::served, 200, 3s);
  meter_.request(Operation::converse, Variant::primary, Leg::served, 429, 1ms);
  meter_.request(Operation::converse, Variant::candidate, Leg::shadow, 0, 1ms);
  meter_.request(Operation::converse, Variant::candidate, Leg::shadow, 999, 1ms);
  meter_.request(Operation::converse, Variant::candidate, Leg::shadow, -5, 1ms);
  meter_.request(Operation::converse, Variant::candidate, Leg::shadow, 599, 1ms);
  const std::string served =
      R"(route="sonnet",operation="converse",variant="primary",leg="served")";
  const std::string shadow =
      R"(route="sonnet",operation="converse",variant="candidate",leg="shadow")";
  EXPECT_THAT(page(), HasSubstr("understudy_requests_total{" + served + ",code=\"200\"} 2\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_requests_total{" + served + ",code=\"429\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_requests_total{" + shadow + ",code=\"none\"} 3\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_requests_total{" + shadow + ",code=\"599\"} 1\n"));
}

TEST_F(RecorderTest, PutsDurationsIntoCumulativeBuckets) {
  for (const auto time : {10ms, 11ms, 30ms, 700'000ms}) {
    meter_.request(Operation::converse, Variant::primary, Leg::served, 200, time);
  }
  const std::string series =
      R"(understudy_request_duration_seconds_bucket{route="sonnet",operation="converse",variant="primary",leg="served",le=)";
  EXPECT_THAT(page(), HasSubstr(series + "\"0.01\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr(series + "\"0.02\"} 2\n"));
  EXPECT_THAT(page(), HasSubstr(series + "\"0.04\"} 3\n"));
  EXPECT_THAT(page(), HasSubstr(series + "\"327.68\"} 3\n"));
  EXPECT_THAT(page(), HasSubstr(series + "\"+Inf\"} 4\n"));
  EXPECT_THAT(page(), HasSubstr("_sum{route=\"sonnet\",operation=\"converse\",variant=\"primary\","
                                "leg=\"served\"} 700.051"));
}

TEST_F(RecorderTest, CountsAnswersThatBrokeOff) {
  meter_.broken_answer(Variant::candidate);
  meter_.broken_answer(Variant::candidate);
  const std::string name = "understudy_broken_answers_total{route=\"sonnet\",variant=";
  EXPECT_THAT(page(), HasSubstr(name + "\"candidate\",leg=\"served\"} 2\n"));
  EXPECT_THAT(page(), Not(HasSubstr(name + "\"primary\"")));
}

TEST_F(RecorderTest, CountsTokensCostAndTimesOfAnAnswer) {
  Observation seen;
  seen.operation = Operation::converse_stream;
  seen.variant = Variant::candidate;
  seen.leg = Leg::shadow;
  seen.status = 200;
  seen.usage = {.input = 11, .output = 5, .cache_read = 7, .cache_write = {}};
  seen.cost_usd = 0.5;
  seen.first_token = 300ms;
  seen.time_per_output_token = 20ms;
  meter_.answer(seen);
  meter_.answer(seen);
  const std::string who = R"(route="sonnet",variant="candidate",leg="shadow")";
  EXPECT_THAT(page(), HasSubstr("understudy_tokens_total{" + who + ",type=\"input\"} 22\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_tokens_total{" + who + ",type=\"output\"} 10\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_tokens_total{" + who + ",type=\"cache_read\"} 14\n"));
  EXPECT_THAT(page(), Not(HasSubstr("cache_write")));
  EXPECT_THAT(page(), HasSubstr("understudy_cost_usd_total{" + who + "} 1\n"));
  EXPECT_THAT(page(), Not(HasSubstr("usage_missing_total{")));
  EXPECT_THAT(page(), HasSubstr("understudy_time_to_first_token_seconds_count{"));
  EXPECT_THAT(page(), HasSubstr("understudy_time_per_output_token_seconds_count{"));
}

TEST_F(RecorderTest, CountsUnknownUsageAsMissingNotAsZero) {
  Observation seen;
  seen.operation = Operation::converse;
  seen.status = 200;
  meter_.answer(seen);
  meter_.unread_answer(Variant::primary, Leg::served);
  seen.operation = Operation::converse_stream;
  seen.stream.emplace();
  seen.usage.input = 3;  // the stream broke before its output was counted
  meter_.answer(seen);
  const std::string line =
      R"(understudy_usage_missing_total{route="sonnet",variant="primary",leg="served"} 3)";
  EXPECT_THAT(page(), HasSubstr(line));
  seen.status = 400;
  seen.usage = {};
  meter_.answer(seen);  // an error costs nothing, so nothing is missing
  seen.status = 200;
  seen.operation = Operation::count_tokens;
  meter_.answer(seen);  // nor does counting
  seen.operation = Operation::messages_count_tokens;
  meter_.answer(seen);
  EXPECT_THAT(page(), HasSubstr(line));
}

TEST_F(RecorderTest, BalancesTheBooks) {
  for (int i = 0; i < 10; ++i) meter_.eligible();
  for (int i = 0; i < 4; ++i) meter_.skipped(SkipReason::not_sampled);
  meter_.skipped(SkipReason::rewrite_failed);
  meter_.dropped(DropReason::queue);
  meter_.failed(FailReason::timeout);
  meter_.failed(FailReason::cancelled);
  meter_.compared(comparison(true));
  meter_.compared(comparison(false));
  const RouteCounts counts = meter_.counts();
  EXPECT_EQ(counts.eligible, 10u);
  EXPECT_EQ(counts.compared, 2u);
  EXPECT_EQ(counts.skipped,
            (std::map<std::string, std::uint64_t>{{"not_sampled", 4}, {"rewrite_failed", 1}}));
  EXPECT_EQ(counts.dropped, (std::map<std::string, std::uint64_t>{{"queue", 1}}));
  EXPECT_EQ(counts.failed,
            (std::map<std::string, std::uint64_t>{{"timeout", 1}, {"cancelled", 1}}));
  for (const std::string line :
       {R"(understudy_shadow_total{route="sonnet",result="skipped",reason="not_sampled"} 4)",
        R"(understudy_shadow_total{route="sonnet",result="dropped",reason="queue"} 1)",
        R"(understudy_shadow_total{route="sonnet",result="failed",reason="timeout"} 1)",
        R"(understudy_shadow_total{route="sonnet",result="compared",reason=""} 2)",
        R"(understudy_shadow_eligible_total{route="sonnet"} 10)",
        R"(understudy_comparisons_total{route="sonnet",outcome="same"} 1)",
        R"(understudy_comparisons_total{route="sonnet",outcome="different"} 1)",
        R"(understudy_divergence_total{route="sonnet",signal="stop_reason"} 1)",
        R"(understudy_divergence_total{route="sonnet",signal="verbosity"} 0)"}) {
    EXPECT_THAT(page(), HasSubstr(line));
  }
}

TEST_F(RecorderTest, KeepsControlLegsInBooksOfTheirOwn) {
  meter_.control_compared(comparison(true));
  meter_.control_dropped(DropReason::budget);
  meter_.control_failed(FailReason::garbage);
  EXPECT_EQ(meter_.counts().compared, 0u);
  EXPECT_EQ(meter_.signals()[Signal::stop_reason].pairs, 0u);
  const SignalCounts noise = meter_.control_signals()[Signal::stop_reason];
  EXPECT_EQ(noise.pairs, 1u);
  EXPECT_EQ(noise.divergent, 1u);
  EXPECT_EQ(noise.other_bad, 1u);
  EXPECT_EQ(noise.served_bad, 0u);
  EXPECT_DOUBLE_EQ(meter_.control_signals()[Signal::verbosity].value_sum, 0.25);
  EXPECT_THAT(
      page(),
      HasSubstr(R"(understudy_control_total{route="sonnet",result="dropped",reason="budget"} 1)"));
  EXPECT_THAT(
      page(),
      HasSubstr(R"(understudy_control_total{route="sonnet",result="compared",reason=""} 1)"));
}

TEST_F(RecorderTest, ForgetsTheGaugesOfRoutesThatAreGoneButKeepsTheirSeries) {
  routing::Config config;
  config.hash = "00000000000000aa";
  config.routes.resize(1);
  config.routes[0].name = "sonnet";
  config.routes[0].shadow.percent = {1050};
  recorder_->config_applied(config);
  EXPECT_THAT(page(), HasSubstr("understudy_shadow_percent{route=\"sonnet\"} 10.5\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_config_info{hash=\"00000000000000aa\"} 1\n"));
  meter_.eligible();
  config.routes[0].name = "haiku";
  config.hash = "00000000000000bb";
  recorder_->config_applied(config);
  EXPECT_THAT(page(), Not(HasSubstr("understudy_shadow_percent{route=\"sonnet\"}")));
  EXPECT_THAT(page(), Not(HasSubstr("00000000000000aa")));
  EXPECT_EQ(&recorder_->route("sonnet"), &meter_);
  EXPECT_EQ(recorder_->route("sonnet").counts().eligible, 1u);
}

TEST_F(RecorderTest, TellsWhenTheLastGoodConfigWasReadFromTheFirstOneOn) {
  constexpr const char* kName = "understudy_config_last_reload_success_timestamp_seconds ";
  recorder_->reload(ReloadResult::refused);
  EXPECT_THAT(page(), Not(HasSubstr(kName)));
  recorder_->config_applied({});
  EXPECT_THAT(page(), HasSubstr(kName));
}

TEST_F(RecorderTest, TellsWhetherTheLastConfigWasRefused) {
  constexpr const char* kName = "understudy_config_last_reload_successful ";
  EXPECT_THAT(page(), HasSubstr(std::string{kName} + "1\n"));
  recorder_->reload(ReloadResult::refused);
  EXPECT_THAT(page(), HasSubstr(std::string{kName} + "0\n"));
  recorder_->reload(ReloadResult::unchanged);
  EXPECT_THAT(page(), HasSubstr(std::string{kName} + "1\n"));
}

TEST_F(RecorderTest, CountsWhatConcernsTheWholeProcess) {
  recorder_->reload(ReloadResult::refused);
  recorder_->reload(ReloadResult::applied);
  recorder_->overhead(Phase::sign, 3us);
  recorder_->connection_opened();
  recorder_->connection_opened();
  recorder_->connection_closed();
  recorder_->records_written();
  recorder_->records_dropped();
  recorder_->records_queued(700);
  recorder_->records_queued(-300);
  recorder_->shadow_load(3, 2, 1000);
  for (const std::string line :
       {"understudy_config_reloads_total{result=\"applied\"} 1",
        "understudy_config_reloads_total{result=\"refused\"} 1",
        "understudy_config_last_reload_success_timestamp_seconds ",
        "understudy_proxy_overhead_seconds_bucket{phase=\"sign\",le=\"5e-06\"} 1",
        "understudy_connections 1", "understudy_records_total{result=\"written\"} 1",
        "understudy_records_total{result=\"dropped\"} 1", "understudy_records_queued_bytes 400",
        "understudy_shadow_queue 3", "understudy_shadow_in_flight 2",
        "understudy_shadow_bytes 1000", "understudy_build_info{version=\""}) {
    EXPECT_THAT(page(), HasSubstr(line));
  }
}

TEST_F(RecorderTest, LetsNobodyMakeARefusalLabel) {
  recorder_->refused("max_header_bytes");
  recorder_->refused("evil\"} 1");
  recorder_->refused("");
  recorder_->refused("other");
  EXPECT_THAT(page(), HasSubstr("understudy_refused_total{limit=\"max_header_bytes\"} 1\n"));
  EXPECT_THAT(page(), HasSubstr("understudy_refused_total{limit=\"other\"} 3\n"));
  EXPECT_THAT(page(), Not(HasSubstr("evil")));
}

TEST_F(RecorderTest, LosesNothingWhenThreadsRecordAndReadAtOnce) {
  constexpr int kThreads = 20;  // more than there are shards
  constexpr int kEach = 2'000;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kEach; ++i) {
        meter_.eligible();
        meter_.request(Operation::converse, Variant::primary, Leg::served, i % 2 ? 200 : 500, 1ms);
        meter_.skipped(SkipReason::not_sampled);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const RouteCounts counts = meter_.counts();
    const auto skipped =
        counts.skipped.contains("not_sampled") ? counts.skipped.at("not_sampled") : 0;
    EXPECT_LE(skipped, counts.eligible) << "an end without a beginning";
    page();
  }
  threads.clear();
  EXPECT_EQ(meter_.counts().eligible, static_cast<std::uint64_t>(kThreads) * kEach);
  EXPECT_THAT(
      page(),
      HasSubstr(
          R"(understudy_requests_total{route="sonnet",operation="converse",variant="primary",leg="served",code="500"} 20000)"));
  EXPECT_THAT(
      page(),
      HasSubstr(
          R"(understudy_requests_total{route="sonnet",operation="converse",variant="primary",leg="served",code="200"} 20000)"));
}

TEST_F(RecorderTest, RecordsARequestInWellUnderAMicrosecond) {
  constexpr int kRequests = 200'000;
  meter_.request(Operation::converse, Variant::primary, Leg::served, 200, 1ms);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kRequests; ++i) {
    meter_.request(Operation::converse, Variant::primary, Leg::served, 200, 1ms * (i & 1023));
  }
  const auto each = (std::chrono::steady_clock::now() - begun) / kRequests;
  RecordProperty("nanoseconds_per_request", static_cast<int>(each.count()));
  EXPECT_LT(each, 5us)
      << "generous: sanitizers and shared machines; a lock or a look-up by name exceeds it";
}

}  // namespace
}  // namespace understudy::metrics
