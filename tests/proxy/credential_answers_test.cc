#include "proxy/aws/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proxy/aws/command_split.h"
#include "proxy/aws/profiles.h"
#include "proxy/aws/timestamp.h"
#include "proxy/aws/xml_text.h"

namespace understudy::proxy::aws {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

WallTime at(std::int64_t seconds) {
  return WallTime(std::chrono::seconds(seconds));
}

TEST(Timestamp, IsReadInEveryFormThatAwsWrites) {
  for (const std::string_view text :
       {"2026-11-21T03:20:00Z", "2026-11-21T03:20:00UTC", "2026-11-21T03:20:00.123456Z",
        "2026-11-21T03:20:00+00:00", "2026-11-21T05:20:00+02:00", "2026-11-20T22:20:00-0500",
        "2026-11-21 03:20:00", "20261121T032000Z"}) {
    EXPECT_EQ(parse_timestamp(text), at(1'795'231'200)) << text;
  }
  EXPECT_EQ(parse_timestamp("9999-12-31T23:59:59Z"), WallTime::max());
  EXPECT_EQ(format_timestamp(at(1'795'231'200)), "2026-11-21T03:20:00Z");
}

TEST(Timestamp, IsNothingElse) {
  for (const std::string_view text :
       {"", "now", "1795231200", "2026-13-21T03:20:00Z", "2026-02-30T03:20:00Z",
        "2026-11-21T24:20:00Z", "2026-11-21T03:20:00ZZ", "2026-11-21T03:20:00.", "2026-11-21",
        "1969-12-31T23:59:59Z", "2026-11-21T03:20:00+", "-026-11-21T03:20:00Z"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

TEST(Timestamp, SurvivesBeingWrittenAndRead) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const WallTime when = at(static_cast<std::int64_t>(random() % 9'000'000'000));
    EXPECT_EQ(parse_timestamp(format_timestamp(when)), when);
  }
}

TEST(XmlText, FindsAnElementByItsPath) {
  const auto find = [](std::string_view document) { return xml_text(document, {"a", "b"}); };
  EXPECT_EQ(find("<?xml version=\"1.0\"?>\n<a x='1'><c/><b> t&amp;u&lt; </b></a>"), "t&u<");
  EXPECT_EQ(find("<n:a xmlns:n='u'><!-- <b>no</b> --><n:b>t</n:b></n:a>"), "t");
  EXPECT_EQ(find("<a><c><b>no</b></c><b>yes</b></a>"), "yes");
  EXPECT_EQ(find("<a><b></b></a>"), "");
}

TEST(XmlText, RefusesWhatIsNotItsKindOfDocument) {
  for (const std::string& document :
       {std::string(), std::string("<a><b>t"), std::string("<a><b>t</a>"),
        std::string("<!DOCTYPE a [<!ENTITY e 'x'>]><a><b>&e;</b></a>"),
        std::string("<a><b>&e;</b></a>"), std::string("<a><b>t<i>u</i></b></a>"),
        std::string("<b>t</b>"), std::string("</a>"), std::string("<"), std::string("<a><"),
        std::string("<!--"), std::string("<a><![CDATA[x]]></a>")}) {
    EXPECT_EQ(xml_text(document, {"a", "b"}), std::nullopt) << document;
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_EQ(xml_text(deep, {"a", "b"}), std::nullopt);
}

TEST(Answers, OfHtmlAndOtherShapesAreNoCredentials) {
  for (const std::string_view text :
       {"", "<html><body>Sign in</body></html>", "[]", "null", "42", "{}", "{\"Version\":1}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":2,\"Token\":3,\"Expiration\":4}",
        "{\"roleCredentials\":[]}", "\xff\xfe"}) {
    for (const auto& read : {read_process_answer(text), read_metadata_answer(text),
                             read_sso_answer(text), read_sts_answer(text, "AssumeRole")}) {
      ASSERT_FALSE(read) << text;
      EXPECT_EQ(read.error().kind, ErrorKind::bad_message);
    }
    EXPECT_FALSE(read_sso_token(text)) << text;
    EXPECT_FALSE(read_sso_renewal(text)) << text;
    EXPECT_EQ(read_sts_error(text), "");
  }
}

TEST(Answers, WithBytesThatWouldBreakAHeaderAreRefusedUnquoted) {
  const auto read = read_metadata_answer(
      R"({"AccessKeyId":"A","SecretAccessKey":"s","Token":"HIDDEN\r\nx: y","Expiration":"2026-11-21T03:20:00Z"})");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().context, HasSubstr("the session token"));
  EXPECT_EQ(read.error().context.find("HIDDEN"), std::string::npos);
}

TEST(Answers, OfSsoTellTimeInMilliseconds) {
  const auto read = read_sso_answer(
      R"({"roleCredentials":{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiration":1795231200500}})");
  ASSERT_TRUE(read) << read.error().context;
  EXPECT_EQ(read->expires, at(1'795'231'200) + std::chrono::milliseconds(500));
}

TEST(CommandSplit, FollowsShellQuotingWithoutAShell) {
  const std::vector<std::pair<std::string_view, std::vector<std::string>>> cases = {
      {"/bin/keys", {"/bin/keys"}},
      {"  a  b\tc\n", {"a", "b", "c"}},
      {"a 'b c' \"d e\"", {"a", "b c", "d e"}},
      {"a'b'\"c\"d", {"abcd"}},
      {"a '' \"\"", {"a", "", ""}},
      {R"(a\ b \'c "d\"e\\f\g")", {"a b", "'c", R"(d"e\f\g)"}},
      {R"(a 'b\c' $HOME `x` ; | > &)", {"a", "b\\c", "$HOME", "`x`", ";", "|", ">", "&"}},
  };
  for (const auto& [command, words] : cases) {
    const auto split = split_command(command);
    ASSERT_TRUE(split) << command;
    EXPECT_THAT(*split, ElementsAreArray(words)) << command;
  }
  using namespace std::string_view_literals;
  for (const std::string_view bad : {""sv, "  "sv, "a 'b"sv, "a \"b"sv, "a \\"sv, "''"sv, "a\0b"sv})
    EXPECT_FALSE(split_command(bad)) << bad;
}

// Whatever the lines are, what is read is what was written, or an error.
TEST(Profiles, OfRandomLinesNeverMixSections) {
  std::mt19937 random(7);
  const std::vector<std::string> lines = {
      "[default]", "[profile a]", "[a]", "x = 1", "y=2", " z = 3", "# c", "", "[", "]", "=", "no"};
  for (int i = 0; i < 5'000; ++i) {
    std::string text;
    std::size_t headers = 0;
    for (std::size_t n = random() % 12; n > 0; --n) {
      const std::string& line = lines[random() % lines.size()];
      headers += line.starts_with("[") ? 1 : 0;
      text += line + "\n";
    }
    const auto file = parse_ini(text, "f");
    if (!file) {
      EXPECT_THAT(file.error().context, HasSubstr("f:"));
      continue;
    }
    EXPECT_EQ(file->size(), headers) << text;
    for (const auto& [name, section] : *file) EXPECT_LE(section.size(), 3U) << text;
  }
}

}  // namespace
}  // namespace understudy::proxy::aws
