#include "proxy/model_book.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::proxy {
namespace {

using metrics::ModelGone;
using routing::Variant;
using namespace std::chrono_literals;

const ModelBook::Time kNow{1'800'000'000s};

metrics::Observation answered(std::string model, int status, std::string what = "") {
  metrics::Observation seen;
  seen.model_id = std::move(model);
  seen.status = status;
  seen.error_class = status == 200 ? metrics::ErrorClass::ok
                                   : (status == 429 ? metrics::ErrorClass::throttled
                                                    : metrics::ErrorClass::client_error);
  seen.error_message = std::move(what);
  return seen;
}

TEST(ModelBook, RemembersWhatEachModelAnsweredLast) {
  ModelBook book;
  book.note("r", answered("a.b", 200), kNow);
  book.note("r", answered("a.b", 429), kNow + 5s);
  const auto known = book.entries();
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known[0].answers, 2U);
  EXPECT_EQ(known[0].last_success, kNow);
  EXPECT_EQ(known[0].last_seen, kNow + 5s);
  EXPECT_EQ(known[0].problem, "throttled");
  EXPECT_TRUE(book.answered_before("r", "a.b"));
  EXPECT_FALSE(book.answered_before("other", "a.b"));
  EXPECT_FALSE(book.answered_before("r", "a.c"));
}

TEST(ModelBook, KnowsThatAModelIsGoneUntilItAnswersAgain) {
  ModelBook book;
  const std::string invalid = "The provided model identifier is invalid.";
  book.note("r", answered("a.b", 400, invalid), kNow);
  EXPECT_FALSE(book.entries()[0].gone) << "a typo reads the same";
  book.note("r", answered("a.b", 200), kNow);
  book.note("r", answered("a.b", 400, invalid), kNow + 1s);
  EXPECT_EQ(book.entries()[0].gone, ModelGone::ended);
  EXPECT_EQ(book.entries()[0].problem, "gone");
  book.note("r", answered("a.b", 200), kNow + 2s);
  EXPECT_FALSE(book.entries()[0].gone);
}

TEST(ModelBook, KeepsNoMoreThanItsBound) {
  ModelBook book;
  for (std::size_t i = 0; i < ModelBook::kMaxEntries + 7; ++i)
    book.note("r", answered("a.m" + std::to_string(i), 200), kNow);
  EXPECT_EQ(book.entries().size(), ModelBook::kMaxEntries);
  EXPECT_EQ(book.left_out(), 7U);
}

TEST(ModelBook, LetsModelsThatNeverAnsweredMakeRoom) {
  ModelBook book;
  book.note("r", answered("a.first", 200), kNow);
  for (std::size_t i = 0; i < ModelBook::kMaxEntries + 7; ++i)
    book.note("r", answered("a.m" + std::to_string(i), 404), kNow + std::chrono::seconds(i));
  book.note("r", answered("a.last", 200), kNow);
  EXPECT_EQ(book.entries().size(), ModelBook::kMaxEntries);
  EXPECT_TRUE(book.answered_before("r", "a.first"));
  EXPECT_TRUE(book.answered_before("r", "a.last"));
  EXPECT_EQ(book.left_out(), 0U);
}

TEST(ModelBook, AnAnswerThatBeganBeforeTheEndSaysNothingAgainstIt) {
  ModelBook book;
  book.note_gone("r", Variant::primary, "a.b", ModelGone::ended, kNow);
  metrics::Observation slow = answered("a.b", 200);
  slow.total = 60s;
  book.note("r", slow, kNow + 10s);
  EXPECT_EQ(book.entries()[0].gone, ModelGone::ended);
  EXPECT_EQ(book.entries()[0].problem, "gone");
  slow.total = 1s;
  book.note("r", slow, kNow + 10s);
  EXPECT_FALSE(book.entries()[0].gone);
  EXPECT_EQ(book.entries()[0].problem, "");
}

TEST(GoneModels, AreSparedButForARequestNowAndThen) {
  GoneModels gone;
  const GoneModels::Time now{};
  EXPECT_EQ(gone.ask("u", "a.b", now), std::nullopt);
  EXPECT_TRUE(gone.add("u", "a.b", ModelGone::ended, now));
  EXPECT_FALSE(gone.add("u", "a.b", ModelGone::ended, now)) << "known already";
  EXPECT_EQ(gone.ask("u", "a.b", now + 1s), ModelGone::ended);
  EXPECT_EQ(gone.ask("u", "a.c", now + 1s), std::nullopt);
  EXPECT_EQ(gone.ask("v", "a.b", now + 1s), std::nullopt);

  const auto later = now + GoneModels::kTryAgain;
  EXPECT_EQ(gone.ask("u", "a.b", later), std::nullopt) << "this one tries it";
  EXPECT_EQ(gone.ask("u", "a.b", later), ModelGone::ended) << "and no other";
}

TEST(GoneModels, ComeBackWhenTheyAnswer) {
  GoneModels gone;
  gone.add("u", "a.b", ModelGone::locked_out, {});
  EXPECT_TRUE(gone.any());
  EXPECT_FALSE(gone.remove("u", "a.b", GoneModels::Time{} - 1s)) << "asked before it went";
  EXPECT_TRUE(gone.remove("u", "a.b", GoneModels::Time{}));
  EXPECT_FALSE(gone.remove("u", "a.b", GoneModels::Time{}));
  EXPECT_FALSE(gone.any());
}

TEST(GoneModels, AreKnownWithoutUsingUpTheNextTry) {
  GoneModels gone;
  const GoneModels::Time now{};
  EXPECT_FALSE(gone.knows("u", "a.b", now));
  gone.add("u", "a.b", ModelGone::ended, now);
  const auto later = now + GoneModels::kTryAgain;
  EXPECT_TRUE(gone.knows("u", "a.b", now));
  EXPECT_FALSE(gone.knows("u", "a.b", later));
  EXPECT_EQ(gone.ask("u", "a.b", later), std::nullopt) << "still to be tried";
}

TEST(GoneModels, AreBounded) {
  GoneModels gone;
  for (std::size_t i = 0; i < GoneModels::kMaxModels + 3; ++i)
    gone.add("u", "a.m" + std::to_string(i), ModelGone::ended, {});
  EXPECT_EQ(gone.entries().size(), GoneModels::kMaxModels);
}

}  // namespace
}  // namespace understudy::proxy
