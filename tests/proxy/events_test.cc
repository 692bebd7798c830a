#include "proxy/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using testing::SizeIs;
using testing_support::ScratchDirectory;

Event about(const std::string& text) {
  return {.kind = "rollout", .route = "sonnet", .text = text, .facts = {{"to", "baking"}}};
}

class KeptEvents : public testing::Test {
 protected:
  std::string place() const { return directory.path().string(); }
  std::filesystem::path file() const { return directory.path() / "events.json"; }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(file()).rdbuf();
    return all.str();
  }
  // Until it is on disk.
  void save(EventLog& log) {
    log.save();
    ASSERT_EQ(writer.problem_after_try(file()), "");
  }
  ScratchDirectory directory;
  StateWriter writer;
};

TEST_F(KeptEvents, SurviveARestartAndTheirNumbersGoOn) {
  {
    EventLog log;
    log.keep_in(place(), writer);
    log.publish(about("first"));
    log.publish(about("second"));
  }
  EventLog log;
  log.publish(about("before the place was known"));
  log.keep_in(place(), writer);
  log.publish(about("after"));
  const auto events = log.recent();
  ASSERT_THAT(events, SizeIs(4));
  EXPECT_EQ(events[0].text, "after");
  EXPECT_EQ(events[0].id, 4u);
  EXPECT_EQ(events[1].id, 3u);
  EXPECT_EQ(events[2].text, "second");
  EXPECT_EQ(events[3].facts, about("").facts);
  EXPECT_EQ(events[3].id, 1u);
}

TEST_F(KeptEvents, AreAsManyAsThereIsRoomFor) {
  EventLog log;
  log.keep_in(place(), writer);
  for (int i = 0; i < 300; ++i) log.publish(about(std::string(10'000, 'x')));
  save(log);
  EXPECT_LT(std::filesystem::file_size(file()), 2u << 20);
  EventLog next;
  next.keep_in(place(), writer);
  ASSERT_THAT(next.recent(), SizeIs(EventLog::kKept));
  EXPECT_EQ(next.recent().front().id, 300u);
  EXPECT_EQ(next.recent().front().text.size(), EventLog::kMaxTextBytes);
}

TEST_F(KeptEvents, AreWrittenOnlyWhereSomethingIsNew) {
  EventLog log;
  log.keep_in(place(), writer);
  log.publish(about("one"));
  save(log);
  std::filesystem::remove(file());
  save(log);
  EXPECT_FALSE(std::filesystem::exists(file()));
  log.publish(about("two"));
  save(log);
  EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(KeptEvents, BeginAnewWhereTheFileIsDamagedWhichIsSetAside) {
  for (const char* damaged : {"", "{", "[]", "{\"version\":1,\"events\":[{}]}", "[[[[[[[[[["}) {
    std::ofstream(file()) << damaged;
    EventLog log;
    log.keep_in(place(), writer);
    EXPECT_THAT(log.recent(), SizeIs(0));
    EXPECT_TRUE(std::filesystem::exists(directory.path() / "events.json.damaged")) << damaged;
    std::filesystem::remove(directory.path() / "events.json.damaged");
  }
}

TEST_F(KeptEvents, AreReadOnlyAsTheyWereWritten) {
  EventLog log;
  log.keep_in(place(), writer);
  log.publish(about("one"));
  log.publish(about("two"));
  save(log);
  const std::string good = text();
  ASSERT_TRUE(events_from_json(good));
  for (std::size_t cut = 0; cut + 2 < good.size(); ++cut)
    EXPECT_FALSE(events_from_json(good.substr(0, cut))) << cut;
  std::string twice = good;
  twice.replace(twice.find("\"id\": 2"), 7, "\"id\": 1");
  EXPECT_FALSE(events_from_json(twice)) << "two of one number";
}

TEST_F(KeptEvents, GoWhereTheNextConfigKeepsThem) {
  const ScratchDirectory other;
  EventLog log;
  log.keep_in(place(), writer);
  log.publish(about("one"));
  log.keep_in(other.path().string(), writer);
  log.save();
  EXPECT_EQ(writer.problem_after_try(other / "events.json"), "");
  EXPECT_TRUE(std::filesystem::exists(other.path() / "events.json"));
  EXPECT_THAT(log.recent(), SizeIs(1));
}

}  // namespace
}  // namespace understudy::proxy
