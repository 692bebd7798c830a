// All signals of a pair, as the analysis thread computes them: answers of 1.5 KB, held to a family
// that is known.

#include <benchmark/benchmark.h>

#include "bench/detectors/labelled_pairs.h"

namespace understudy {
namespace {

constexpr std::size_t kAnswer = 1500;

metrics::Observation answer(std::string text) {
  metrics::Observation seen;
  seen.status = 200;
  seen.answer.text = std::move(text);
  seen.answer.stop_reason = "end_turn";
  seen.answer.parsed = true;
  seen.total = std::chrono::seconds{2};
  return seen;
}

std::string json_of(std::uint64_t seed) {
  std::string text = "{\"items\": [";
  for (std::uint64_t i = 0; text.size() < kAnswer - 120; ++i) {
    text += R"({"id": )" + std::to_string(seed + i) + R"(, "note": ")" +
            bench::prose(seed + i, 40).substr(0, 60) + R"(", "open": true},)";
  }
  text.back() = ']';
  return text + "}";
}

void compare_pairs(benchmark::State& state, const metrics::Observation& served,
                   const metrics::Observation& other) {
  metrics::AnswerProfile profile;
  for (int i = 0; i < 30; ++i) profile.learn(served);
  metrics::Expectations expectations;
  expectations.profile = &profile;
  for (auto _ : state) {
    auto comparison = metrics::compare(served, other, expectations);
    benchmark::DoNotOptimize(comparison);
  }
  state.SetItemsProcessed(state.iterations());
}

void AllSignalsOfProse(benchmark::State& state) {
  compare_pairs(state, answer(bench::prose(1, kAnswer)), answer(bench::prose(2, kAnswer)));
}
BENCHMARK(AllSignalsOfProse);

void AllSignalsOfJson(benchmark::State& state) {
  compare_pairs(state, answer(json_of(1)), answer(json_of(2)));
}
BENCHMARK(AllSignalsOfJson);

void AllSignalsOfToolCalls(benchmark::State& state) {
  metrics::Observation turn = answer("");
  turn.answer.stop_reason = "tool_use";
  turn.answer.tool_calls = {{"search", R"({"query": "rain in Rome", "limit": 5})"},
                            {"weather", R"({"city": "Rome", "days": 3})"}};
  compare_pairs(state, turn, turn);
}
BENCHMARK(AllSignalsOfToolCalls);

void LearningAnAnswer(benchmark::State& state) {
  const metrics::Observation seen = answer(json_of(1));
  metrics::AnswerProfile profile;
  for (auto _ : state) profile.learn(seen);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(LearningAnAnswer);

}  // namespace
}  // namespace understudy
