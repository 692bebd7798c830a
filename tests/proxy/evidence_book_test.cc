#include "proxy/evidence_book.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "metrics/evidence/evidence_files.h"
#include "metrics/json_reader.h"
#include "metrics/verdict.h"

namespace understudy::proxy {
namespace {

using metrics::Comparison;
using metrics::Observation;
using namespace std::chrono_literals;

class EvidenceBookTest : public testing::Test {
 protected:
  EvidenceBookTest()
      : directory_(std::filesystem::path(testing::TempDir()) /
                   ("evidence-" + std::to_string(getpid()) + "-" +
                    testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(directory_);
    served_.answer.parsed = other_.answer.parsed = true;
    served_.answer.text = other_.answer.text = "An answer.";
    other_.variant = routing::Variant::candidate;
  }
  ~EvidenceBookTest() override { std::filesystem::remove_all(directory_); }

  ExperimentContext context(std::string_view experiment = "one",
                            std::uint64_t generation = 0) const {
    return {"sonnet", experiment, rules_, nullptr, generation};
  }
  bool record(EvidenceBook& book, std::string_view body, std::string_view experiment = "one") {
    return book.record_pair(context(experiment), "invoices", body,
                            {.comparison = comparison_, .served = served_, .other = other_});
  }
  static std::string body(int n) {
    return R"({"messages":[{"role":"user","content":")" + std::to_string(n) + R"("}]})";
  }
  // What readers see once it has been published.
  static std::shared_ptr<const metrics::RouteEvidence> shown(EvidenceBook& book,
                                                             std::uint64_t pairs) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline) {
      book.publish();
      const auto evidence = book.evidence("sonnet");
      if (evidence && evidence->pooled().pairs == pairs) return evidence;
      std::this_thread::sleep_for(1ms);
    }
    return nullptr;
  }
  std::filesystem::path file() const { return directory_ / "evidence-sonnet.json"; }

  const std::filesystem::path directory_;
  routing::VerdictConfig rules_;
  Comparison comparison_;
  Observation served_, other_;
};

TEST_F(EvidenceBookTest, ShowsWhatWasRecorded) {
  EvidenceBook book("");
  EXPECT_FALSE(book.evidence("sonnet"));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(record(book, body(i)));
  const auto evidence = shown(book, 5);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->families().at("invoices").pairs, 5u);
  EXPECT_EQ(evidence->experiment(), "one");
}

TEST_F(EvidenceBookTest, CountsAConversationOnceAnHour) {
  EvidenceBook book("");
  EXPECT_TRUE(record(book, body(1)));
  const std::string next_turn =
      R"({"messages":[{"role":"user","content":"1"},{"role":"assistant","content":"x"},)"
      R"({"role":"user","content":"more"}]})";
  EXPECT_FALSE(record(book, next_turn));
  EXPECT_FALSE(record(book, body(1)));
  EXPECT_TRUE(record(book, body(2)));
  const auto evidence = shown(book, 2);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->repeats(), 2u);
}

TEST_F(EvidenceBookTest, BeginsAStageWhetherPairsCameBeforeOrNot) {
  EvidenceBook book(directory_);
  std::thread([&] { book.begin_stage("sonnet", "5 %"); }).join();  // any thread may
  for (int i = 0; i < 3; ++i) record(book, body(i));
  auto evidence = shown(book, 3);
  ASSERT_TRUE(evidence && evidence->stage());
  EXPECT_EQ(evidence->stage()->name, "5 %");
  EXPECT_EQ(evidence->pooled().stage.gate(0).candidate_pairs, 3u);
  book.begin_stage("sonnet", "10 %");
  record(book, body(10));
  evidence = shown(book, 4);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->stage()->ordinal, 2);
  EXPECT_EQ(evidence->pooled().stage.gate(0).candidate_pairs, 1u);
}

TEST_F(EvidenceBookTest, GoesOnWithItsStageAfterARestart) {
  {
    EvidenceBook book(directory_);
    book.begin_stage("sonnet", "5 %");
    for (int i = 0; i < 3; ++i) record(book, body(i));
  }
  EvidenceBook book(directory_);
  book.begin_stage("sonnet", "5 %");
  record(book, body(10));
  const auto evidence = shown(book, 4);
  ASSERT_TRUE(evidence && evidence->stage());
  EXPECT_EQ(evidence->stage()->ordinal, 1);
  EXPECT_EQ(evidence->pooled().stage.gate(0).candidate_pairs, 4u);
}

TEST_F(EvidenceBookTest, GoesOnAfterARestart) {
  {
    EvidenceBook book(directory_);
    for (int i = 0; i < 3; ++i) record(book, body(i));
  }
  EXPECT_TRUE(std::filesystem::exists(file()));
  EvidenceBook book(directory_);
  record(book, body(10));
  EXPECT_TRUE(shown(book, 4));
}

