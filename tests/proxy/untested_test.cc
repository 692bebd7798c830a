#include "proxy/untested.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

using metrics::RouteEvidence;
using testing::ElementsAre;
using testing::HasSubstr;

class Untested : public testing::Test {
 protected:
  void pair(std::string_view language) {
    metrics::Observation answer;
    answer.answer.parsed = true;
    evidence_.record_pair("letters",
                          {.comparison = metrics::Comparison{},
                           .served = answer,
                           .other = answer,
                           .language = language},
                          {});
  }
  std::vector<std::string> told() const { return untested(route_, counts_, signals_, &evidence_); }

  routing::RouteConfig route_;
  metrics::RouteCounts counts_;
  std::map<metrics::Signal, metrics::SignalCounts> signals_;
  RouteEvidence evidence_{"one", {}};
};

TEST_F(Untested, IsNothingToTellOfBeforeThereIsAPair) {
  EXPECT_TRUE(told().empty());
  EXPECT_TRUE(untested(route_, counts_, signals_, nullptr).empty());
}

TEST_F(Untested, AreTheLanguagesThatNoAnswerIsIn) {
  pair("");
  EXPECT_THAT(told(), ElementsAre("Languages: that of no answer could be told."));
  pair("en");
  pair("en");
  pair("fi");
  EXPECT_THAT(told(), ElementsAre(HasSubstr("could be told: en (2), fi (1).")));
}

TEST_F(Untested, IsWhatTheCandidatesOwnToolCallsLeadTo) {
  pair("en");
  signals_[metrics::Signal::tool_agreement].pairs = 3;
  EXPECT_THAT(told(), ElementsAre(HasSubstr("own tool calls"), HasSubstr("languages")));
}

TEST_F(Untested, AreSizesThatAreNotCopied) {
  pair("en");
  counts_.eligible = 200;
  counts_.skipped["too_large"] = 5;
  route_.shadow.max_body_bytes = 1'000;
  EXPECT_THAT(told(),
              ElementsAre("Requests of more than 1000 bytes (shadow.max_body_bytes): 5, 2.50 % of "
                          "all.",
                          HasSubstr("languages")));
}

TEST(Reproduction, IsALineThatJudgesTheEvidenceOnceMore) {
  EXPECT_EQ(reproduction("sonnet"),
            "curl -s ADMIN/api/routes/sonnet/evidence > evidence-sonnet.json && understudy verdict "
            "--config CONFIG --evidence evidence-sonnet.json --route sonnet");
}

}  // namespace
}  // namespace understudy::proxy
