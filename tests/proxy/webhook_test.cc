#include "proxy/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "proxy/digest.h"
#include "routing/config_values.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::proxy {
namespace {

using testing::HasSubstr;
using testing_support::eventually;
using testing_support::FakeBedrock;
using testing_support::FakePeer;
using testing_support::FakeRequest;
using namespace std::chrono_literals;

routing::WebhookConfig to(std::uint16_t port) {
  routing::WebhookConfig config;
  config.url = *routing::parse_endpoint("http://127.0.0.1:" + std::to_string(port) + "/hook").value;
  config.secret_env = "HOOK_SECRET";
  config.timeout = 5s;
  config.retries = 2;
  return config;
}

std::optional<std::string> environment(std::string_view name) {
  if (name == "HOOK_SECRET") return "the secret of both";
  return std::nullopt;
}

Event rolled_back(std::uint64_t id = 7) {
  return {.kind = "rollout", .route = "sonnet", .text = "it is back", .warning = true, .id = id};
}

TEST(Webhook, PostsAnEventThatWhoHasTheSecretCanCheck) {
  const auto receiver = FakeBedrock::replies("{}");
  Webhook webhook(environment, 1ms);
  webhook.offer(rolled_back());  // nobody wants it yet
  webhook.apply(to(receiver->port()));
  webhook.offer(rolled_back());
  const FakeRequest got = receiver->request(0);
  EXPECT_EQ(got.method(), "POST");
  EXPECT_EQ(got.target(), "/hook");
  EXPECT_EQ(got.field("x-understudy-event-id"), "7");
  EXPECT_THAT(got.body, HasSubstr("\"text\":\"it is back\""));
  const std::string signed_text = got.field("x-understudy-timestamp") + "." + got.body;
  EXPECT_EQ(got.field("x-understudy-signature"),
            "sha256=" + hmac_sha256_hex("the secret of both", signed_text));
  EXPECT_TRUE(eventually([&] { return webhook.counts().delivered == 1; }));
  EXPECT_EQ(receiver->count(), 1u);
}

TEST(Webhook, TriesAgainWhereTheReceiverFailsAndCountsWhatIsLost) {
  std::atomic<int> asked{0};
  FakeBedrock receiver([&](const FakeRequest&, FakePeer& peer) {
    const int number = ++asked;
    peer.send(testing_support::answer("{}", number == 3 ? "202 Accepted" : "500 Broken"));
    peer.close();
  });
  Webhook webhook(environment, 1ms);
  webhook.apply(to(receiver.port()));
  webhook.offer(rolled_back());
  EXPECT_TRUE(eventually([&] { return webhook.counts().delivered == 1; }));
  EXPECT_EQ(asked, 3);
  webhook.offer(rolled_back());
  EXPECT_TRUE(eventually([&] { return webhook.counts().failed == 1; }));
  EXPECT_EQ(asked, 6);
}

TEST(Webhook, DropsWhatFindsNoRoomAndDelaysNobody) {
  const auto receiver = FakeBedrock::never_replies();
  Webhook webhook(environment, 1ms);
  auto config = to(receiver->port());
  config.timeout = 300ms;
  config.retries = 0;
  webhook.apply(config);
  for (std::uint64_t i = 0; i < Webhook::kMaxQueued + 10; ++i) webhook.offer(rolled_back(i));
  EXPECT_GE(webhook.counts().dropped, 9u);
  EXPECT_THAT(webhook_exposition(webhook.counts()),
              HasSubstr("understudy_webhook_total{result=\"dropped\"}"));
}

TEST(Webhook, SendsNothingWithoutItsSecret) {
  const auto receiver = FakeBedrock::replies("{}");
  Webhook webhook([](std::string_view) { return std::nullopt; }, 1ms);
  webhook.apply(to(receiver->port()));
  webhook.offer(rolled_back());
  EXPECT_TRUE(eventually([&] { return webhook.counts().failed == 1; }));
  EXPECT_EQ(receiver->count(), 0u);
}

// RFC 4231, test case 2.
TEST(Digest, AuthenticatesAsHmacSha256Does) {
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace understudy::proxy
