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

TEST(ModelBook, TakesAnInvalidIdentifierForTheEndOfAModelWhoseDateHasPassed) {
  ModelBook book;
  const std::string invalid = "The provided model identifier is invalid.";
  const auto dated = [](std::chrono::year year) {
    metrics::Lifecycles::Table table;
    table["a.b"].dates.end_of_life = std::chrono::sys_days(year / 1 / 1);
    return std::make_shared<const metrics::Lifecycles>("2026-11-20", std::move(table));
  };
  book.set_dates(dated(std::chrono::year(2999)));
  EXPECT_FALSE(book.was_good("r", "us.a.b-v1:0"));
  book.set_dates(dated(std::chrono::year(2020)));
  EXPECT_TRUE(book.was_good("r", "us.a.b-v1:0"));
  EXPECT_FALSE(book.was_good("r", "a.c"));
  book.note("r", answered("us.a.b-v1:0", 400, invalid), kNow);
  book.note("r", answered("a.c", 400, invalid), kNow);
  for (const ModelBook::Entry& known : book.entries())
    EXPECT_EQ(known.gone.has_value(), known.model == "us.a.b-v1:0") << known.model;
  book.set_dates(nullptr);
  EXPECT_FALSE(book.was_good("r", "us.a.b-v1:0"));
}

TEST(ModelBook, CountsRequestsThatWereTooLongForTheModelInTheLastHour) {
  ModelBook book;
  const auto last = [&](ModelBook::Time now) { return book.entries()[0].last_hour(now); };
  const std::string too_long = "prompt is too long: 210000 tokens > 200000 maximum";
  for (int i = 0; i < 9; ++i) book.note("r", answered("a.b", 200), kNow);
  book.note("r", answered("a.b", 400, too_long), kNow);
  book.note("r", answered("a.b", 400, "Malformed input request"), kNow);
  EXPECT_EQ(last(kNow).answers, 11U);
  EXPECT_EQ(last(kNow).too_long, 1U);
  EXPECT_EQ(last(kNow + 1h).too_long, 1U) << "the hour before counts as well";
  EXPECT_EQ(last(kNow + 2h).answers, 0U);
  book.note("r", answered("a.b", 200), kNow + 1h);
  EXPECT_EQ(last(kNow + 1h).answers, 12U);
  book.note("r", answered("a.b", 200), kNow + 3h);
  EXPECT_EQ(last(kNow + 3h).answers, 1U);
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
