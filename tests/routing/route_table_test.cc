#include "routing/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "routing/hash.h"
#include "routing/sampling.h"

namespace understudy::routing {
namespace {

constexpr const char* kSonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* kNext = "us.anthropic.claude-sonnet-5";

RouteConfig route(std::string name, std::vector<std::string> models = {}) {
  RouteConfig made;
  made.name = std::move(name);
  made.match.models = std::move(models);
  made.primary.upstream = 0;
  made.candidate = VariantConfig{1, kNext, {}};
  made.shadow.percent = Percent{10'000};
  return made;
}

RouteTable table(std::vector<RouteConfig> routes, bool with_default = false) {
  auto config = std::make_shared<Config>();
  config->upstreams.resize(3);
  config->routes = std::move(routes);
  if (with_default) config->default_upstream = 2;
  return RouteTable(std::move(config));
}

RequestFacts converse(std::string_view model = kSonnet) {
  RequestFacts facts;
  facts.operation = Operation::converse;
  facts.model_id = model;
  facts.sampling_key = "attempt-1";
  return facts;
}

TEST(RouteTable, TakesTheFirstRouteThatMatches) {
  const RouteTable routes =
      table({route("haiku", {"*haiku*"}), route("sonnet", {"*sonnet-4-5*"}), route("all")});
  EXPECT_EQ(routes.decide(converse()).route->name, "sonnet");
  EXPECT_EQ(routes.decide(converse()).route_index, 1U);
  EXPECT_EQ(routes.decide(converse("meta.llama4")).route->name, "all");
}

TEST(RouteTable, SendsWhatNoRouteMatchesToTheDefaultAndNeverCopiesIt) {
  const RouteDecision decision = table({route("haiku", {"*haiku*"})}, true).decide(converse());
  EXPECT_EQ(decision.route, nullptr);
  EXPECT_EQ(decision.upstream, 2U);
  EXPECT_FALSE(decision.eligible);
  EXPECT_FALSE(decision.shadow);
  EXPECT_EQ(table({}).decide(converse()).upstream, std::nullopt);
}

TEST(RouteTable, MatchesByOperation) {
  RouteConfig streams = route("streams");
  streams.match.operations = {Operation::converse_stream,
                              Operation::invoke_model_with_response_stream};
  const RouteTable routes = table({streams});
  RequestFacts facts = converse();
  EXPECT_EQ(routes.decide(facts).route, nullptr);
  facts.operation = Operation::converse_stream;
  EXPECT_NE(routes.decide(facts).route, nullptr);
}

TEST(RouteTable, MatchesHeadersInAnyCaseAllOfThemAndAnyOfEqualNames) {
  RouteConfig team = route("team");
  team.match.headers = {{"X-Team", "search-*"}, {"x-env", "prod"}};
  const RouteTable routes = table({team});
  RequestFacts facts = converse();
  const std::array both{Field{"x-team", "ads"}, Field{"x-TEAM", "search-1"},
                        Field{"X-Env", "prod"}};
  facts.fields = both;
  EXPECT_NE(routes.decide(facts).route, nullptr);
  facts.fields = std::span(both).first(2);
  EXPECT_EQ(routes.decide(facts).route, nullptr);
}

TEST(RouteTable, KeepsPathsWithoutAModelOutOfRoutesThatAskForOne) {
  const RouteTable routes = table({route("any model", {"*"}), route("anything")});
  RequestFacts facts;
  EXPECT_EQ(routes.decide(facts).route->name, "anything");
  EXPECT_FALSE(routes.decide(facts).eligible) << "an operation that is not understood";
}

TEST(RouteTable, IsEligibleOnlyWithACandidate) {
  RouteConfig alone = route("alone");
  alone.candidate.reset();
  EXPECT_FALSE(table({alone}).decide(converse()).eligible);
  const RouteDecision decision = table({route("pair")}).decide(converse());
  EXPECT_TRUE(decision.eligible);
  EXPECT_TRUE(decision.shadow);
  EXPECT_EQ(decision.served, Variant::primary);
  EXPECT_EQ(decision.upstream, 0U);
}

TEST(RouteTable, CopiesTheShareOfKeysBelowThePercentage) {
  RouteConfig tenth = route("r");
  tenth.shadow.percent = Percent{1'000};
  const RouteTable routes = table({tenth});
  int copied = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    RequestFacts facts = converse();
    facts.sampling_key = key;
    const RouteDecision decision = routes.decide(facts);
    ASSERT_EQ(decision.shadow_bucket, bucket("understudy", "shadow", "r", key));
    ASSERT_EQ(decision.shadow, decision.shadow_bucket < 1'000);
    if (!decision.shadow) {
      ASSERT_EQ(decision.skip, SkipReason::not_sampled);
    }
    copied += decision.shadow;
  }
  EXPECT_NEAR(copied, 1'000, 90);
}

TEST(RouteTable, CopiesNothingAtZeroPercent) {
  RouteConfig off = route("off");
  off.shadow.percent = Percent{};
  const RouteDecision decision = table({off}).decide(converse());
  EXPECT_TRUE(decision.eligible);
  EXPECT_FALSE(decision.shadow);
  EXPECT_EQ(decision.skip, SkipReason::not_sampled);
}

TEST(RouteTable, NeverCopiesACopy) {
  const std::array fields{Field{"X-Understudy-Shadow", "1"}};
  RequestFacts facts = converse();
  facts.fields = fields;
  const RouteDecision decision = table({route("pair")}).decide(facts);
  EXPECT_TRUE(decision.eligible);
  EXPECT_FALSE(decision.shadow);
  EXPECT_EQ(decision.skip, SkipReason::mirrored);
}

TEST(RouteTable, CopiesNoInvokeModelBodyToAModelThatReadsAnother) {
  RouteConfig to_nova = route("r");
  to_nova.candidate->model = "us.amazon.nova-pro-v1:0";
  to_nova.canary.percent = Percent{10'000};
  const RouteTable routes = table({to_nova});
  RequestFacts facts = converse();
  EXPECT_EQ(routes.decide(facts).served, Variant::candidate) << "Converse is the same for all";
  facts.operation = Operation::invoke_model;
  EXPECT_EQ(routes.decide(facts).skip, SkipReason::body_format);
  EXPECT_FALSE(routes.decide(facts).shadow);
  EXPECT_EQ(routes.decide(facts).served, Variant::primary) << "it could not read the body either";
  facts.model_id = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";
  EXPECT_EQ(routes.decide(facts).served, Variant::candidate) << "unknown is not different";
}

TEST(RouteTable, JudgesTheBodyByThePrimaryWhereTheClientsIdHidesTheModel) {
  RouteConfig aliased = route("r");
  aliased.primary.model = "amazon.nova-pro-v1:0";
  RequestFacts facts = converse("my-alias");
  facts.operation = Operation::invoke_model;
  EXPECT_EQ(table({aliased}).decide(facts).skip, SkipReason::body_format);
}

std::string body_of(int conversation, int turns) {
  std::string body = R"({"messages":[{"role":"user","content":[{"text":")" +
                     std::to_string(conversation) + R"("}]})";
  for (int i = 1; i < turns; ++i) body += R"(,{"role":"assistant","content":[{"text":"a"}]})";
  return body + "]}";
}

TEST(RouteTable, ServesAConversationByOneVariantFromBeginningToEnd) {
  RouteConfig half = route("r");
  half.canary.percent = Percent{5'000};
  const RouteTable routes = table({half});
  int by_candidate = 0;
  for (int i = 0; i < 2'000; ++i) {
    const std::string first = body_of(i, 1);
    const std::string later = body_of(i, 5);
    RequestFacts facts = converse();
    facts.body = first;
    const RouteDecision before = routes.decide(facts);
    facts.body = later;
    facts.sampling_key = "another";
    const RouteDecision after = routes.decide(facts);
    ASSERT_EQ(before.served, after.served);
    ASSERT_EQ(before.canary_bucket, after.canary_bucket);
    ASSERT_EQ(before.canary_bucket,
              bucket("understudy", "canary", "r", hex(conversation_key(first, 1 << 18))));
    ASSERT_EQ(*before.upstream, before.served == Variant::candidate ? 1U : 0U);
    by_candidate += before.served == Variant::candidate;
  }
  EXPECT_NEAR(by_candidate, 1'000, 100);
}

TEST(RouteTable, ServesAllByTheCandidateAtAHundredPercentAndNoneAtZero) {
  RouteConfig all = route("r");
  all.canary.percent = Percent{10'000};
  const RouteDecision decision = table({all}).decide(converse());
  EXPECT_EQ(decision.served, Variant::candidate);
  EXPECT_EQ(decision.upstream, 1U);
  EXPECT_TRUE(decision.shadow) << "the primary gets the copy";
  EXPECT_EQ(table({route("r")}).decide(converse()).served, Variant::primary);
}

RouteTable table_with(const RouteConfig& only, std::shared_ptr<LiveShare> share) {
  auto config = std::make_shared<Config>();
  config->upstreams.resize(3);
  config->routes = {only};
  return RouteTable(std::move(config), {std::move(share)});
}

TEST(RouteTable, FollowsTheLiveShareAtOnceButNeverAboveTheConfig) {
  RouteConfig ten = route("r");
  ten.canary.percent = Percent{1'000};
  const auto share = std::make_shared<LiveShare>(Percent{10'000});
  const RouteTable routes = table_with(ten, share);
  EXPECT_EQ(routes.served_share(0), Percent{1'000});
  const auto served = [&] {
    int by_candidate = 0;
    for (int i = 0; i < 1'000; ++i) {
      const std::string body = body_of(i, 1);
      RequestFacts facts = converse();
      facts.body = body;
      by_candidate += routes.decide(facts).served == Variant::candidate;
    }
    return by_candidate;
  };
  EXPECT_NEAR(served(), 100, 30);
  share->set(Percent{100});
  EXPECT_NEAR(served(), 10, 10);
  share->set(Percent{});
  EXPECT_EQ(served(), 0);
}

TEST(RouteTable, DrillsNotWhileTheRouteIsRolledBack) {
  RouteConfig drilled = route("r");
  drilled.canary.percent = Percent{};
  drilled.drill = kAllTraffic;
  const auto share = std::make_shared<LiveShare>(Percent{});
  const RouteTable routes = table_with(drilled, share);
  EXPECT_TRUE(routes.decide(converse()).drill) << "a share of 0 is no rollback";
  share->withdraw();
  EXPECT_FALSE(routes.decide(converse()).drill);
  EXPECT_EQ(routes.served_share(0), Percent{});
  share->set(Percent{100});
  EXPECT_TRUE(routes.decide(converse()).drill);
}

TEST(RouteTable, ServesNothingOfAStagedRolloutBeforeAnybodySaidSo) {
  RouteConfig staged = route("r");
  staged.canary.stages = {{.percent = Percent{500}}, {.percent = Percent{10'000}}};
  EXPECT_EQ(table({staged}).served_share(0), Percent{});
  const auto share = std::make_shared<LiveShare>(Percent{500});
  EXPECT_EQ(table_with(staged, share).served_share(0), Percent{500});
}

// The judgement of the issue: exact, sticky and monotone over a million decisions.
TEST(RouteTable, ServesExactlyTheShareAndKeepsWhoIsInAsItGrows) {
  constexpr int kDecisions = 1'000'000;
  RouteConfig by_caller = route("r");
  by_caller.canary.percent = Percent{10'000};
  by_caller.canary.sticky_by.kind = StickyBy::Kind::caller;
  const auto share = std::make_shared<LiveShare>(Percent{1});
  const RouteTable routes = table_with(by_caller, share);
  constexpr std::array kShares{Percent{125}, Percent{500}, Percent{2'500}, Percent{9'000}};
  std::array<int, kShares.size()> served{};
  RequestFacts facts = converse();
  for (int i = 0; i < kDecisions / static_cast<int>(kShares.size()); ++i) {
    const std::string caller = std::to_string(i);
    facts.caller = caller;
    bool before = false;
    for (std::size_t k = 0; k < kShares.size(); ++k) {
      share->set(kShares[k]);
      const bool now = routes.decide(facts).served == Variant::candidate;
      ASSERT_TRUE(now || !before) << caller << " was in a smaller share";
      served[k] += now;
      before = now;
    }
  }
  for (std::size_t k = 0; k < kShares.size(); ++k) {
    const double draws = kDecisions / kShares.size(), p = kShares[k].fraction();
    EXPECT_NEAR(served[k], draws * p, 3 * std::sqrt(draws * p * (1 - p))) << kShares[k].hundredths;
  }
}

// A replica, or a process after its restart, has a table of its own; threads share one.
TEST(RouteTable, DecidesTheSameOnEveryThreadReplicaAndRestart) {
  RouteConfig tenth = route("r");
  tenth.canary.percent = Percent{1'000};
  const auto decide = [](const RouteTable& routes) {
    std::vector<std::pair<std::uint32_t, Variant>> decided;
    for (int i = 0; i < 4'000; ++i) {
      const std::string body =
          R"({"messages":[{"role":"user","content":[{"text":")" + std::to_string(i) + "\"}]}]}";
      RequestFacts facts = converse();
      facts.body = body;
      const RouteDecision decision = routes.decide(facts);
      decided.emplace_back(decision.canary_bucket, decision.served);
    }
    return decided;
  };
  const RouteTable shared = table({tenth});
  const auto first = decide(shared);
  std::array<bool, 4> same{};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < same.size(); ++i) {
      threads.emplace_back(
          [&, i] { same[i] = (i % 2 == 0 ? decide(shared) : decide(table({tenth}))) == first; });
    }
  }
  EXPECT_THAT(same, testing::Each(true));
}

TEST(RouteTable, KeepsAClientOnOneVariantByWhatTheConfigNames) {
  RouteConfig half = route("r");
  half.canary.percent = Percent{5'000};
  const auto bucket_of = [&](const RequestFacts& facts) {
    return table({half}).decide(facts).canary_bucket;
  };
  RequestFacts one = converse(), other = converse();
  one.body = R"({"messages":[{"role":"user","content":[{"text":"a"}]}],)"
             R"("requestMetadata":{"tenant":"t1","user":"u"}})";
  other.body = R"({"requestMetadata":{"user":"v","tenant":"t1"},)"
               R"("messages":[{"role":"user","content":[{"text":"b"}]}]})";
  EXPECT_NE(bucket_of(one), bucket_of(other)) << "two conversations";
  half.canary.sticky_by = {StickyBy::Kind::metadata, "tenant"};
  EXPECT_EQ(bucket_of(one), bucket_of(other));
  half.canary.sticky_by.name = "user";
  EXPECT_NE(bucket_of(one), bucket_of(other));

  const std::array<Field, 1> fields{Field{"X-Tenant", "t1"}};
  half.canary.sticky_by = {StickyBy::Kind::header, "x-tenant"};
  EXPECT_NE(bucket_of(one), bucket_of(other)) << "without it, the conversation";
  one.fields = other.fields = fields;
  EXPECT_EQ(bucket_of(one), bucket_of(other));

  half.canary.sticky_by = {StickyBy::Kind::caller, ""};
  EXPECT_NE(bucket_of(one), bucket_of(other));
  one.caller = other.caller = "search-team";
  EXPECT_EQ(bucket_of(one), bucket_of(other));
}

TEST(Labels, AreTheEnumeratorsSpelling) {
  EXPECT_EQ(label(Variant::candidate), "candidate");
  EXPECT_EQ(label(SkipReason::body_format), "body_format");
  EXPECT_EQ(label(SkipReason::rewrite_failed), "rewrite_failed");
}

RequestFacts responses(std::string_view body = "{}") {
  RequestFacts facts = converse();
  facts.operation = Operation::responses;
  facts.path = "/openai/v1/responses";
  facts.body = body;
  return facts;
}

TEST(RouteTable, MatchesPathsAlsoWhereNoModelIsNamed) {
  RouteConfig by_path = route("openai");
  by_path.match.paths = {"/openai/*", "/v1/*"};
  const RouteTable routes = table({by_path}, true);
  RequestFacts facts;
  facts.path = "/v1/models";
  EXPECT_EQ(routes.decide(facts).route_index, 0u);
  EXPECT_NE(routes.decide(facts).route, nullptr);
  EXPECT_FALSE(routes.decide(facts).eligible);
  facts.path = "/model/a/converse";
  EXPECT_EQ(routes.decide(facts).route, nullptr);
  EXPECT_EQ(routes.decide(facts).upstream, 2u);
}

TEST(RouteTable, CopiesNothingThatAnUpstreamKeepsTheBeginningOf) {
  RouteConfig with_canary = route("all");
  with_canary.canary.percent = Percent{9'999};
  const RouteTable routes = table({with_canary});
  RequestFacts facts = responses();
  facts.stateful = true;
  const RouteDecision decision = routes.decide(facts);
  EXPECT_TRUE(decision.eligible);
  EXPECT_FALSE(decision.shadow);
  EXPECT_EQ(decision.skip, SkipReason::stateful);
  EXPECT_EQ(decision.served, Variant::primary);

  with_canary.canary.percent = Percent{10'000};
  EXPECT_EQ(table({with_canary}).decide(facts).served, Variant::candidate);
}

}  // namespace
}  // namespace understudy::routing
