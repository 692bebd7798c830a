#include "proxy/spending_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "routing/day.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using testing_support::ScratchDirectory;

const std::chrono::sys_days kDay = *routing::day_from_text("2026-11-20");

TEST(SpendingFile, KeepsTheDaysMoneyForTheNextProcess) {
  const ScratchDirectory directory;
  SpendingFile file(directory.path().string());
  EXPECT_TRUE(file.load(kDay).empty());
  file.save({{"sonnet", 1.25}, {"haiku", 0.5}}, kDay);
  const SpendingFile next(directory.path().string());
  EXPECT_EQ(next.load(kDay), (Spending{{"sonnet", 1.25}, {"haiku", 0.5}}));
  EXPECT_TRUE(next.load(kDay + std::chrono::days(1)).empty()) << "another day, another budget";
}

TEST(SpendingFile, WritesOnlyWhatIsNew) {
  const ScratchDirectory directory;
  const auto path = directory.path() / "shadow-spending.json";
  SpendingFile file(directory.path().string());
  file.save({{"sonnet", 1.0}}, kDay);
  std::filesystem::remove(path);
  file.save({{"sonnet", 1.0}}, kDay);
  EXPECT_FALSE(std::filesystem::exists(path));
  file.save({{"sonnet", 1.5}}, kDay);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(SpendingFile, SetsAsideWhatIsNone) {
  const ScratchDirectory directory;
  const auto path = directory.path() / "shadow-spending.json";
  for (const char* text : {"[]", "{", R"({"version":2,"day":"2026-11-20","usd":{}})",
                           R"({"version":1,"day":"2026-11-20","usd":{"sonnet":-1}})"}) {
    std::ofstream(path) << text;
    EXPECT_TRUE(SpendingFile(directory.path().string()).load(kDay).empty()) << text;
    EXPECT_FALSE(std::filesystem::exists(path)) << text;
  }
}

TEST(SpendingFile, NeedsNoDirectory) {
  SpendingFile file("");
  file.save({{"sonnet", 1.0}}, kDay);
  EXPECT_TRUE(file.load(kDay).empty());
}

}  // namespace
}  // namespace understudy::proxy