TEST_F(EvidenceBookTest, ShowsWhatWasSavedBeforeTheFirstPairComes) {
  {
    EvidenceBook book(directory_);
    for (int i = 0; i < 5; ++i) record(book, body(i));
  }
  EvidenceBook book(directory_);
  book.take_up(context("another"));
  book.take_up(context());
  const auto evidence = shown(book, 5);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->experiment(), "one");
  record(book, body(9));
  EXPECT_TRUE(shown(book, 6)) << "and goes on from there";
  book.take_up(context());
  EXPECT_TRUE(shown(book, 6)) << "what is known already is not read again";
}

TEST_F(EvidenceBookTest, LeavesWhatAnotherExperimentSavedAloneUntilAPairComes) {
  {
    EvidenceBook book(directory_);
    record(book, body(1));
  }
  EvidenceBook book(directory_);
  book.take_up(context("another"));
  book.publish();
  EXPECT_FALSE(book.evidence("sonnet"));
  EXPECT_TRUE(std::filesystem::exists(file())) << "a config that comes back finds it again";
}

TEST_F(EvidenceBookTest, RemembersWhatAFamilysAnswersAreLikeAfterARestart) {
  served_.answer.text = R"({"total": 3})";
  {
    EvidenceBook book(directory_);
    for (int i = 0; i < 20; ++i) {
      record(book, body(i));
      book.learn(context(), "invoices", served_, metrics::TextTraits{served_.answer.text});
    }
  }
  EvidenceBook book(directory_);
  EXPECT_EQ(book.profile(context(), "invoices")->answers(), 20u);
  EXPECT_TRUE(book.profile(context(), "invoices")->container().has_value());
  EXPECT_EQ(book.profile(context(), "another")->answers(), 0u);
}

TEST_F(EvidenceBookTest, FindsTheFamiliesItHadMinedAfterARestart) {
  const auto family_of = [&](EvidenceBook& book, int n) {
    metrics::JsonParser parser;
    const std::string request =
        R"({"messages":[{"role":"user","content":"Translate the customer's letter below into )"
        R"(plain English and keep its tone, please: )" +
        std::string(static_cast<std::size_t>(n) + 1, 'x') + R"("}]})";
    return book.family(context(), "", "anthropic.claude-sonnet-5", parser.parse(request));
  };
  std::string name;
  {
    EvidenceBook book(directory_);
    for (int i = 0; i < 20; ++i) name = family_of(book, i);
    record(book, body(1));
  }
  ASSERT_TRUE(name.starts_with("mined-")) << name;
  {
    EvidenceBook book(directory_);
    EXPECT_EQ(family_of(book, 30), name) << "with its first request";
  }
  std::ofstream(directory_ / "families-sonnet.json") << "no families";
  EvidenceBook book(directory_);
  EXPECT_EQ(family_of(book, 31), "");
  EXPECT_TRUE(std::filesystem::exists(directory_ / "families-sonnet.json.damaged"));
}

TEST_F(EvidenceBookTest, ShowsALineOfMinedFamiliesOnlyWhereTextMayBeKept) {
  const std::string line = "Translate the customer's letter below into plain English, please.";
  EvidenceBook book(directory_);
  ExperimentContext open = context();
  std::string name;
  const auto ask = [&](bool keeps_text, int times) {
    open.keeps_text = keeps_text;
    for (int i = 0; i < times; ++i) {
      metrics::JsonParser parser;
      const std::string request = R"({"messages":[{"role":"user","content":")" + line + " " +
                                  std::string(static_cast<std::size_t>(i) + 1, 'x') + R"("}]})";
      name = book.family(open, "", "anthropic.claude-sonnet-5", parser.parse(request));
    }
    book.show_family_lines();
  };
  ask(false, 60);
  EXPECT_FALSE(book.family_lines("sonnet"));
  ask(true, 60);
  ASSERT_TRUE(book.family_lines("sonnet"));
  EXPECT_EQ(book.family_lines("sonnet")->at(name), line);
  ask(false, 1);
  EXPECT_FALSE(book.family_lines("sonnet")) << "the config forbids it now";
}

TEST_F(EvidenceBookTest, SetsDamagedProfilesAsideAndLearnsAnew) {
  {
    EvidenceBook book(directory_);
    record(book, body(1));
  }
  const auto profiles = directory_ / "profiles-sonnet.json";
  std::ofstream(profiles) << R"({"version":1,"experiment":"one","families":{"invoices":{}}})";
  EvidenceBook book(directory_);
  EXPECT_EQ(book.profile(context(), "invoices")->answers(), 0u);
  EXPECT_TRUE(std::filesystem::exists(profiles.string() + ".damaged"));
  record(book, body(2));
  EXPECT_TRUE(shown(book, 2)) << "the evidence goes on";
}

