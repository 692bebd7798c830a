// Which copies are also asked of the primary a second time: `control_percent: auto`.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "metrics/evidence/evidence_files.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {
namespace {

using metrics::RouteEvidence;

class AutomaticControls : public testing::Test {
 protected:
  void start() {
    proxy = std::make_unique<ProxyUnderTest>(
        ProxySetup{.primary_port = primary->port(),
                   .candidate_port = candidate->port(),
                   .shadow = "percent: 100, control_percent: auto, max_in_flight: 200",
                   .top = "state: {directory: \"" + state.path().string() + "\"}\n"});
    client = std::make_unique<RawClient>(proxy->port());
  }
  // An earlier process saw that many triples of a family.
  void before(std::string_view family, int triples) {
    start();
    RouteEvidence evidence(proxy->server().snapshot()->experiments[0],
                           std::chrono::system_clock::now());
    proxy.reset();
    const metrics::Comparison nothing;
    const metrics::Observation served, other;
    for (int i = 0; i < triples; ++i) {
      evidence.record_pair(family, {nothing, served, other}, std::chrono::system_clock::now());
      evidence.record_triple(family, nothing, nothing);
    }
    ASSERT_EQ(metrics::EvidenceFiles(state.path()).save("route", evidence), "");
    start();
    ASSERT_TRUE(eventually([&] { return proxy->server().evidence("route") != nullptr; }));
  }
  void ask(const std::string& family, int times) {
    for (int i = 0; i < times; ++i) {
      const std::string text = family + " number " + std::to_string(i);
      EXPECT_EQ(client->ask(converse(text, "x-understudy-family: " + family + "\r\n")).status, 200);
    }
  }
  std::uint64_t triples_of(std::string_view family) const {
    const auto evidence = proxy->server().evidence("route");
    const auto found = evidence->families().find(family);
    return found == evidence->families().end() ? 0 : found->second.triples;
  }

  ScratchDirectory state;
  std::unique_ptr<FakeBedrock> primary = FakeBedrock::replies(converse_answer("this"));
  std::unique_ptr<FakeBedrock> candidate = FakeBedrock::replies(converse_answer("that"));
  std::unique_ptr<ProxyUnderTest> proxy;
  std::unique_ptr<RawClient> client;
};

TEST_F(AutomaticControls, GoWithEveryCopyOfARareFamilyAndNotAgainWithAllAfterARestart) {
  before("letters", 600);  // with nothing that differs, all noise gates are safe
  ask("letters", 40);
  ask("contracts", 40);
  ASSERT_TRUE(proxy->books_balance(80));
  EXPECT_TRUE(eventually([&] { return triples_of("contracts") == 40; })) << triples_of("contracts");
  EXPECT_LT(triples_of("letters"), 610u) << "2 % of 40";
  EXPECT_LT(proxy->server().evidence("route")->pooled().triples, 620u)
      << "what is asked for a family alone is no sample of all";
}

TEST_F(AutomaticControls, GoWithEveryCopyWhileTheRouteHasTooFew) {
  before("letters", 10);
  ask("letters", 20);
  ASSERT_TRUE(proxy->books_balance(20));
  EXPECT_TRUE(eventually([&] { return triples_of("letters") == 30; })) << triples_of("letters");
  EXPECT_EQ(proxy->server().evidence("route")->pooled().triples, 30u);
}

}  // namespace
}  // namespace understudy::testing_support
