// When credentials are renewed: before their end, once for all who read, and again after a failure.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "proxy/aws/refresh_policy.h"
#include "tests/proxy/keeper_fixture.h"

namespace understudy::proxy::aws {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::answer;
using testing_support::eventually;
using testing_support::FakeClock;
using Source = routing::CredentialsConfig::Source;

TEST_F(KeeperTest, EqualPlansShareOneFetch) {
  const auto east = use("east");
  const auto west = use("west");
  EXPECT_EQ(east->slot, west->slot);
  EXPECT_EQ(first(west), "IMDS.web-role");
  EXPECT_EQ(aws_.count("/latest/api/token"), 1U);
  EXPECT_THAT(metrics(),
              HasSubstr("credential_refreshes_total{upstream=\"east\",result=\"ok\"} 1"));
  EXPECT_THAT(metrics(),
              HasSubstr("credential_refreshes_total{upstream=\"west\",result=\"ok\"} 1"));
  EXPECT_THAT(metrics(),
              HasSubstr("credential_expiry_timestamp_seconds{upstream=\"west\"} 1800003600"));
}

TEST_F(KeeperTest, OtherCredentialsDoNotShare) {
  const auto one = use();
  config_.role_arn = "arn:aws:iam::1:role/candidate";
  const auto other = use();
  EXPECT_EQ(first(one), "IMDS.web-role");
  EXPECT_EQ(first(other), "STS.candidate.by.IMDS.web-role");
}

TEST_F(KeeperTest, RenewsOnceBeforeTheEndWhileManyRead) {
  const auto made = use();
  first(made);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> without{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      CredentialsReader reader;
      while (!stop) {
        if (reader.read(*made->slot) == nullptr) ++without;
      }
    });
  }
  aws_.expires_at(clock_.now() + 3h);
  advance(44min);
  EXPECT_EQ(aws_.count("/latest/api/token"), 1U) << "more than a quarter of an hour is left";
  advance(2min);
  EXPECT_TRUE(eventually([&] { return made->slot->status().refreshes == 2; }));
  for (int i = 0; i < 50; ++i) keeper_.look();
  advance(1min);
  EXPECT_TRUE(reaches(*made, CredentialState::valid));
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(without, 0U);
  EXPECT_EQ(aws_.count("/latest/api/token"), 2U);
  EXPECT_EQ(made->slot->now().credentials->expires, WallTime(FakeClock::kBegin + 3h));
}

TEST_F(KeeperTest, GoesOnWithValidCredentialsWhileTheSourceHangsAndThenSaysWhatIsMissing) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  config_.timeout = 100ms;
  const auto made = use();
  ASSERT_EQ(first(made), "CONTAINER.");
  aws_.answer_with("hang");
  advance(46min);
  EXPECT_TRUE(eventually([&] { return made->slot->status().failures >= 1; }));
  EXPECT_EQ(made->slot->status().state, CredentialState::valid);
  EXPECT_EQ(id(*made), "CONTAINER.");
  advance(6min);
  EXPECT_TRUE(reaches(*made, CredentialState::late));
  EXPECT_EQ(id(*made), "CONTAINER.") << "they are good until their end";
  advance(10min);
  EXPECT_TRUE(reaches(*made, CredentialState::expired));
  EXPECT_THAT(id(*made), HasSubstr("none: http://127.0.0.1"));
  aws_.answer_with("");
  aws_.expires_at(clock_.now() + 1h);
  EXPECT_TRUE(eventually([&] {
    advance(10s);
    return id(*made) == "CONTAINER.";
  }));
  EXPECT_EQ(made->slot->status().state, CredentialState::valid);
  EXPECT_EQ(made->slot->status().problem, "");
}

TEST_F(KeeperTest, TriesAgainWithAPauseThatGrows) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  aws_.answer_with(answer("", "500 No"));
  const auto made = use();
  first(made);
  for (int i = 0; i < 20; ++i) keeper_.look();
  EXPECT_EQ(made->slot->status().failures, 1U) << "no time has passed";
  for (std::uint64_t tries = 2; tries < 6; ++tries) {
    advance(10s);
    EXPECT_TRUE(eventually([&] { return made->slot->status().failures == tries; }));
  }
}

TEST_F(KeeperTest, AReloadTriesAgainAtOnceWhatFailed) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  aws_.answer_with(answer("", "500 No"));
  const auto made = use();
  first(made);
  aws_.answer_with("");
  const auto again = use();
  EXPECT_EQ(made->slot, again->slot);
  EXPECT_TRUE(eventually([&] { return id(*again) == "CONTAINER."; }));
}

