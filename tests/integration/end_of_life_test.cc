// The primary's model ends, at night: the candidate takes over, and the drill before the date.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "metrics/end_of_life.h"
#include "proxy/lifecycle_posts.h"
#include "routing/day.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

std::string message(std::string_view text) {
  return R"({"message":")" + std::string(text) + R"("})";
}

const std::string kEnded = answer(message(metrics::kEndOfLifeText), "404 Not Found",
                                  "x-amzn-errortype: ResourceNotFoundException\r\n");
const std::string kLockedOut = answer(
    message("Access denied. This Model is marked by provider as Legacy and you have not been "
            "actively using the model in the last 15 days. Please upgrade to an active model on "
            "Amazon Bedrock"),
    "404 Not Found", "x-amzn-errortype: ResourceNotFoundException\r\n");
const std::string kInvalid = answer(message("The provided model identifier is invalid."),
                                    "400 Bad Request", "x-amzn-errortype: ValidationException\r\n");

// Of anthropic.claude-a, which ended in 2020.
constexpr const char* kHealthEvent =
    R"({"source": "aws.health", "detail-type": "AWS Health Event", "detail": {"service": "BEDROCK",
        "eventTypeCode": "AWS_BEDROCK_PLANNED_LIFECYCLE_EVENT", "statusCode": "open",
        "eventTypeCategory": "scheduledChange", "startTime": "Fri, 06 Mar 2020 22:00:00 GMT",
        "affectedEntities": [{"entityValue": "anthropic.claude-a"}]}})";

class EndOfLife : public testing::Test {
 protected:
  std::unique_ptr<FakeBedrock> primary = FakeBedrock::sends(kEnded);
  std::unique_ptr<FakeBedrock> candidate = FakeBedrock::replies(converse_answer("candidate"));

  ProxySetup setup(const std::string& route = "on_end_of_life: serve_candidate") const {
    ProxySetup made{.primary_port = primary->port(), .candidate_port = candidate->port()};
    made.shadow = "percent: 0";
    made.route_more = route;
    return made;
  }
  static double takeovers(const ProxyUnderTest& proxy, const std::string& kind) {
    return proxy.value("end_of_life_takeovers_total", {{"route", "route"}, {"kind", kind}});
  }
};

TEST_F(EndOfLife, TheCandidateAnswersThisRequestAndThePrimaryIsNotAskedAgain) {
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  for (int i = 0; i < 10; ++i) {
    const Answer got = client.ask(converse("question " + std::to_string(i)));
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, converse_answer("candidate"));
    EXPECT_EQ(got.field("x-understudy-variant"), "candidate");
  }
  EXPECT_EQ(primary->count(), 1U);
  EXPECT_EQ(takeovers(proxy, "ended"), 10.0);
  EXPECT_TRUE(proxy.books_balance(10)) << proxy.books();
  EXPECT_EQ(proxy.counts().skipped["end_of_life"], 10U);
}

TEST_F(EndOfLife, OneModelsEndIsNotAnothers) {
  primary = std::make_unique<FakeBedrock>([](const FakeRequest& request, FakePeer& peer) {
    const bool old = request.target().find("old") != std::string::npos;
    peer.send(old ? kEnded : answer(converse_answer("primary")));
  });
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  const auto variant = [&](const std::string& model) {
    return client.ask(post("/model/" + model + "/converse", converse_body("hi")))
        .field("x-understudy-variant");
  };
  EXPECT_EQ(variant("anthropic.old"), "candidate");
  EXPECT_EQ(variant("anthropic.young"), "primary");
  EXPECT_EQ(variant("anthropic.old"), "candidate");
  EXPECT_EQ(variant("anthropic.young"), "primary");
}

TEST_F(EndOfLife, ALegacyLockOutIsTakenOverToo) {
  primary = FakeBedrock::sends(kLockedOut);
  ProxyUnderTest proxy(setup());
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).body, converse_answer("candidate"));
  EXPECT_EQ(takeovers(proxy, "locked_out"), 1.0);
}

TEST_F(EndOfLife, AnErrorThatComesInPiecesIsRecognisedAndOneThatSaysSomethingElseIsPassedOn) {
  primary = std::make_unique<FakeBedrock>([](const FakeRequest& request, FakePeer& peer) {
    const std::string sent = request.body.find("other") == std::string::npos
                                 ? kEnded
                                 : answer(message("no such thing"), "404 Not Found");
    const std::size_t head_end = sent.find("\r\n\r\n") + 4;
    peer.send(sent.substr(0, head_end));
    for (std::size_t at = head_end; at < sent.size(); at += 20) peer.send(sent.substr(at, 20));
  });
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  const Answer other = client.ask(converse("other"));
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(other.body, message("no such thing"));
  EXPECT_EQ(other.field("content-type"), "application/json");
  EXPECT_EQ(other.field("x-understudy-variant"), "primary");
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("candidate"));
}

