// What is refused of a config's text before it is understood: bytes, quotations and sizes.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "routing/config_loader.h"
#include "tests/routing/config_text.h"

namespace understudy::routing {
namespace {

TEST(ConfigLoader, RefusesBytesThatAreNoUtf8) {
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> table{
      {"\xef\xbb\xbflog: {}\n", "c.yaml: begins with a byte order mark\n"},
      {"\xff\xfel\0o\0g\0"s, "c.yaml: is UTF-16 or binary; it must be UTF-8\n"},
      {"\xfe\xff\0l\0o"s, "c.yaml: is UTF-16 or binary; it must be UTF-8\n"},
      {"l\0o\0g\0"s, "c.yaml: is UTF-16 or binary; it must be UTF-8\n"},
      {"log:\n  level: \x01\n",
       "c.yaml:2:10: there is a control character, or a byte that is no UTF-8\n"},
      {"log:\n  l\xc3\xa9vel: \xe9\n",
       "c.yaml:2:10: there is a control character, or a byte that is no UTF-8\n"},
      {"a: \xed\xa0\x80\n",
       "c.yaml:1:4: there is a control character, or a byte that is no UTF-8\n"},
      {"a: \xc3", "c.yaml:1:4: there is a control character, or a byte that is no UTF-8\n"},
  };
  for (const auto& [text, problem] : table) EXPECT_EQ(listed(load(text)), problem);
}

TEST(ConfigLoader, TellsClosedQuotationsFromOpenOnes) {
  EXPECT_EQ(good("# é\r\nsampling_salt: 'it''s'\n").sampling_salt, "it's");
  EXPECT_EQ(good("# é\nsampling_salt: \"a\\\"b\" # it's\n").sampling_salt, "a\"b");
  EXPECT_EQ(good("sampling_salt: \"\\\\\"\n").sampling_salt, "\\");
  EXPECT_EQ(good("sampling_salt: it's\n").sampling_salt, "it's");
  for (const char* open : {"'a\n", "'a''\n", "\"a\n", "\"a\\\"\n", "'a", "\"a"}) {
    EXPECT_NE(problems_of(std::string("# é\nsampling_salt: ") + open), "") << open;
  }
}

TEST(ConfigLoader, RefusesTextBeyondItsCaps) {
  EXPECT_EQ(listed(load(std::string((1 << 20) + 1, '#'))), "c.yaml: is larger than 1 MiB\n");
  const std::string deep = "a: " + std::string(40, '[') + std::string(40, ']') + "\n";
  EXPECT_EQ(listed(load(deep)), "c.yaml:1:35: the file is nested deeper than 32 levels\n");
  const std::string bottomless = "a: " + std::string(100'000, '[');
  EXPECT_EQ(load(bottomless).config, nullptr);
  std::string many = "a:\n";
  for (int i = 0; i < 10'001; ++i) many += "  - x\n";
  EXPECT_EQ(listed(load(many)), "c.yaml:9999:5: the file has more than 10,000 values\n");
}

}  // namespace
}  // namespace understudy::routing
