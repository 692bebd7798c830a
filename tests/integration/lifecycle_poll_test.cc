#include "proxy/lifecycle_poll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "metrics/end_of_life.h"
#include "proxy/upstream_probe.h"
#include "routing/day.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::testing_support {
namespace {

using proxy::LifecyclePoll;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr std::chrono::sys_days kToday = std::chrono::year(2026) / 10 / 14;

std::string details(std::string_view lifecycle) {
  return R"({"modelDetails":{"modelId":"a.b","modelLifecycle":)" + std::string(lifecycle) + "}}";
}

TEST(LifecyclePoll, ReadsDaysInBothForms) {
  const auto told = proxy::dates_from_control_plane(
      details(
          R"({"status":"LEGACY","legacyTime":"2026-07-08T00:00:00Z","endOfLifeTime":1799366400})"),
      kToday);
  ASSERT_TRUE(told);
  EXPECT_EQ(routing::day_text(*told->dates.legacy), "2026-07-08");
  EXPECT_EQ(routing::day_text(*told->dates.end_of_life), "2027-01-08");
  EXPECT_FALSE(told->dates.launch);
}

TEST(LifecyclePoll, TakesNothingFromWhatIsNoAnswer) {
  for (const std::string& body : {std::string(), std::string("[]"), std::string("{}"),
                                  std::string(R"({"modelDetails":7})"), details("[]")})
    EXPECT_FALSE(proxy::dates_from_control_plane(body, kToday)) << body;
  const auto told = proxy::dates_from_control_plane(
      details(R"({"status":"ACTIVE","legacyTime":"soon","endOfLifeTime":-5})"), kToday);
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->dates.legacy);
  EXPECT_FALSE(told->dates.end_of_life);
}

TEST(LifecyclePoll, WhatBedrockTellsGoesBeforeTheFileAndBehindTheConfig) {
  const auto bedrock = FakeBedrock::replies(
      details(R"({"status":"ACTIVE","endOfLifeTime":"2029-05-01T00:00:00Z"})"));
  ProxySetup setup{.primary_port = bedrock->port(), .candidate_port = bedrock->port()};
  setup.match = "models: [anthropic.claude-3-haiku-20240307-v1:0, anthropic.own-v1:0]";
  setup.top =
      "lifecycle: {poll: {upstream: primary}, models: {anthropic.own-v1: {end_of_life: "
      "2028-01-01}}}\n";
  ProxyUnderTest proxy(setup);
  LifecyclePoll poll([&] { return proxy.server().snapshot(); }, proxy.server().models(),
                     {.look_every = 1h, .timeout = 5s});
  const auto known = proxy.server().snapshot()->lifecycles;
  EXPECT_EQ(poll.with_told(known), known) << "nothing was told yet";
  poll.ask_now();
  EXPECT_EQ(bedrock->request(0).method(), "GET");
  EXPECT_EQ(bedrock->request(0).target(), "/foundation-models");
  EXPECT_TRUE(bedrock->request(1).target().starts_with("/foundation-models/"));
  const auto dates = poll.with_told(known);
  EXPECT_EQ(routing::day_text(
                *dates->find("us.anthropic.claude-3-haiku-20240307-v1:0")->dates.end_of_life),
            "2029-05-01");
  EXPECT_EQ(routing::day_text(*dates->find("anthropic.own-v1:0")->dates.end_of_life), "2028-01-01");
}

TEST(LifecyclePoll, ReadsAListOfModelsAndLeavesOutWhatItCannotRead) {
  const auto listed = proxy::listed_by_control_plane(
      R"({"modelSummaries":[7,{"modelId":"a.dated","modelLifecycle":{"status":"ACTIVE",)"
      R"("endOfLifeTime":"2029-05-01T00:00:00Z"}},{"modelId":"a.undated"},)"
      R"({"modelLifecycle":{"status":"ACTIVE"}}]})",
      kToday);
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(routing::day_text(*listed->at("a.dated").dates.end_of_life), "2029-05-01");
  for (const std::string& body : {std::string(), std::string("[]"), std::string("{}"),
                                  std::string(R"({"modelSummaries":7})")})
    EXPECT_FALSE(proxy::listed_by_control_plane(body, kToday)) << body;
}

