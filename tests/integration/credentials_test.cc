// Credentials that are fetched, on the way of requests: what clients see while there are none, when
// they come, and when they end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/credential_report.h"
#include "tests/support/fake_aws.h"
#include "tests/support/http_text.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using testing::HasSubstr;

constexpr std::string_view kFetched =
    "source: container, timeout: 200ms";  // from AWS_CONTAINER_CREDENTIALS_FULL_URI

class FetchedCredentials : public testing::Test {
 protected:
  std::string setup() const {
    return ProxySetup{.primary_port = primary_->port(),
                      .candidate_port = candidate_->port(),
                      .primary_credentials = primary_credentials_,
                      .candidate_credentials = candidate_credentials_}
        .text();
  }
  void start() {
    proxy_ = std::make_unique<ProxyUnderTest>(
        setup(),
        [url = aws_.url("/container")](std::string_view name) {
          return name == "AWS_CONTAINER_CREDENTIALS_FULL_URI" ? std::optional(url) : std::nullopt;
        },
        [this] { return clock_.now(); });
  }
  proxy::CredentialReport report(std::size_t upstream = 0) {
    return proxy::report_credentials(*proxy_->server().snapshot()).at(upstream);
  }
  bool reaches(proxy::aws::CredentialState state, std::size_t upstream = 0) {
    return eventually([&] { return report(upstream).status.state == state; });
  }
  // With what the source gave at first.
  void expect_all_signed(std::size_t requests) const {
    EXPECT_EQ(primary_->count(), requests);
    for (const FakeRequest& request : primary_->requests()) {
      EXPECT_THAT(request.field("authorization"), HasSubstr("Credential=CONTAINER./"));
      EXPECT_EQ(request.field("x-amz-security-token"), "token");
    }
  }
  void advance(std::chrono::seconds by) {
    clock_.advance(by);
    proxy_->keeper().look();
  }

  FakeClock clock_;
  FakeAws aws_;
  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies(converse_answer("primary"));
  std::unique_ptr<FakeBedrock> candidate_ = FakeBedrock::replies(converse_answer("candidate"));
  std::string primary_credentials_{kFetched};
  std::string candidate_credentials_ = "source: none";
  std::unique_ptr<ProxyUnderTest> proxy_;
};

using State = proxy::aws::CredentialState;

TEST_F(FetchedCredentials, SignRequestsOnceTheyAreThere) {
  start();
  ASSERT_TRUE(reaches(State::valid));
  RawClient client(proxy_->port());
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("primary"));
  EXPECT_THAT(primary_->request(0).field("authorization"), HasSubstr("Credential=CONTAINER./"));
  EXPECT_EQ(primary_->request(0).field("x-amz-security-token"), "token");
}

TEST_F(FetchedCredentials, MissingForThePrimaryAre503WithTheReason) {
  aws_.answer_with("hang");
  start();
  RawClient client(proxy_->port());
  const auto early = client.ask(converse("hi"));
  EXPECT_EQ(early.status, 503);
  EXPECT_THAT(early.body, HasSubstr("no valid credentials for the upstream primary (fetching)"));
  EXPECT_FALSE(proxy::credential_readiness(*proxy_->server().snapshot()).ready);
  ASSERT_TRUE(reaches(State::missing));
  const auto late = client.ask(converse("hi"));
  EXPECT_EQ(late.status, 503);
  EXPECT_THAT(late.body, HasSubstr("(missing)"));
  EXPECT_THAT(late.head, HasSubstr("x-understudy-error: credentials"));
  EXPECT_EQ(primary_->count(), 0U);
  const auto readiness = proxy::credential_readiness(*proxy_->server().snapshot());
  EXPECT_FALSE(readiness.ready);
  EXPECT_THAT(readiness.lacking, HasSubstr("upstream primary: no credentials from container"));

  aws_.answer_with("");
  EXPECT_TRUE(eventually([&] {
    advance(10s);
    return report().status.state == State::valid;
  }));
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  EXPECT_TRUE(proxy::credential_readiness(*proxy_->server().snapshot()).ready);
}

TEST_F(FetchedCredentials, MissingForTheCandidateCostThePrimaryNothing) {
  aws_.answer_with(answer("<html>", "200 OK"));
  std::swap(primary_credentials_, candidate_credentials_);
  start();
  ASSERT_TRUE(reaches(State::missing, 1));
  RawClient client(proxy_->port());
  EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("primary"));
  EXPECT_TRUE(proxy_->books_balance(1));
  EXPECT_EQ(proxy_->counts().failed["credentials"], 1U) << proxy_->books();
  EXPECT_EQ(candidate_->count(), 0U);
  EXPECT_TRUE(proxy::credential_readiness(*proxy_->server().snapshot()).ready)
      << "clients are served";
}

