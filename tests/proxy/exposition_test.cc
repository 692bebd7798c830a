#include "proxy/exposition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <string_view>

namespace understudy::proxy {
namespace {

TEST(Exposition, ReadsNamesLabelsAndValues) {
  const auto samples = parse_exposition(
      "# HELP a_total words\n# TYPE a_total counter\na_total{route=\"x\",le=\"+Inf\"} 3\nb 4.5\n"
      "c{text=\"a\\\"b\\\\c\\nd,e}\"} +Inf\nbroken{text=\"\nbroken 1x\n{} \nd NaN");
  ASSERT_GE(samples.size(), 3U);
  EXPECT_EQ(samples[0].name, "a_total");
  EXPECT_EQ(samples[0].label("le"), "+Inf");
  EXPECT_EQ(samples[0].label("absent"), "");
  EXPECT_EQ(samples[0].value, 3.0);
  EXPECT_EQ(samples[1].value, 4.5);
  EXPECT_EQ(samples[2].label("text"), "a\"b\\c\nd,e}");
}

TEST(Exposition, SurvivesEveryCutOfALine) {
  const std::string line = "c{text=\"a\\\"b\",le=\"1\"} 12\n";
  for (std::size_t length = 0; length <= line.size(); ++length) {
    EXPECT_LE(parse_exposition(std::string_view(line).substr(0, length)).size(), 1U);
  }
}

TEST(Histogram, InterpolatesQuantilesAsPrometheusDoes) {
  Histogram histogram;
  EXPECT_FALSE(histogram.mean());
  EXPECT_FALSE(histogram.quantile(0.5));
  histogram.add_bucket(0.1, 10);
  histogram.add_bucket(0.2, 30);
  histogram.add_bucket(INFINITY, 40);
  histogram.add_sum(8.0);
  EXPECT_DOUBLE_EQ(*histogram.mean(), 0.2);
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.5), 0.15);
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.25), 0.1);
  EXPECT_DOUBLE_EQ(*histogram.quantile(0.99), 0.2)
      << "beyond the last bound only the bound is known";
}

}  // namespace
}  // namespace understudy::proxy
