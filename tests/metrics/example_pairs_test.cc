#include "metrics/evidence/example_pairs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace understudy::metrics {
namespace {

ExamplePair example(std::string id, double weight, std::int64_t second) {
  ExamplePair pair;
  pair.exchange_id = std::move(id);
  pair.weight = weight;
  pair.unix_seconds = second;
  return pair;
}

std::string kept(const ExamplePairs& examples, std::size_t gate) {
  std::string ids;
  for (const ExamplePair& pair : examples.of(gate)) ids += pair.exchange_id;
  return ids;
}

TEST(ExamplePairs, KeepTheHeaviestAndOfEqualOnesTheLatest) {
  ExamplePairs examples;
  for (const char* id : {"a", "b", "c", "d"}) examples.add(0, example(id, 1.0, id[0]));
  EXPECT_EQ(kept(examples, 0), "dcb");
  examples.add(0, example("H", 2.0, 0));
  examples.add(0, example("L", 0.5, 1'000));
  EXPECT_EQ(kept(examples, 0), "Hdc");
  EXPECT_FALSE(examples.wants(0, 0.9, 1'000));
  EXPECT_TRUE(examples.wants(1, 0.1, 0));
}

TEST(ExamplePairs, AddUpAndComeBackAsTheyWere) {
  ExamplePairs one, other;
  one.add(2, example("a", 1.0, 1));
  other.add(2, example("b", 1.0, 2));
  other.add(3, example("c", 1.0, 3));
  one.merge(other);
  EXPECT_EQ(kept(one, 2), "ba");
  EXPECT_EQ(kept(one, 3), "c");
  EXPECT_EQ(ExamplePairs::from_json(one.to_json()), one);
}

}  // namespace
}  // namespace understudy::metrics
