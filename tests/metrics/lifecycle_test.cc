#include "metrics/lifecycle.h"

#include <gtest/gtest.h>

#include <string>

#include "routing/day.h"

namespace understudy::metrics {
namespace {

std::chrono::sys_days day(std::string_view text) {
  return routing::day_from_text(text).value();
}

std::shared_ptr<const Lifecycles> from(const std::string& models) {
  const auto read =
      Lifecycles::from_json(R"({"as_of":"2026-11-01","models":[)" + models + "]}", "dates.json");
  const auto* good = std::get_if<std::shared_ptr<const Lifecycles>>(&read);
  return good == nullptr ? nullptr : *good;
}

TEST(Lifecycle, AModelGoesThroughItsStatesByItsDates) {
  const auto dates = from(
      R"({"model":"a.old","legacy":"2026-07-08","extended_access":"2026-10-08","end_of_life":"2027-01-08"})");
  ASSERT_NE(dates, nullptr);
  EXPECT_EQ(dates->state("a.old", day("2026-07-07")), ModelState::active);
  EXPECT_EQ(dates->state("a.old", day("2026-07-08")), ModelState::legacy);
  EXPECT_EQ(dates->state("a.old", day("2026-10-08")), ModelState::extended);
  EXPECT_EQ(dates->state("a.old", day("2027-01-07")), ModelState::extended);
  EXPECT_EQ(dates->state("a.old", day("2027-01-08")), ModelState::ended);
  EXPECT_EQ(dates->state("a.other", day("2027-01-08")), ModelState::unknown);
}

TEST(Lifecycle, IdsMatchThroughProfilesArnsAndVersions) {
  const auto built_in = Lifecycles::built_in();
  for (const char* id :
       {"anthropic.claude-3-haiku-20240307-v1:0", "us.anthropic.claude-3-haiku-20240307-v1:0",
        "eu.anthropic.claude-3-haiku-20240307-v1:0", "apac.anthropic.claude-3-haiku-20240307-v1:0",
        "global.anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-haiku-20240307-v1:0:200k",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
        "us.anthropic.claude-3-haiku-20240307-v1:0"}) {
    EXPECT_EQ(built_in->state(id, day("2026-09-10")), ModelState::ended) << id;
    EXPECT_EQ(built_in->state(id, day("2026-09-09")), ModelState::active) << id;
  }
  EXPECT_EQ(built_in->find("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"),
            nullptr);
}

TEST(Lifecycle, EveryBuiltInDateHasASourceAndADay) {
  for (const auto& [model, lifecycle] : Lifecycles::built_in()->all()) {
    EXPECT_GT(lifecycle.source.size(), 20U) << model;
    EXPECT_TRUE(routing::day_from_text(lifecycle.checked)) << model;
  }
}

TEST(Lifecycle, TheConfigsDatesGoBeforeTheFiles) {
  const auto own =
      Lifecycles::built_in()->with({{"us.anthropic.claude-3-haiku-20240307-v1:0",
                                     {.launch = {},
                                      .legacy = {},
                                      .extended_access = {},
                                      .end_of_life = day("2030-01-01"),
                                      .replacement = "anthropic.claude-haiku-4-5-20251001-v1:0"}}});
  const auto* haiku = own->find("anthropic.claude-3-haiku-20240307-v1:0");
  ASSERT_NE(haiku, nullptr);
  EXPECT_EQ(state_on(haiku->dates, day("2026-12-01")), ModelState::active);
  EXPECT_EQ(haiku->source, "config");
}

TEST(Lifecycle, ABrokenFileIsAProblemThatSaysWhere) {
  for (const char* text :
       {"", "[]", R"({"models":[]})", R"({"as_of":"2026-11-01"})",
        R"({"as_of":"yesterday","models":[]})",
        R"({"as_of":"2026-11-01","models":[{"model":"a.b","legacy":"2026-02-30"}]})",
        R"({"as_of":"2026-11-01","models":[{"model":"a.b"},{"model":"us.a.b"}]})"}) {
    const auto read = Lifecycles::from_json(text, "dates.json");
    const auto* problem = std::get_if<LifecyclesProblem>(&read);
    ASSERT_NE(problem, nullptr) << text;
    EXPECT_NE(problem->what.find("dates.json"), std::string::npos);
  }
}

TEST(Day, IsReadAndWrittenAsIsoHasIt) {
  EXPECT_EQ(routing::day_text(day("2024-02-29")), "2024-02-29");
  for (const char* text : {"", "2023-02-29", "2024-2-9", "2024-02-29T", "2024/02/29", "yyyy-mm-dd"})
    EXPECT_FALSE(routing::day_from_text(text)) << text;
}

}  // namespace
}  // namespace understudy::metrics
