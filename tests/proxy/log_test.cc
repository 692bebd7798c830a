#include "proxy/log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "proxy/credentials.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;

static_assert(!std::is_constructible_v<decltype(LogField::value), Secret>,
              "a Secret must not be loggable");

// What `logging` wrote to standard error, line by line, each parsed.
template <typename Function>
std::vector<json> lines_of(Function logging) {
  testing::internal::CaptureStderr();
  logging();
  std::istringstream written(testing::internal::GetCapturedStderr());
  std::vector<json> lines;
  for (std::string line; std::getline(written, line);) lines.push_back(json::parse(line));
  return lines;
}

TEST(Log, WritesOneJsonObjectWithItsFields) {
  const auto lines = lines_of([] {
    log_warn("config_refused",
             {{"file", "a.yaml"}, {"line", std::int64_t{12}}, {"share", 0.5}, {"kept", true}});
  });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["level"], "warn");
  EXPECT_EQ(lines[0]["event"], "config_refused");
  EXPECT_EQ(lines[0]["file"], "a.yaml");
  EXPECT_EQ(lines[0]["line"], 12);
  EXPECT_EQ(lines[0]["share"], 0.5);
  EXPECT_EQ(lines[0]["kept"], true);
  EXPECT_FALSE(lines[0].contains("suppressed"));
  EXPECT_EQ(lines[0]["time"].get<std::string>().size(),
            std::string("2026-11-21T00:24:06.123Z").size());
}

TEST(Log, EscapesWhatWouldBreakTheLine) {
  const std::string hostile =
      "a\"b\\c\nd\te\x01\x7f\xff\xc3\xa4 \xed\xa0\x80 {\"event\":\"forged\"}";
  const auto lines = lines_of([&] { log_info("escaping", {{"value", hostile}}); });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["value"],
            "a\"b\\c\nd\te\x01\x7f\xEF\xBF\xBD\xc3\xa4 \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD "
            "{\"event\":\"forged\"}");
}

TEST(Log, KeepsALongLineWithinOneAtomicWrite) {
  testing::internal::CaptureStderr();
  log_info("long_line",
           {{"first", std::string(10'000, '\n')}, {"second", "left out for lack of room"}});
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_LE(written.size(), 4096U);
  EXPECT_GT(written.size(), 4000U);
  EXPECT_TRUE(json::accept(written)) << written;
}

TEST(Log, LeavesOutLinesBelowTheLevel) {
  set_log_level(LogLevel::error);
  const auto quiet = lines_of([] { log_warn("below_the_level"); });
  set_log_level(LogLevel::info);
  EXPECT_TRUE(quiet.empty());
  EXPECT_EQ(lines_of([] { log_warn("below_the_level"); }).size(), 1U);
}

TEST(Log, CountsWhatTheRateLimitLeftOutAndLosesNothingFromTheCount) {
  constexpr std::int64_t kLogged = 500;
  std::int64_t written = 0;
  std::int64_t suppressed = 0;
  const auto count = [&](const std::vector<json>& lines) {
    for (const json& line : lines) {
      if (line["event"] != "flood") continue;
      ++written;
      suppressed += line.value("suppressed", std::int64_t{0});
    }
  };
  count(lines_of([] {
    for (std::int64_t i = 0; i < kLogged; ++i) log_info("flood");
  }));
  EXPECT_LE(written, 20) << "500 lines take far less than two seconds, so at most two windows";
  // The next second's first line carries the rest of the count; other events are not held back
  // meanwhile.
  EXPECT_EQ(lines_of([] { log_info("another_event"); }).size(), 1U);
  std::int64_t logged = kLogged;
  for (int attempts = 0; attempts < 3000 && written + suppressed < logged; ++attempts) {
    count(lines_of([] { log_info("flood"); }));
    ++logged;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(written + suppressed, logged);
}

TEST(Log, KeepsLinesOfManyThreadsWhole) {
  const auto lines = lines_of([] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([i] {
        log_info("thread_" + std::to_string(i), {{"text", std::string(500, 'x')}});
      });
    }
  });
  EXPECT_EQ(lines.size(), 8U);
}

}  // namespace
}  // namespace understudy::proxy
