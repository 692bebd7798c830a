// What bounds the copies: breaker, queue, memory, rate, tokens and money.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "proxy/shadow_account.h"
#include "proxy/shadow_status.h"
#include "tests/integration/shadow_fixture.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {
namespace {

using testing::HasSubstr;

FakeBedrock::Script answers_behind(Gate& gate) {
  return [&gate](const FakeRequest&, FakePeer& peer) {
    gate.wait();
    peer.send(answer(kCandidateAnswer));
  };
}

FakeBedrock::Script throttles_while(const std::atomic<bool>& throttled) {
  return [&throttled](const FakeRequest&, FakePeer& peer) {
    peer.send(throttled ? answer("{}", "429 Too Many Requests") : answer(kPrimaryAnswer));
  };
}

// Five million tokens cost more than any day's money here.
void answers_dearly(const FakeRequest&, FakePeer& peer) {
  std::string bill = converse_answer("a");
  bill.replace(bill.find("\"outputTokens\":5"), 16, "\"outputTokens\":5000000");
  peer.send(answer(bill));
}

TEST_F(Shadow, TheBreakerOpensOnADeadCandidate) {
  start({.candidate_port = refusing_port(),
         .shadow = "percent: 100, breaker: {consecutive_failures: 3, open_for: 60s}"});
  for (std::uint64_t i = 1; i <= 20; ++i) {
    expect_primarys_answer(converse("hi"));
    ASSERT_TRUE(proxy->books_balance(i));
  }
  EXPECT_EQ(proxy->counts().failed["connect"], 3U);
  EXPECT_EQ(proxy->counts().dropped["breaker"], 17U);
}

TEST_F(Shadow, CopiesThatWaitAreDroppedWhenTheBreakerOpens) {
  const auto gate = std::make_shared<Gate>();  // the candidate's threads may outlive this frame
  start(
      [gate](const FakeRequest&, FakePeer& peer) {
        gate->wait();
        peer.close();
      },
      {.shadow = "percent: 100, max_in_flight: 4, max_queued: 100, "
                 "breaker: {consecutive_failures: 1, open_for: 1h}"});
  for (int i = 0; i < 20; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(candidate->wait_for_requests(4));
  gate->open();
  EXPECT_TRUE(proxy->books_balance(20));
  EXPECT_EQ(proxy->counts().failed["transport"], 4U);
  EXPECT_EQ(proxy->counts().dropped["breaker"], 16U);
  EXPECT_EQ(candidate->count(), 4U);
}

TEST_F(Shadow, TheBreakerClosesWhenAProbeSucceeds) {
  std::atomic<bool> well = false;
  start(
      [&](const FakeRequest&, FakePeer& peer) {
        well ? static_cast<void>(peer.send(answer(kCandidateAnswer))) : peer.close();
      },
      {.shadow = "percent: 100, breaker: {consecutive_failures: 3, open_for: 500ms}"});
  std::uint64_t asked = 0;
  const auto ask = [&] {
    expect_primarys_answer(converse("hi"));
    EXPECT_TRUE(proxy->books_balance(++asked));
  };
  while (proxy->counts().dropped["breaker"] == 0 && asked < 10) ask();
  EXPECT_EQ(proxy->counts().dropped["breaker"], 1U);
  well = true;
  EXPECT_TRUE(eventually([&] {
    ask();
    return proxy->counts().compared >= 3;
  }));
  EXPECT_GE(proxy->counts().failed["transport"], 3U);
}

TEST_F(Shadow, CallsAtOnceAndWaitingCopiesAreBounded) {
  Gate gate;
  start(answers_behind(gate), {.shadow = "percent: 100, max_in_flight: 4, max_queued: 6"});
  for (int i = 0; i < 30; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->wait_for("shadow_total", {{"reason", "queue"}}, 20));
  EXPECT_TRUE(candidate->wait_for_requests(4));
  EXPECT_EQ(candidate->count(), 4U);
  EXPECT_EQ(proxy->server().load().shadow_in_flight, 4U);
  gate.open();
  EXPECT_TRUE(proxy->books_balance(30));
  EXPECT_EQ(proxy->counts().compared, 10U);
  EXPECT_EQ(proxy->counts().dropped["queue"], 20U);
}

TEST_F(Shadow, WithoutAQueueItIsTheCallsAtOnceThatBound) {
  Gate gate;
  start(answers_behind(gate), {.shadow = "percent: 100, max_in_flight: 4, max_queued: 0"});
  for (int i = 0; i < 10; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->wait_for("shadow_total", {{"reason", "in_flight"}}, 6));
  gate.open();
  EXPECT_TRUE(proxy->books_balance(10));
  EXPECT_EQ(proxy->counts().compared, 4U);
  EXPECT_EQ(proxy->counts().dropped["in_flight"], 6U);
}

TEST_F(Shadow, TheBytesHeldForCopiesAreBounded) {
  Gate gate;
  start(answers_behind(gate), {.top = "limits: {max_shadow_bytes: 1MiB}\n"});
  const std::string large = converse(std::string(300'000, 'a'));
  for (int i = 0; i < 10; ++i) expect_primarys_answer(large);
  // A copy is refused after its answer, so the last one may still be to come.
  EXPECT_TRUE(proxy->wait_for("shadow_total", {{"reason", "memory"}}, 7));
  EXPECT_EQ(proxy->counts().dropped["memory"], 7U) << "three times three hundred thousand fit";
  gate.open();
  EXPECT_TRUE(proxy->books_balance(10));
  EXPECT_EQ(proxy->counts().compared, 3U);
  expect_primarys_answer(large);
  EXPECT_TRUE(proxy->books_balance(11));
  EXPECT_EQ(proxy->counts().compared, 4U) << "what is done gives its bytes back";
}

TEST_F(Shadow, AThrottledPrimarySuspendsTheCopies) {
  std::atomic<bool> throttled = true;
  primary = std::make_unique<FakeBedrock>(throttles_while(throttled));
  candidate = FakeBedrock::replies(kCandidateAnswer);
  launch({});
  EXPECT_EQ(client->ask(converse("hi")).status, 429);
  throttled = false;
  for (int i = 0; i < 20; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->books_balance(21));
  EXPECT_EQ(proxy->counts().skipped["primary_failed"], 1U);
  EXPECT_EQ(proxy->counts().dropped["suspended"], 20U);
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST_F(Shadow, TheCopiesRestAsLongAsTheConfigSaysAndTheStatusShowsIt) {
  std::atomic<bool> throttled = true;
  primary = std::make_unique<FakeBedrock>(throttles_while(throttled));
  candidate = FakeBedrock::replies(kCandidateAnswer);
  launch({.shadow = "percent: 100, suspend_for: 1s"});
  EXPECT_EQ(client->ask(converse("hi")).status, 429);
  throttled = false;
  const auto account = proxy->server().shadow_account("route");
  ASSERT_TRUE(eventually([&] { return account->suspensions() == 1; }));
  const auto use = proxy::describe_shadow_use({}, account.get(), std::chrono::steady_clock::now());
  EXPECT_EQ(use["suspended"], true) << use;
  expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->wait_for("shadow_total", {{"reason", "suspended"}}, 1));
  EXPECT_TRUE(eventually([&] { return !account->suspended(std::chrono::steady_clock::now()); }));
  expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->books_balance(3));
  EXPECT_EQ(proxy->counts().compared, 1U);
  const std::string page = proxy::shadow_use_exposition(
      proxy->server().snapshot()->config(), [&](auto) { return account; },
      std::chrono::steady_clock::now());
  EXPECT_THAT(page, HasSubstr("understudy_shadow_suspended{route=\"route\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("understudy_shadow_suspensions_total{route=\"route\"} 1\n"));
}

TEST_F(Shadow, AThrottlingCandidateIsLeftAloneAsLongAsItAsks) {
  start(
      [](const FakeRequest&, FakePeer& peer) {
        peer.send(answer("{}", "429 Too Many Requests", "retry-after: 60\r\n"));
      },
      {.shadow = "percent: 100, max_in_flight: 1, max_queued: 5"});
  for (int i = 0; i < 20; ++i) {
    expect_primarys_answer(converse("hi"));
    ASSERT_TRUE(proxy->wait_for("shadow_total", {{"reason", "throttled"}}, 1));
  }
  EXPECT_EQ(candidate->count(), 1U);
  client->close();
  proxy->server().drain(std::chrono::milliseconds{200});
  EXPECT_TRUE(proxy->books_balance(20));
  EXPECT_EQ(proxy->counts().failed["throttled"], 1U);
  EXPECT_EQ(proxy->counts().dropped["draining"], 6U);
  EXPECT_EQ(proxy->counts().dropped["queue"], 13U);
}

TEST_F(Shadow, TheRateIsBounded) {
  start({.shadow = "percent: 100, budget: {requests_per_minute: 60}"});
  for (int i = 0; i < 30; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->books_balance(30));
  EXPECT_GE(proxy->counts().compared, 1U);
  EXPECT_EQ(proxy->counts().compared, candidate->count());
  EXPECT_EQ(proxy->counts().compared + proxy->counts().dropped["rate"], 30U);
  EXPECT_GE(proxy->counts().dropped["rate"], 1U);
}

TEST_F(Shadow, TheTokensOfAMinuteAreBounded) {
  // Each copy reserves its input and its max_tokens, and comes to far less in the end.
  Gate gate;
  start(answers_behind(gate), {.shadow = "percent: 100, budget: {tokens_per_minute: 5000}"});
  const std::string asks_for_2000 = post(
      "/model/amazon.nova-lite-v1%3A0/converse",
      R"({"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":2000}})");
  for (int i = 0; i < 5; ++i) expect_primarys_answer(asks_for_2000);
  EXPECT_TRUE(proxy->wait_for("shadow_total", {{"reason", "tokens"}}, 3)) << "two fit";
  gate.open();
  EXPECT_TRUE(proxy->books_balance(5));
  EXPECT_EQ(proxy->counts().compared, 2U);
  const auto account = proxy->server().shadow_account("route");
  const auto used = account->tokens_of_last_minute(std::chrono::steady_clock::now());
  EXPECT_GT(used, 0U);
  EXPECT_LT(used, 200U) << "an answer gives back what it did not use";
  expect_primarys_answer(asks_for_2000);
  EXPECT_TRUE(proxy->books_balance(6));
  EXPECT_EQ(proxy->counts().compared, 3U);
}

TEST_F(Shadow, TheMoneyIsBounded) {
  start(answers_dearly, {.shadow = "percent: 100, budget: {usd_per_day: 0.5}",
                         .candidate_model = "amazon.nova-lite-v1:0"});
  for (std::uint64_t i = 1; i <= 10; ++i) {
    expect_primarys_answer(converse("hi"));
    ASSERT_TRUE(proxy->books_balance(i));
  }
  EXPECT_EQ(proxy->counts().compared, 1U) << "the first used the day's money up";
  EXPECT_EQ(proxy->counts().dropped["budget"], 9U);
}

TEST_F(Shadow, ARestartDoesNotBeginTheDaysMoneyAnew) {
  const ScratchDirectory directory;
  const ProxySetup setup{.shadow = "percent: 100, budget: {usd_per_day: 0.5}",
                         .candidate_model = "amazon.nova-lite-v1:0",
                         .top = "state: {directory: \"" + directory.path().string() + "\"}\n"};
  start(answers_dearly, setup);
  expect_primarys_answer(converse("hi"));
  ASSERT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().compared, 1U);
  const double spent = proxy->server().shadow_account("route")->spent_today();
  EXPECT_GT(spent, 0.5);
  client.reset();
  proxy.reset();
  launch(setup);
  expect_primarys_answer(converse("hi again"));
  ASSERT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().dropped["budget"], 1U);
  EXPECT_DOUBLE_EQ(proxy->server().shadow_account("route")->spent_today(), spent);
  proxy.reset();
}

}  // namespace
}  // namespace understudy::testing_support
