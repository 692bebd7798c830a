#include "proxy/lifecycle_posts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "routing/day.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ScratchDirectory;

std::chrono::sys_days day(const char* text) {
  return *routing::day_from_text(text);
}

// As EventBridge delivers it.
json health_event() {
  return {{"version", "0"},
          {"id", "7bf73129-1428-4cd3-a780-95db273d1602"},
          {"detail-type", "AWS Health Event"},
          {"source", "aws.health"},
          {"account", "123456789012"},
          {"time", "2026-11-20T00:00:00Z"},
          {"region", "us-east-1"},
          {"resources", json::array()},
          {"detail",
           {{"eventArn", "arn:aws:health:us-east-1::event/BEDROCK/x/y"},
            {"service", "BEDROCK"},
            {"eventTypeCode", "AWS_BEDROCK_PLANNED_LIFECYCLE_EVENT"},
            {"eventTypeCategory", "scheduledChange"},
            {"startTime", "Fri, 05 Mar 2027 22:00:00 GMT"},
            {"statusCode", "upcoming"},
            {"eventDescription", {{{"language", "en_US"}, {"latestDescription", "words"}}}},
            {"affectedEntities",
             {{{"entityValue", "anthropic.claude-sonnet-4-5-20250929-v1:0"}, {"status", "PENDING"}},
              {{"entityValue",
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"}}}}}}};
}

HealthEvent read(const json& event) {
  const auto result = read_health_event(event.dump());
  if (const auto* problem = std::get_if<HealthEventProblem>(&result))
    ADD_FAILURE() << problem->what;
  return std::holds_alternative<HealthEvent>(result) ? std::get<HealthEvent>(result)
                                                     : HealthEvent{};
}
std::string problem(const json& event) {
  const auto result = read_health_event(event.dump());
  const auto* found = std::get_if<HealthEventProblem>(&result);
  return found == nullptr ? "" : found->what;
}
template <class T>
json with(const char* pointer, const T& value) {
  json event = health_event();
  event[json::json_pointer(pointer)] = value;
  return event;
}

TEST(HealthEvent, NamesModelsAndWhatBeginsWhen) {
  const HealthEvent event = read(health_event());
  EXPECT_THAT(event.models,
              ElementsAre("amazon.nova-lite", "anthropic.claude-sonnet-4-5-20250929"));
  EXPECT_EQ(event.dates.end_of_life, day("2027-03-05"));
  EXPECT_FALSE(event.dates.legacy);
  EXPECT_FALSE(event.over);
  const HealthEvent legacy = read(with("/detail/eventTypeCode", "AWS_BEDROCK_MODEL_LEGACY_NOTICE"));
  EXPECT_EQ(legacy.dates.legacy, day("2027-03-05"));
  EXPECT_FALSE(legacy.dates.end_of_life);
  EXPECT_TRUE(read(with("/detail/statusCode", "closed")).over);
}

TEST(HealthEvent, ReadsMomentsInTheFormsThatAwsWrites) {
  for (const char* text : {"Fri, 05 Mar 2027 22:00:00 GMT", "Fri, 5 Mar 2027 22:00:00 GMT",
                           "2027-03-05T22:00:00Z", "2027-03-05"})
    EXPECT_EQ(day_from_moment(text), day("2027-03-05")) << text;
  for (const char* text :
       {"", "soon", "Fri, 05 Mar", "Fri, 32 Mar 2027 22:00:00 GMT", "Fri, 05 Foo 2027 22:00:00 GMT",
        "2027-13-05T00:00:00Z", "Fri, 0x Mar 2027 22:00:00 GMT", "1801782000"})
    EXPECT_FALSE(day_from_moment(text)) << text;
}

TEST(HealthEvent, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem("text"), "it is no JSON object");
  EXPECT_EQ(problem(with("/source", "aws.ec2")), "source: must be aws.health, got \"aws.ec2\"");
  EXPECT_EQ(problem(with("/detail", 7)), "detail: must be an object");
  EXPECT_EQ(problem(with("/detail/eventTypeCode", "a b")),
            "detail.eventTypeCode: \"a b\" is no code");
  EXPECT_EQ(problem(with("/detail/startTime", "soon")), "detail.startTime: \"soon\" is no moment");
  EXPECT_EQ(problem(with("/detail/affectedEntities", json::array())),
            "detail.affectedEntities: must be a list of the models");
  EXPECT_EQ(problem(with("/detail/affectedEntities/1/entityValue", "i-0abc\n")),
            "detail.affectedEntities[1].entityValue: \"i-0abc?\" names no foundation model");
  json many = health_event();
  for (int i = 0; i < 300; ++i)
    many["detail"]["affectedEntities"].push_back({{"entityValue", "amazon.nova-lite-v1:0"}});
  EXPECT_THAT(problem(many), HasSubstr("at most 256"));
  const auto deep = read_health_event(std::string(100'000, '['));
  EXPECT_THAT(std::get<HealthEventProblem>(deep).what, HasSubstr("deeper"));
  EXPECT_TRUE(std::holds_alternative<HealthEventProblem>(read_health_event("")));
}

TEST(HealthEvent, OfSomethingElseIsNoProblem) {
  for (const json& event : {with("/detail/service", "EC2"),
                            with("/detail/eventTypeCode", "AWS_BEDROCK_OPERATIONAL_ISSUE")})
    EXPECT_TRUE(std::holds_alternative<OtherHealthEvent>(read_health_event(event.dump()))) << event;
}

class Posts : public testing::Test {
 protected:
  LifecyclePosts posts() {
    return LifecyclePosts(events, state_writer, directory.path().string(),
                          [] { return day("2026-11-21"); });
  }
  static std::shared_ptr<const metrics::Lifecycles> dates() {
    routing::ModelDates own;
    own.end_of_life = day("2030-01-01");
    return metrics::Lifecycles::built_in()->with({{"amazon.nova-lite-v1:0", own}});
  }

  ScratchDirectory directory;
  EventLog events;
  StateWriter state_writer;
};

TEST_F(Posts, GoBeforeTheFileAndBehindTheConfigAlsoAfterARestart) {
  {
    LifecyclePosts before = posts();
    EXPECT_EQ(before.with_posted(dates())->find("anthropic.claude-sonnet-4-5-20250929-v1:0"),
              nullptr);
    EXPECT_EQ(before.post(health_event().dump()).status, 200U);
  }
  LifecyclePosts after = posts();
  const auto now = after.with_posted(dates());
  const auto* told = now->find("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->dates.end_of_life, day("2027-03-05"));
  EXPECT_EQ(told->source, "AWS Health (AWS_BEDROCK_PLANNED_LIFECYCLE_EVENT)");
  EXPECT_EQ(told->checked, "2026-11-21");
  EXPECT_EQ(now->find("amazon.nova-lite-v1:0")->dates.end_of_life, day("2030-01-01"));
}

TEST_F(Posts, LeaveTheDatesThatTheyDoNotTell) {
  LifecyclePosts all = posts();
  json event =
      with("/detail/affectedEntities/0/entityValue", "anthropic.claude-opus-4-1-20250805-v1:0");
  event["detail"]["startTime"] = "2027-02-01";
  ASSERT_EQ(all.post(event.dump()).status, 200U);
  const auto now = all.with_posted(dates());
  const auto* told = now->find("anthropic.claude-opus-4-1-20250805-v1:0");
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->dates.end_of_life, day("2027-02-01"));
  EXPECT_EQ(told->dates.legacy, day("2026-07-08")) << "as the file has it";
}

TEST_F(Posts, AreToldAsAnEventAndAnswered) {
  LifecyclePosts all = posts();
  const json answer = json::parse(all.post(health_event().dump()).body);
  EXPECT_EQ(answer["result"], "taken");
  EXPECT_EQ(answer["models"][0]["end_of_life"], "2027-03-05");
  ASSERT_EQ(events.recent().size(), 1U);
  EXPECT_EQ(events.recent()[0].kind, "lifecycle");
  EXPECT_THAT(events.recent()[0].text,
              HasSubstr("anthropic.claude-sonnet-4-5-20250929 reach their end of life on "
                        "2027-03-05"));
  const auto refused = all.post("{}");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_THAT(refused.body, HasSubstr("source: is missing"));
  EXPECT_EQ(json::parse(all.post(with("/detail/statusCode", "closed").dump()).body)["result"],
            "ignored");
  EXPECT_EQ(events.recent().size(), 1U);
}

TEST_F(Posts, KeepNoMoreModelsThanThereIsRoomFor) {
  LifecyclePosts all = posts();
  json event = health_event();
  for (int batch = 0; batch < 3; ++batch) {
    json models = json::array();
    for (int i = 0; i < 200; ++i)
      models.push_back({{"entityValue", "amazon.m" + std::to_string(batch * 200 + i)}});
    event["detail"]["affectedEntities"] = models;
    EXPECT_EQ(all.post(event.dump()).status, batch < 2 ? 200U : 507U);
  }
}

TEST_F(Posts, SetAsideAFileThatIsNone) {
  const auto file = directory.path() / "lifecycle-posts.json";
  std::ofstream(file) << "[]";
  EXPECT_EQ(posts().with_posted(dates())->all().size(), dates()->all().size());
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".damaged"));
}

}  // namespace
}  // namespace understudy::proxy