TEST_F(EvidenceBookTest, BeginsAnewWhenTheExperimentChangesAndKeepsTheFormerAside) {
  {
    EvidenceBook book(directory_);
    for (int i = 0; i < 3; ++i) record(book, body(i), "one");
  }
  EvidenceBook book(directory_);
  record(book, body(10), "two");
  const auto evidence = shown(book, 1);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->experiment(), "two");
  EXPECT_TRUE(std::filesystem::exists(file().string() + ".one"));
}

TEST_F(EvidenceBookTest, KnowsTheRoutesTrafficFromBeforeTheExperimentChanged) {
  {
    auto former = metrics::RouteEvidence("one", EvidenceBook::Clock::now());
    former.record_traffic(500, 1h, EvidenceBook::Clock::now() - 5h);
    metrics::EvidenceFiles(directory_).save("sonnet", former);
  }
  EvidenceBook book(directory_);
  record(book, body(10), "two");
  auto evidence = shown(book, 1);
  ASSERT_TRUE(evidence && evidence->traffic().peak());
  EXPECT_EQ(evidence->traffic().peak()->requests, 500u);
  EXPECT_FALSE(metrics::saw_peak(*evidence, rules_)) << "its pairs are of now";
  EvidenceBook forgetful("");
  record(forgetful, body(10), "two");
  EXPECT_TRUE(metrics::saw_peak(*shown(forgetful, 1), rules_)) << "nothing is known of a peak";
}

// A reload replaces the experiment while copies of the one before are still on their way.
TEST_F(EvidenceBookTest, PairsOfAReplacedExperimentThatComeLateChangeNothing) {
  EvidenceBook book(directory_);
  const metrics::PairOutcome pair{.comparison = comparison_, .served = served_, .other = other_};
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(book.record_pair(context("one", 1), "invoices", body(i), pair));
  for (int i = 10; i < 15; ++i) {
    EXPECT_TRUE(book.record_pair(context("two", 2), "invoices", body(i), pair));
    const ExperimentContext late = context("one", 1);
    EXPECT_FALSE(book.record_pair(late, "invoices", body(100 + i), pair));
    book.record_triple(late, "invoices", comparison_, comparison_);
    book.record_missing(late);
    book.record_failure(late, "invoices", body(200 + i), {.primary = true, .candidate = {}});
    EXPECT_EQ(book.profile(late, "invoices"), nullptr);
    book.learn(late, "invoices", served_, metrics::TextTraits{served_.answer.text});
  }
  const auto evidence = shown(book, 5);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->experiment(), "two");
  EXPECT_EQ(evidence->pooled().triples + evidence->missing(), 0u);
  EXPECT_EQ(evidence->pooled().gates[metrics::kErrorGate].total(), 5u);
  EXPECT_TRUE(std::filesystem::exists(file().string() + ".one"));
  EXPECT_FALSE(std::filesystem::exists(file().string() + ".two"));
  // A person goes back: that is a config of its own, and its evidence begins anew.
  EXPECT_TRUE(book.record_pair(context("one", 3), "invoices", body(300), pair));
  EXPECT_TRUE(shown(book, 1));
}

TEST_F(EvidenceBookTest, NeverOverwritesWhatItHasSetAside) {
  EvidenceBook book(directory_);
  for (std::uint64_t reload = 0; reload < 5; ++reload) {
    const bool one = reload % 2 == 0;
    EXPECT_TRUE(book.record_pair(context(one ? "one" : "two", reload), "invoices",
                                 body(static_cast<int>(reload)),
                                 {.comparison = comparison_, .served = served_, .other = other_}));
  }
  for (const char* kept : {".one", ".one.2", ".two", ".two.2"})
    EXPECT_TRUE(std::filesystem::exists(file().string() + kept)) << kept;
}

TEST_F(EvidenceBookTest, CountsAFailedExchangeOnceAConversationAndAsNoPair) {
  EvidenceBook book("");
  record(book, body(0));
  for (int attempt = 0; attempt < 3; ++attempt)
    book.record_failure(context(), "invoices", body(1), {.primary = true, .candidate = {}});
  EXPECT_FALSE(record(book, body(1))) << "the SDK's next attempt";
  record(book, body(2));
  const auto evidence = shown(book, 2);
  ASSERT_TRUE(evidence);
  EXPECT_EQ(evidence->repeats(), 3u);
  const metrics::GateCounts& errors =
      evidence->families().at("invoices").gates[metrics::kErrorGate];
  EXPECT_EQ(errors.total(), 3u);
  EXPECT_EQ(errors.primary_pairs, 3u);
  EXPECT_EQ(errors.primary_bad, 1u);
  EXPECT_EQ(errors.candidate_pairs, 2u);
}