TEST_F(FetchedCredentials, ThatEndDoNotEndTheStreamTheyBegan) {
  Gate expired;
  primary_ = std::make_unique<FakeBedrock>([&](const FakeRequest&, FakePeer& peer) {
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + as_chunk("first "));
    expired.wait();
    peer.send(as_chunk("second") + "0\r\n\r\n");
  });
  start();
  ASSERT_TRUE(reaches(State::valid));
  RawClient streaming(proxy_->port());
  streaming.send(converse("hi"));
  ASSERT_TRUE(primary_->wait_for_requests(1));
  aws_.answer_with("hang");
  advance(61min);
  ASSERT_TRUE(reaches(State::expired));
  RawClient other(proxy_->port());
  const auto refused = other.ask(converse("hi"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("(expired)"));
  expired.open();
  EXPECT_THAT(streaming.receive().body, HasSubstr("second"));
}

// The source is asked to renew what ends soon, and its answer never comes: no request waits for it,
// for the source's time is longer than a client's patience here.
TEST_F(FetchedCredentials, ThatAreValidSignWhileTheirSourceHangs) {
  primary_credentials_ = "source: container, timeout: 5m";
  start();
  ASSERT_TRUE(reaches(State::valid));
  aws_.answer_with("hang");
  for (const auto by : {46min, 5min}) {
    advance(by);  // a quarter of an hour before their end, and then when it is high time
    ASSERT_TRUE(eventually([&] { return aws_.count("/container") == 2; }));
    for (int turn = 0; turn < 20; ++turn) {
      RawClient client(proxy_->port());
      EXPECT_EQ(client.ask(converse("hi")).body, converse_answer("primary"));
      EXPECT_EQ(client.ask(converse("hi")).status, 200);
    }
  }
  EXPECT_EQ(aws_.count("/container"), 2U) << "and it is that one request that hangs still";
  EXPECT_EQ(report().status.refreshes, 1U);
  EXPECT_EQ(report().status.failures, 0U);
  expect_all_signed(80);
}

TEST_F(FetchedCredentials, ThatAreValidSignWhileTheirSourceAnswersHtml) {
  start();
  ASSERT_TRUE(reaches(State::valid));
  aws_.answer_with(answer("<html><body>Please log in</body></html>"));
  std::uint64_t failures = 0;
  for (const auto by : {46min, 5min}) {
    advance(by);
    ++failures;
    ASSERT_TRUE(eventually([&] { return report().status.failures == failures; }));
    RawClient client(proxy_->port());
    for (int turn = 0; turn < 20; ++turn) EXPECT_EQ(client.ask(converse("hi")).status, 200);
  }
  EXPECT_EQ(report().status.refreshes, 1U);
  EXPECT_TRUE(reaches(State::late));
  expect_all_signed(40);
}

TEST_F(FetchedCredentials, AReloadKeepsWhatItDoesNotChange) {
  start();
  ASSERT_TRUE(reaches(State::valid));
  const auto before = proxy_->server().snapshot();
  candidate_credentials_ = "source: static, access_key_id: A, secret_access_key: s";
  const auto after = proxy_->snapshot_of(setup());
  ASSERT_TRUE(after);
  EXPECT_EQ(before->upstreams[0]->credentials->slot, after->upstreams[0]->credentials->slot);
  EXPECT_NE(before->upstreams[1]->credentials->slot, after->upstreams[1]->credentials->slot);
}

TEST_F(FetchedCredentials, AReloadToASourceThatGivesNothingIsRefused) {
  std::swap(primary_credentials_, candidate_credentials_);
  candidate_credentials_ = "source: none";
  start();
  aws_.answer_with("hang");
  primary_credentials_ = kFetched;
  proxy::SnapshotResult made{.snapshot = proxy_->snapshot_of(setup()), .problems = {}};
  proxy::require_new_credentials(made, *proxy_->server().snapshot(), proxy_->keeper(), kPatience);
  EXPECT_FALSE(made.snapshot);
  ASSERT_EQ(made.problems.size(), 1U);
  EXPECT_THAT(made.problems[0], HasSubstr("upstreams.primary.credentials: none from container"));
  EXPECT_THAT(made.problems[0], HasSubstr("no whole answer within credentials.timeout"));
}

}  // namespace
}  // namespace understudy
