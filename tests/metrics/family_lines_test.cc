#include "metrics/family_lines.h"

#include <gtest/gtest.h>

#include <string>

namespace understudy::metrics {
namespace {

PromptText prompt(std::string system, std::string user) {
  PromptText text;
  text.system = std::move(system);
  text.user = std::move(user);
  return text;
}

TEST(FamilyLines, AreWhatTheRequestsOfAFamilyHaveInCommon) {
  FamilyLines lines;
  for (int i = 0; i < 100; ++i) {
    const std::string who(static_cast<std::size_t>(i) + 1, 'x');
    lines.learn("mined-0123abcd",
                prompt("You sort the letters of a parcel service.\nToday it is " + who + " again.",
                       "A letter from " + who + " says a thing or two. What does it want?"));
  }
  const auto found = lines.lines();
  ASSERT_TRUE(found.contains("mined-0123abcd"));
  EXPECT_EQ(found.at("mined-0123abcd"), "You sort the letters of a parcel service.");
}

TEST(FamilyLines, AreNoneOfFewRequestsOrOfWhatOnlySomeSay) {
  FamilyLines lines;
  for (std::uint32_t i = 0; i + 1 < FamilyLines::kFewestRequests; ++i)
    lines.learn("mined-few", prompt("You are a very helpful agent.", ""));
  for (int i = 0; i < 90; ++i)
    lines.learn("mined-some", prompt(i % 3 == 0 ? "Dear Sir, I have lost my parcel." : "", ""));
  EXPECT_TRUE(lines.lines().empty());
}

TEST(FamilyLines, HoldNoFiguresAddressesOrMarkup) {
  FamilyLines lines;
  for (int i = 0; i < 50; ++i)
    lines.learn("mined-1", prompt("The customer has the number 4711 here.\nWrite to a@b.example "
                                  "when you can.\n<note>this is for you</note>\nSee https://a.b/c "
                                  "for all of it.\ntoo short",
                                  std::string(200, 'a') + " b c d e"));
  EXPECT_TRUE(lines.lines().empty());
}

TEST(FamilyLines, StayBoundedUnderGarbage) {
  FamilyLines lines;
  for (int i = 0; i < 2'000; ++i) {
    const std::string letters(1 + static_cast<std::size_t>(i) % 50,
                              static_cast<char>('a' + i % 26));
    std::string text;
    for (int line = 0; line < 100; ++line)
      text += letters + std::string(static_cast<std::size_t>(line), 'q') + " and so it goes on\n";
    lines.learn("mined-" + std::to_string(i % 400), prompt(text, text));
  }
  EXPECT_LE(lines.lines().size(), FamilyMiner::kMaxFamilies);
  lines.clear();
  EXPECT_TRUE(lines.lines().empty());
}

}  // namespace
}  // namespace understudy::metrics
