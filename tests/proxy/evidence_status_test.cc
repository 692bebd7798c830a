#include "proxy/evidence_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;

metrics::Comparison sharing(double share) {
  metrics::Finding shared;
  shared.signal = metrics::Signal::containment;
  shared.value = share;
  return {.findings = {shared}};
}

TEST(EvidenceStatus, TellsHowFarFamiliesAreFromThePrimaryBeyondItsOwnSpread) {
  RouteEvidence evidence("one", {});
  for (int i = 0; i < 40; ++i) evidence.record_triple("letters", sharing(.3), sharing(.7));
  evidence.record_triple("a rare one", sharing(.3), sharing(.7));
  const auto told = describe_evidence(&evidence)["containment"];
  EXPECT_EQ(told["triples"], 41);
  ASSERT_EQ(told["families"].size(), 1U) << "of one triple nothing is known";
  const auto& letters = told["families"][0];
  EXPECT_EQ(letters["family"], "letters");
  EXPECT_NEAR(letters["own_median"].get<double>(), .7, .02);
  EXPECT_NEAR(letters["excess"].get<double>(), .4, .03);
  EXPECT_LT(letters["interval"][0], letters["interval"][1]);
}

TEST(EvidenceStatus, TellsNothingOfContainmentBeforeItIsKnown) {
  const auto told = describe_evidence(nullptr)["containment"];
  EXPECT_EQ(told["triples"], 0);
  EXPECT_TRUE(told["own_median"].is_null() && told["excess"].is_null());
  EXPECT_TRUE(told["families"].empty());
}

}  // namespace
}  // namespace understudy::proxy
