#pragma once
// What the tests of copies start from.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {

inline const std::string kPrimaryAnswer = converse_answer("the primary says this");
inline const std::string kCandidateAnswer = converse_answer("the candidate says that");

// Two upstreams with a proxy between them and a client.
class Shadow : public testing::Test {
 protected:
  void start(FakeBedrock::Script candidate_script, ProxySetup setup = {}) {
    primary = FakeBedrock::replies(kPrimaryAnswer);
    candidate = std::make_unique<FakeBedrock>(std::move(candidate_script));
    launch(std::move(setup));
  }
  void start(ProxySetup setup = {}) {
    start([](const FakeRequest&, FakePeer& peer) { peer.send(answer(kCandidateAnswer)); },
          std::move(setup));
  }
  void launch(ProxySetup setup) {
    setup.primary_port = primary->port();
    if (setup.candidate_port == 0) setup.candidate_port = candidate->port();
    proxy = std::make_unique<ProxyUnderTest>(setup);
    client = std::make_unique<RawClient>(proxy->port());
  }
  void expect_primarys_answer(const std::string& request) {
    const Answer got = client->ask(request);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.end, Answer::End::complete);
    EXPECT_EQ(got.body, kPrimaryAnswer);
    EXPECT_EQ(got.field("x-understudy-variant"), "primary");
  }

  std::unique_ptr<FakeBedrock> primary, candidate;
  std::unique_ptr<ProxyUnderTest> proxy;
  std::unique_ptr<RawClient> client;
};

}  // namespace understudy::testing_support