std::string as_response(std::string_view status, const std::string& body) {
  return "HTTP/1.1 " + std::string(status) + "\r\ncontent-type: application/json\r\n" +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(LifecyclePoll, AsksOneByOneOnlyForWhatTheListLeavesOutAndTakesAnEndForAnEnd) {
  FakeBedrock bedrock([](const FakeRequest& asked, FakePeer& peer) {
    peer.send(asked.target() == "/foundation-models"
                  ? as_response("200 OK",
                                R"({"modelSummaries":[{"modelId":"anthropic.claude-sonnet-5",)"
                                R"("modelLifecycle":{"status":"ACTIVE",)"
                                R"("endOfLifeTime":"2029-05-01T00:00:00Z"}}]})")
                  : as_response("404 Not Found",
                                R"({"message":")" + std::string(metrics::kEndOfLifeText) + "\"}"));
  });
  ProxySetup setup{.primary_port = bedrock.port(), .candidate_port = bedrock.port()};
  setup.match = "models: [us.anthropic.claude-sonnet-5, anthropic.gone-v1:0]";
  setup.top = "lifecycle: {poll: {upstream: primary}}\n";
  std::chrono::sys_days today = kToday;
  ProxyUnderTest proxy(setup);
  LifecyclePoll poll([&] { return proxy.server().snapshot(); }, proxy.server().models(),
                     {.look_every = 1h, .timeout = 5s, .today = [&] { return today; }});
  poll.ask_now();
  today += std::chrono::days(7);
  poll.ask_now();
  for (const FakeRequest& asked : bedrock.requests())
    EXPECT_EQ(asked.target().find("claude-sonnet-5"), std::string::npos) << asked.target();
  const auto dates = poll.with_told(proxy.server().snapshot()->lifecycles);
  EXPECT_EQ(routing::day_text(*dates->find("us.anthropic.claude-sonnet-5")->dates.end_of_life),
            "2029-05-01");
  const auto* gone = dates->find("anthropic.gone-v1:0");
  ASSERT_NE(gone, nullptr);
  EXPECT_EQ(gone->dates.end_of_life, kToday) << "since it was first told at the latest";
}

TEST(LifecyclePoll, TellsOnceWhyTheListCannotBeReadAndAsksOneByOneMeanwhile) {
  std::mutex mutex;
  std::string list = as_response("403 Forbidden", "{}");
  FakeBedrock bedrock([&](const FakeRequest& asked, FakePeer& peer) {
    const std::lock_guard lock(mutex);
    peer.send(asked.target() == "/foundation-models"
                  ? list
                  : as_response("200 OK", details(R"({"status":"ACTIVE"})")));
  });
  ProxySetup setup{.primary_port = bedrock.port(), .candidate_port = bedrock.port()};
  setup.match = "models: [anthropic.own-v1:0]";
  setup.top = "lifecycle: {poll: {upstream: primary}}\n";
  ProxyUnderTest proxy(setup);
  LifecyclePoll poll([&] { return proxy.server().snapshot(); }, proxy.server().models(),
                     {.look_every = 1h, .timeout = 5s});
  const auto told_by = [&](const std::string& answer) {
    {
      const std::lock_guard lock(mutex);
      list = answer;
    }
    testing::internal::CaptureStderr();
    poll.ask_now();
    return testing::internal::GetCapturedStderr();
  };
  const std::string forbidden = as_response("403 Forbidden", "{}");
  EXPECT_THAT(told_by(forbidden), AllOf(HasSubstr("lifecycle_list_not_read"),
                                        HasSubstr("403: the keys need bedrock:List")));
  EXPECT_THAT(told_by(forbidden), Not(HasSubstr("lifecycle_list_not_read"))) << "told already";
  EXPECT_THAT(told_by(as_response("200 OK", "{")), HasSubstr("what is no list of models"));
  const std::string endless(proxy::ProbeAnswer::kMaxBodyBytes + 1, ' ');
  EXPECT_THAT(told_by(as_response("200 OK", endless)), HasSubstr("more than 262144 bytes"));
  EXPECT_THAT(told_by(as_response("200 OK", R"({"modelSummaries":[]})")),
              Not(HasSubstr("lifecycle_list_not_read")));
  EXPECT_THAT(told_by(forbidden), HasSubstr("lifecycle_list_not_read")) << "it had been read";
  EXPECT_THAT(poll.exposition(), HasSubstr("lifecycle_readings_total{result=\"ok\"} 1\n"));
  EXPECT_THAT(poll.exposition(), HasSubstr("lifecycle_readings_total{result=\"failed\"} 5\n"));
}