TEST_F(EvidenceBookTest, SetsADamagedFileAside) {
  std::filesystem::create_directories(directory_);
  std::ofstream(file()) << "{\"version\":1,";
  EvidenceBook book(directory_);
  record(book, body(1));
  EXPECT_TRUE(shown(book, 1));
  EXPECT_TRUE(std::filesystem::exists(file().string() + ".damaged"));
}

TEST_F(EvidenceBookTest, LivesWithADirectoryThatCannotBeWritten) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ / "state") << "a file where the directory should be";
  EvidenceBook book(directory_ / "state");
  record(book, body(1));
  EXPECT_TRUE(shown(book, 1));
}

TEST_F(EvidenceBookTest, CountsWhatTheCandidateSaysToRequestsItRefusesWithoutWhatTheySay) {
  EvidenceBook book("");
  metrics::Finding refused;
  refused.signal = metrics::Signal::validation_error;
  refused.diverges = refused.other_bad = true;
  comparison_.findings = {refused};
  other_.error_class = metrics::ErrorClass::client_error;
  other_.error_message = "`temperature` is deprecated for this model, Mr. Brahms";
  for (int i = 0; i < 3; ++i) {
    record(book, R"({"messages":[{"role":"user","content":"I am Brahms, )" + std::to_string(i) +
                     R"("}]})");
  }
  const auto evidence = shown(book, 3);
  ASSERT_TRUE(evidence);
  const auto said = evidence->validation_errors().top(5);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].text, "`temperature` is deprecated for this model, Mr. ...");
  EXPECT_EQ(said[0].count, 3u);
  EXPECT_EQ(said[0].families, std::set<std::string>{"invoices"});
}

TEST_F(EvidenceBookTest, WatchesAllTrafficOfARouteFromTheFirstPairOn) {
  const auto recorder = metrics::make_prometheus_recorder();
  metrics::RouteMeter& meter = recorder->route("sonnet");
  for (int i = 0; i < 7; ++i) meter.eligible();
  EvidenceBook book("");
  ExperimentContext watched = context();
  watched.meter = &meter;
  book.profile(watched, "invoices");
  for (int i = 0; i < 40; ++i) meter.eligible();
  for (int i = 0; i < 4; ++i) meter.skipped(routing::SkipReason::primary_failed);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  std::uint64_t requests = 0;
  while (requests == 0 && std::chrono::steady_clock::now() < deadline) {
    book.profile(watched, "invoices");  // what is new is shown
    book.publish();
    const auto evidence = book.evidence("sonnet");
    const auto traffic = evidence ? evidence->traffic().to_json() : nlohmann::json::array();
    if (!traffic.empty()) requests = traffic[0][1].get<std::uint64_t>();
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(requests, 36u) << "answered requests, copied or not";
}

TEST_F(EvidenceBookTest, CountsDroppedCopiesThroughRestarts) {
  for (const std::uint64_t drawn : {10u, 20u}) {
    const auto recorder = metrics::make_prometheus_recorder();
    metrics::RouteMeter& meter = recorder->route("sonnet");
    EvidenceBook book(directory_);
    ExperimentContext watched = context();
    watched.meter = &meter;
    book.take_up(watched);
    book.profile(watched, "invoices");
    for (int i = 0; i < 10; ++i) meter.eligible();
    for (int i = 0; i < 4; ++i) meter.dropped(metrics::DropReason::rate);
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    metrics::CopyCounts copies;
    while (copies.drawn < drawn && std::chrono::steady_clock::now() < deadline) {
      book.profile(watched, "invoices");  // what is new is shown
      book.publish();
      if (const auto evidence = book.evidence("sonnet")) copies = evidence->copies();
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(copies, (metrics::CopyCounts{.drawn = drawn, .dropped = drawn * 4 / 10}));
  }
}

TEST_F(EvidenceBookTest, KeepsAnAlarmOnceItHasPublishedIt) {
  EvidenceBook book("");
  metrics::Finding empty;
  empty.signal = metrics::Signal::empty;
  empty.diverges = empty.other_bad = true;
  comparison_.findings = {empty};
  for (int i = 0; i < 40; ++i) record(book, body(i));
  ASSERT_TRUE(shown(book, 40));
  comparison_.findings[0].other_bad = false;
  comparison_.findings[0].served_bad = true;
  for (int i = 100; i < 180; ++i) record(book, body(i));
  const auto evidence = shown(book, 120);
  ASSERT_TRUE(evidence);
  EXPECT_TRUE(evidence->pooled().alarmed.test(*routing::gate_of("empty")));
}

}  // namespace
}  // namespace understudy::proxy