TEST_F(EndOfLife, AnErrorTooLargeToBeOneIsPassedOnWhole) {
  const std::string large = noise(100'000);
  primary = FakeBedrock::sends(answer(large, "404 Not Found"));
  ProxyUnderTest proxy(setup());
  const Answer got = RawClient(proxy.port()).ask(converse("hi"));
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.body, large);
}

TEST_F(EndOfLife, AnInvalidIdentifierIsATypoUntilTheModelHasAnsweredOnce) {
  std::atomic<bool> ended{true};
  primary = std::make_unique<FakeBedrock>([&](const FakeRequest&, FakePeer& peer) {
    peer.send(ended ? kInvalid : answer(converse_answer("primary")));
  });
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(converse("hi")).status, 400);
  ended = false;
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  ASSERT_TRUE(eventually([&] {
    const auto known = proxy.server().models().entries();
    return !known.empty() && known.front().last_success.has_value();
  }));
  ended = true;
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("candidate"));
  EXPECT_EQ(takeovers(proxy, "ended"), 1.0);
}

TEST_F(EndOfLife, AnIdWhoseDateHasPassedNeedsNoAnswerBefore) {
  primary = FakeBedrock::sends(kInvalid);
  ProxySetup dated = setup();
  dated.top = "lifecycle: {models: {anthropic.claude-a: {end_of_life: 2020-01-01}}}\n";
  ProxyUnderTest proxy(dated);
  const Answer got =
      RawClient(proxy.port())
          .ask(post("/model/us.anthropic.claude-a-v1%3A0/converse", converse_body("hi")));
  EXPECT_EQ(got.body, converse_answer("candidate"));
}

TEST_F(EndOfLife, AnIdWhoseDateWasPostedNeedsNoAnswerBeforeEither) {
  primary = FakeBedrock::sends(kInvalid);
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  EXPECT_EQ(client.ask(converse("hi")).status, 400);
  proxy::StateWriter state_writer;
  proxy::EventLog events;
  proxy::LifecyclePosts posts(events, state_writer, "", routing::today);
  const auto posted = posts.post(kHealthEvent);
  ASSERT_EQ(posted.status, 200U) << posted.body;
  // As the serve command does after a post.
  proxy.server().models().set_dates(posts.with_posted(proxy.server().snapshot()->lifecycles));
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("candidate"));
}

// Its dates are put together again after a reload; no request may come in between.
TEST_F(EndOfLife, AReloadTakesNoPostedDateAway) {
  primary = FakeBedrock::sends(kInvalid);
  ProxyUnderTest proxy(setup());
  proxy::StateWriter state_writer;
  proxy::EventLog events;
  proxy::LifecyclePosts posts(events, state_writer, "", routing::today);
  ASSERT_EQ(posts.post(kHealthEvent).status, 200U);
  proxy.server().models().set_dates(posts.with_posted(proxy.server().snapshot()->lifecycles));
  ASSERT_TRUE(proxy.apply(setup()));
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).body, converse_answer("candidate"));
}

TEST_F(EndOfLife, WhereTheRouteOnlyAlarmsTheClientGetsTheErrorAndTheBookKnows) {
  ProxyUnderTest proxy(setup(""));
  const Answer got = RawClient(proxy.port()).ask(converse("hi"));
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.body, message(metrics::kEndOfLifeText));
  EXPECT_TRUE(eventually([&] {
    const auto known = proxy.server().models().entries();
    return !known.empty() && known.front().gone == metrics::ModelGone::ended;
  }));
  EXPECT_EQ(candidate->count(), 0U);
}

TEST_F(EndOfLife, ThereIsNoWayBackToAModelThatIsGone) {
  candidate = FakeBedrock::sends(answer(message("busy"), "503 Service Unavailable"));
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.ask(converse("hi")).status, 503);
  EXPECT_EQ(primary->count(), 1U);
  EXPECT_EQ(proxy.value("fallbacks_total"), 0.0);
}

// The candidate serves, fails, and the primary turns out to be gone: somebody's error is an answer.
TEST_F(EndOfLife, WhereNobodyCanAnswerTheClientGetsAnError) {
  candidate = FakeBedrock::sends(answer(message("busy"), "503 Service Unavailable"));
  ProxySetup serving = setup();
  serving.canary = "percent: 100";
  ProxyUnderTest proxy(serving);
  const Answer got = RawClient(proxy.port()).ask(converse("hi"));
  EXPECT_EQ(got.status, 404);
  EXPECT_EQ(got.body, message(metrics::kEndOfLifeText));
}