TEST_F(KeeperTest, ExpiredCredentialsOfInstanceMetadataGoOnBeingUsed) {
  aws_.expires_at(clock_.now() - 1h);
  const auto made = use();
  EXPECT_EQ(first(made), "IMDS.web-role");
  const auto expires = *made->slot->now().credentials->expires;
  EXPECT_GE(expires, clock_.now() + 17min);
  EXPECT_LE(expires, clock_.now() + 25min + 1s);
}

TEST_F(KeeperTest, ExpiredCredentialsOfOthersAreRefused) {
  home_.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", aws_.url("/container"));
  aws_.expires_at(clock_.now() - 1h);
  EXPECT_THAT(fetched(), HasSubstr("had ended already"));
}

TEST_F(KeeperTest, KeysOfTheEnvironmentEndWhenTheySay) {
  home_.set("AWS_ACCESS_KEY_ID", "AKID").set("AWS_SECRET_ACCESS_KEY", "key");
  home_.set("AWS_CREDENTIAL_EXPIRATION", "2027-01-15T09:00:00Z");
  const auto made = use();
  EXPECT_EQ(id(*made), "AKID");
  advance(55min);
  EXPECT_TRUE(reaches(*made, CredentialState::late));
  advance(6min);
  EXPECT_TRUE(reaches(*made, CredentialState::expired));
  EXPECT_EQ(made->slot->now().credentials, nullptr);
}

TEST_F(KeeperTest, ABearerKeyThatHasEndedIsToldAndStillSent) {
  // X-Amz-Date=20270115T080000Z, X-Amz-Expires=3600
  home_.set(
      "AWS_BEARER_TOKEN_BEDROCK",
      "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9YLUFtei1EYXRlPTIwMjcwMTE1VDA4MDAwMFomWC1"
      "BbXotRXhwaXJlcz0zNjAwJlZlcnNpb249MQ==");
  const auto made = use();
  EXPECT_EQ(made->slot->status().state, CredentialState::valid);
  EXPECT_THAT(metrics(),
              HasSubstr("credential_expiry_timestamp_seconds{upstream=\"east\"} 1800003600"));
  advance(61min);
  EXPECT_TRUE(reaches(*made, CredentialState::expired));
  EXPECT_NE(made->slot->now().credentials, nullptr) << "the upstream's own answer tells more";
}

TEST_F(KeeperTest, EndsWhileAFetchHangs) {
  aws_.answer_with("hang");
  config_.timeout = 5min;
  const auto made = use();
  ASSERT_TRUE(aws_.server().wait_for_requests(1));
  config_.source = Source::process;
  config_.command = "sleep 60";
  const auto process = use();
  EXPECT_EQ(process->slot->status().state, CredentialState::fetching);
}

// --- Times

TEST(RefreshPolicy, RenewsAQuarterOfAnHourBeforeTheEndOrAfterHalfOfAShortLife) {
  const WallTime now(FakeClock::kBegin);
  EXPECT_EQ(next_refresh(now, now + 1h), now + 45min);
  EXPECT_EQ(next_refresh(now, now + 12h), now + 12h - 15min);
  EXPECT_EQ(next_refresh(now, now + 15min), now + 450s);
  EXPECT_EQ(next_refresh(now, now - 1h), now);
}

TEST(RefreshPolicy, PausesAreJitteredAndBounded) {
  for (unsigned failures = 1; failures < 100; ++failures) {
    for (const std::uint32_t random : {0u, 1u, 499u, 12'345u, ~0u}) {
      const auto calm = retry_delay(failures, false, random);
      const auto urgent = retry_delay(failures, true, random);
      EXPECT_GE(calm, 500ms);
      EXPECT_LE(calm, 60s);
      EXPECT_LE(urgent, 10s);
    }
  }
  EXPECT_LE(retry_delay(1, false, ~0u), 1s);
  EXPECT_GE(retry_delay(20, false, 0), 30s);
}

TEST(RefreshPolicy, ExtendsWhatEndsSoonBySeventeenToTwentyFiveMinutes) {
  const WallTime now(FakeClock::kBegin);
  EXPECT_EQ(extended_expiry(now, now + 6h, 0), now + 6h);
  for (const std::uint32_t random : {0u, 480u, 481u, ~0u}) {
    const auto extended = extended_expiry(now, now - 1h, random) - now;
    EXPECT_GE(extended, 17min);
    EXPECT_LE(extended, 25min);
  }
}

}  // namespace
}  // namespace understudy::proxy::aws
