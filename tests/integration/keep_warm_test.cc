// The way back stays open: the primary is called while the candidate serves everything.

#include "proxy/keep_warm.h"

#include <gtest/gtest.h>

#include <atomic>

#include "metrics/end_of_life.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using proxy::KeepWarm;
using proxy::ModelBook;
using namespace std::chrono_literals;

class WayBack : public testing::Test {
 protected:
  std::unique_ptr<FakeBedrock> primary = FakeBedrock::replies(converse_answer("primary"));
  std::unique_ptr<FakeBedrock> candidate = FakeBedrock::replies(converse_answer("candidate"));

  ProxySetup setup() const {
    ProxySetup made{.primary_port = primary->port(), .candidate_port = candidate->port()};
    made.shadow = "percent: 0";
    made.canary = "percent: 100";
    made.route_more = "keep_warm: {every: 24h}";
    return made;
  }
  // Looks when told to, not by itself.
  static std::unique_ptr<KeepWarm> keeper_of(ProxyUnderTest& proxy) {
    return std::make_unique<KeepWarm>([&proxy] { return proxy.server().snapshot(); },
                                      proxy.server().models(),
                                      KeepWarm::Options{.look_every = 1h, .timeout = 5s});
  }
  static proxy::RollbackReadiness readiness(
      ProxyUnderTest& proxy, ModelBook::Time now = std::chrono::system_clock::now()) {
    return proxy::rollback_readiness(proxy.server().snapshot()->config().routes[0],
                                     proxy.server().models().entries(), now);
  }
};

constexpr const char* kPinned = "    primary: {upstream: primary, model: anthropic.claude-a}\n";

std::string with_primary_model(std::string config) {
  const std::string before = "    primary: {upstream: primary}\n";
  return config.replace(config.find(before), before.size(), kPinned);
}

TEST_F(WayBack, AnUnusedPrimaryGetsOneTinyRequest) {
  ProxyUnderTest proxy(with_primary_model(setup().text()));
  EXPECT_FALSE(readiness(proxy).ready) << "nobody knows yet";
  const auto keeper = keeper_of(proxy);
  keeper->look();
  keeper->look();
  ASSERT_EQ(primary->count(), 1U) << "one a day, not one a look";
  const FakeRequest seen = primary->request(0);
  EXPECT_EQ(seen.target(), "/model/anthropic.claude-a/converse");
  EXPECT_NE(seen.body.find(R"("maxTokens":1)"), std::string::npos);
  EXPECT_TRUE(readiness(proxy).ready);
  EXPECT_FALSE(readiness(proxy, std::chrono::system_clock::now() + 49h).ready);
  EXPECT_NE(proxy::rollback_exposition(proxy.server().snapshot()->config(),
                                       proxy.server().models().entries(),
                                       std::chrono::system_clock::now())
                .find("understudy_rollback_ready{route=\"route\"} 1\n"),
            std::string::npos);
}

TEST_F(WayBack, ACallThatFailedIsMadeAgainLongBeforeTheNextOneWouldBeDue) {
  std::atomic<bool> throttled{true};
  primary = std::make_unique<FakeBedrock>([&](const FakeRequest&, FakePeer& peer) {
    peer.send(throttled ? answer("{}", "429 Too Many Requests")
                        : answer(converse_answer("primary")));
  });
  ProxyUnderTest proxy(with_primary_model(setup().text()));
  KeepWarm keeper([&proxy] { return proxy.server().snapshot(); }, proxy.server().models(),
                  {.look_every = 1h, .timeout = 5s, .try_again = 0ms});
  keeper.look();
  EXPECT_FALSE(readiness(proxy).ready);
  throttled = false;
  keeper.look();
  EXPECT_TRUE(readiness(proxy).ready);
  keeper.look();
  EXPECT_EQ(primary->count(), 2U);
}

TEST_F(WayBack, AModelThatNeverAnsweredIsNotCalledInThePlaceOfOneThatDid) {
  primary = std::make_unique<FakeBedrock>([](const FakeRequest& request, FakePeer& peer) {
    const bool known = request.target().find("claude-a") != std::string::npos;
    peer.send(known ? answer(converse_answer("primary")) : answer("{}", "404 Not Found"));
  });
  ProxySetup warm = setup();
  warm.canary = "percent: 0";
  warm.route_more = "keep_warm: {every: 1s}";
  ProxyUnderTest proxy(warm);
  RawClient client(proxy.port());
  for (const char* model : {"anthropic.claude-a", "anthropic.cluade-a"})
    client.ask(post("/model/" + std::string(model) + "/converse", converse_body("hi")));
  ASSERT_TRUE(eventually([&] { return proxy.server().models().entries().size() == 2; }));
  const auto keeper = keeper_of(proxy);
  ASSERT_TRUE(eventually([&] {
    keeper->look();
    return primary->count() >= 3;
  }));
  EXPECT_EQ(primary->request(2).target(), "/model/anthropic.claude-a/converse");
}