// A client can try again after a 503, but not after a 404.
TEST_F(EndOfLife, NoRequestFallsBackOnAPrimaryThatIsKnownToBeGone) {
  candidate = FakeBedrock::sends(answer(message("busy"), "503 Service Unavailable"));
  for (const std::string route : {"on_end_of_life: serve_candidate", "on_end_of_life: alarm"}) {
    ProxySetup serving = setup(route);
    serving.canary = "percent: 100";
    ProxyUnderTest proxy(serving);
    RawClient client(proxy.port());
    const std::size_t asked_before = primary->count();
    EXPECT_EQ(client.ask(converse("hi")).status, 404) << "it is found out once";
    for (int i = 0; i < 3; ++i) {
      const Answer got = client.ask(converse("hi"));
      EXPECT_EQ(got.status, 503);
      EXPECT_EQ(got.body, message("busy"));
    }
    EXPECT_EQ(primary->count() - asked_before, 1U);
  }
}

TEST_F(EndOfLife, OneClientsLockOutIsNotAnothersWhereEachBringsItsOwnToken) {
  primary = std::make_unique<FakeBedrock>([](const FakeRequest& request, FakePeer& peer) {
    const bool locked_out = request.field("authorization") == "Bearer of-a";
    peer.send(locked_out ? kLockedOut : answer(converse_answer("primary")));
  });
  ProxySetup forwarding = setup();
  forwarding.primary_credentials = "source: forward_bearer";
  ProxyUnderTest proxy(forwarding);
  RawClient client(proxy.port());
  const auto served_by = [&](const std::string& token) {
    return client.ask(converse("hi", "authorization: Bearer " + token + "\r\n"))
        .field("x-understudy-variant");
  };
  EXPECT_EQ(served_by("of-a"), "candidate");
  EXPECT_EQ(served_by("of-b"), "primary");
  EXPECT_EQ(served_by("of-a"), "candidate");
}

// Its stream began while the model was there.
TEST_F(EndOfLife, AnAnswerThatBeganBeforeTheEndDoesNotBringTheModelBack) {
  std::promise<void> ended;
  auto has_ended = ended.get_future().share();
  primary = std::make_unique<FakeBedrock>([&](const FakeRequest& request, FakePeer& peer) {
    if (request.body.find("early") == std::string::npos) return void(peer.send(kEnded));
    has_ended.wait();
    peer.send(answer(converse_answer("primary")));
  });
  ProxyUnderTest proxy(setup());
  RawClient early(proxy.port());
  RawClient late(proxy.port());
  early.send(converse("early"));
  ASSERT_TRUE(primary->wait_for_requests(1));
  EXPECT_EQ(late.ask(converse("late")).body, converse_answer("candidate"));
  ended.set_value();
  EXPECT_EQ(early.receive().body, converse_answer("primary"));
  EXPECT_EQ(late.ask(converse("late")).body, converse_answer("candidate"));
  EXPECT_EQ(primary->count(), 2U) << "it is not asked again";
}

TEST_F(EndOfLife, AReloadForgetsNothing) {
  ProxyUnderTest proxy(setup());
  RawClient client(proxy.port());
  client.ask(converse("hi"));
  ASSERT_TRUE(proxy.apply(setup("on_end_of_life: serve_candidate\n    drill: {percent: 0.1}")));
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("candidate"));
  EXPECT_EQ(primary->count(), 1U);
}

// --- The drill

TEST_F(EndOfLife, TheDrillProvesThePathAndSparesThePrimary) {
  primary = FakeBedrock::replies(converse_answer("primary"));
  ProxyUnderTest proxy(setup("on_end_of_life: serve_candidate\n    drill: {percent: 30}"));
  RawClient client(proxy.port());
  std::size_t by_candidate = 0;
  for (int i = 0; i < 200; ++i) {
    const Answer got = client.ask(converse("question " + std::to_string(i)));
    EXPECT_EQ(got.status, 200);
    by_candidate += got.field("x-understudy-variant") == "candidate" ? 1 : 0;
  }
  EXPECT_GT(by_candidate, 25U) << "binomial: mean 60, deviation 6.5";
  EXPECT_LT(by_candidate, 95U);
  EXPECT_EQ(takeovers(proxy, "drill"), static_cast<double>(by_candidate));
  EXPECT_EQ(primary->count(), 200U - by_candidate);
  EXPECT_TRUE(proxy.books_balance(200)) << proxy.books();
}

TEST_F(EndOfLife, ADrillThatTheCandidateFailsCostsNoAnswer) {
  primary = FakeBedrock::replies(converse_answer("primary"));
  candidate = FakeBedrock::sends(answer(message("busy"), "429 Too Many Requests"));
  ProxyUnderTest proxy(setup("on_end_of_life: serve_candidate\n    drill: {percent: 100}"));
  EXPECT_EQ(RawClient(proxy.port()).ask(converse("hi")).body, converse_answer("primary"));
  EXPECT_EQ(takeovers(proxy, "drill"), 1.0);
  EXPECT_EQ(proxy.value("fallbacks_total", {{"reason", "throttled"}}), 1.0);
}

}  // namespace
}  // namespace understudy::testing_support