// A proxy that asks of anthropic.own, on days that the test sets, what Bedrock then says of it.
struct AskedOfOwn {
  explicit AskedOfOwn(std::string_view lifecycle)
      : bedrock(FakeBedrock::replies(R"({"modelSummaries":[{"modelId":"anthropic.own-v1:0",)"
                                     R"("modelLifecycle":)" +
                                     std::string(lifecycle) + "}]}")),
        proxy(setup()),
        poll([this] { return proxy.server().snapshot(); }, proxy.server().models(),
             {.look_every = 1h, .timeout = 5s, .today = [this] { return today; }}) {}

  ProxySetup setup() const {
    ProxySetup made{.primary_port = bedrock->port(), .candidate_port = bedrock->port()};
    made.match = "models: [anthropic.own-v1:0]";
    made.top = "lifecycle: {poll: {upstream: primary}}\n";
    return made;
  }
  void ask_on(std::chrono::sys_days day) {
    today = day;
    poll.ask_now();
  }
  // Where the file knows `dates`.
  routing::ModelDates dates(const routing::ModelDates& known = {}) const {
    metrics::Lifecycles::Table table;
    table["anthropic.own"].dates = known;
    return poll.with_told(std::make_shared<metrics::Lifecycles>("2026-01-01", table))
        ->find("anthropic.own-v1:0")
        ->dates;
  }

  std::chrono::sys_days today = kToday;
  const std::unique_ptr<FakeBedrock> bedrock;
  ProxyUnderTest proxy;
  LifecyclePoll poll;
};

TEST(LifecyclePoll, KeepsAnEndThatBedrockDoesNotNameUntilItTellsOfTheModelBehindThatDay) {
  AskedOfOwn own(R"({"status":"ACTIVE","startOfLifeTime":"2024-01-01T00:00:00Z"})");
  const routing::ModelDates file{.launch = {},
                                 .legacy = routing::day_from_text("2025-01-01"),
                                 .extended_access = {},
                                 .end_of_life = kToday,
                                 .replacement = "anthropic.next"};
  own.ask_on(kToday - std::chrono::days(1));
  EXPECT_EQ(routing::day_text(*own.dates(file).launch), "2024-01-01");
  EXPECT_EQ(own.dates(file).replacement, "anthropic.next");
  EXPECT_FALSE(own.dates(file).legacy) << "Bedrock says that it is active";
  for (const int days : {0, 1, 400}) {
    own.today = kToday + std::chrono::days(days);
    EXPECT_EQ(own.dates(file).end_of_life, kToday) << "told before, read after " << days << " days";
  }
  own.ask_on(kToday);
  EXPECT_EQ(own.dates(file).end_of_life, kToday) << "the day is not over";
  own.ask_on(kToday + std::chrono::days(1));
  EXPECT_FALSE(own.dates(file).end_of_life) << "it still lives";
}

TEST(LifecyclePoll, GuessesThatAModelIsLegacySinceItWasFirstToldOrSinceAKnownDayBefore) {
  AskedOfOwn own(R"({"status":"LEGACY"})");
  own.ask_on(kToday);
  own.ask_on(kToday + std::chrono::days(7));
  EXPECT_EQ(own.dates().legacy, kToday) << "not anew with every telling";
  routing::ModelDates file;
  file.legacy = kToday - std::chrono::days(90);
  EXPECT_EQ(own.dates(file).legacy, file.legacy);
  file.legacy = kToday + std::chrono::days(90);
  EXPECT_EQ(own.dates(file).legacy, kToday) << "it is already";
}

TEST(LifecyclePoll, AsksNobodyUnlessToldTo) {
  const auto bedrock = FakeBedrock::replies("{}");
  const ProxySetup setup{.primary_port = bedrock->port(), .candidate_port = bedrock->port()};
  ProxyUnderTest proxy(setup);
  LifecyclePoll poll([&] { return proxy.server().snapshot(); }, proxy.server().models(),
                     {.look_every = 1h, .timeout = 5s});
  poll.ask_now();
  EXPECT_EQ(bedrock->count(), 0U);
}

}  // namespace
}  // namespace understudy::testing_support