TEST_F(WayBack, StaysOpenBehindAModelThatNeverAnsweredAndNotBehindOneThatDid) {
  const auto now = std::chrono::system_clock::now();
  routing::RouteConfig route;
  route.name = "route";
  ModelBook book;
  book.note("route", routing::Variant::primary, "anthropic.claude-a", "", now);
  book.note("route", routing::Variant::primary, "anthropic.cluade-a", "not_found", now + 1s);
  EXPECT_TRUE(rollback_readiness(route, book.entries(), now + 1s).ready) << "a typo";
  book.note("route", routing::Variant::primary, "anthropic.claude-a", "access", now + 2s);
  EXPECT_EQ(rollback_readiness(route, book.entries(), now + 2s).reason,
            "the primary's last answer was a failure (access)");
}

TEST_F(WayBack, APrimaryThatAnswersCopiesNeedsNoCall) {
  ProxySetup copying = setup();
  copying.shadow = "percent: 100, control_percent: 0";
  ProxyUnderTest proxy(copying);
  RawClient(proxy.port()).ask(converse("hi"));
  ASSERT_TRUE(proxy.books_balance(1));
  EXPECT_TRUE(readiness(proxy).ready);
  keeper_of(proxy)->look();
  EXPECT_EQ(primary->count(), 1U) << "the copy";
}

TEST_F(WayBack, IsClosedWhereOneRequestInAHundredIsTooLongForThePrimary) {
  const auto now = std::chrono::system_clock::now();
  routing::RouteConfig route;
  route.name = "route";
  ModelBook book;
  metrics::Observation seen;
  seen.model_id = "anthropic.claude-a";
  seen.status = 200;
  seen.error_class = metrics::ErrorClass::ok;
  for (int i = 0; i < 100; ++i) book.note("route", seen, now);
  seen.status = 400;
  seen.error_class = metrics::ErrorClass::client_error;
  seen.error_message = "prompt is too long: 250000 tokens > 200000 maximum";
  book.note("route", seen, now);
  EXPECT_TRUE(rollback_readiness(route, book.entries(), now).ready) << "one in 101";
  book.note("route", seen, now);
  const auto closed = rollback_readiness(route, book.entries(), now);
  EXPECT_FALSE(closed.ready);
  EXPECT_EQ(closed.reason,
            "of the last hour's requests 2 of 102 were too long for the primary's context");
  routing::Config config;
  config.routes = {route};
  EXPECT_EQ(proxy::closed_way_back(config, "route", book.entries(), now), closed.reason);
  EXPECT_EQ(proxy::closed_way_back(config, "another", book.entries(), now), "");
}

TEST_F(WayBack, WithoutAModelThatAnybodyAskedForThereIsNothingToCall) {
  ProxyUnderTest proxy(setup());
  keeper_of(proxy)->look();
  EXPECT_EQ(primary->count(), 0U);
}

TEST_F(WayBack, ALockOutIsSeenByTheCall) {
  primary = FakeBedrock::sends(
      answer(R"({"message":")" + std::string(metrics::kEndOfLifeText) + R"("})", "404 Not Found"));
  ProxyUnderTest proxy(with_primary_model(setup().text()));
  keeper_of(proxy)->look();
  const auto known = proxy.server().models().entries();
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known[0].gone, metrics::ModelGone::ended);
  EXPECT_FALSE(readiness(proxy).ready);
}

TEST_F(WayBack, APrimaryThatCannotBeReachedIsNoWayBack) {
  ProxySetup away = setup();
  away.primary_port = refusing_port();
  ProxyUnderTest proxy(with_primary_model(away.text()));
  keeper_of(proxy)->look();
  EXPECT_FALSE(readiness(proxy).ready);
  EXPECT_EQ(proxy.server().models().entries().at(0).problem, "failed");
}

}  // namespace
}  // namespace understudy::testing_support
