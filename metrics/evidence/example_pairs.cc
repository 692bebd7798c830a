#include "metrics/evidence/example_pairs.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <tuple>

namespace understudy::metrics {
namespace {

bool better(double weight, std::int64_t unix_seconds, const ExamplePair& than) noexcept {
  return std::tie(weight, unix_seconds) >= std::tie(than.weight, than.unix_seconds);
}

std::string text(const nlohmann::json& json) {
  auto value = json.get<std::string>();
  if (value.size() > ExamplePairs::kMaxBytes) throw std::invalid_argument("an example is too long");
  return value;
}

ExamplePair read(const nlohmann::json& json) {
  ExamplePair pair{.exchange_id = text(json.at(0)),
                   .family = text(json.at(1)),
                   .weight = json.at(2).get<double>(),
                   .unix_seconds = json.at(3).get<std::int64_t>(),
                   .detail = text(json.at(4)),
                   .primary_characters = json.at(5).get<std::uint64_t>(),
                   .candidate_characters = json.at(6).get<std::uint64_t>(),
                   .primary_stop = text(json.at(7)),
                   .candidate_stop = text(json.at(8))};
  if (!std::isfinite(pair.weight)) throw std::invalid_argument("an example's weight is no number");
  return pair;
}

}  // namespace

bool ExamplePairs::wants(std::size_t gate, double weight,
                         std::int64_t unix_seconds) const noexcept {
  const auto& kept = pairs_[gate];
  return kept.size() < kEach || better(weight, unix_seconds, kept.back());
}

void ExamplePairs::add(std::size_t gate, ExamplePair pair) {
  if (!wants(gate, pair.weight, pair.unix_seconds)) return;
  auto& kept = pairs_[gate];
  const auto place = std::ranges::find_if(
      kept, [&](const ExamplePair& each) { return better(pair.weight, pair.unix_seconds, each); });
  kept.insert(place, std::move(pair));
  if (kept.size() > kEach) kept.pop_back();
}

void ExamplePairs::merge(const ExamplePairs& other) {
  for (std::size_t gate = 0; gate < pairs_.size(); ++gate) {
    for (const ExamplePair& pair : other.pairs_[gate]) add(gate, pair);
  }
}

nlohmann::json ExamplePairs::to_json() const {
  nlohmann::json gates = nlohmann::json::object();
  for (std::size_t gate = 0; gate < pairs_.size(); ++gate) {
    for (const ExamplePair& pair : pairs_[gate]) {
      gates[std::string(routing::kGates[gate].signal)].push_back(
          {pair.exchange_id, pair.family, pair.weight, pair.unix_seconds, pair.detail,
           pair.primary_characters, pair.candidate_characters, pair.primary_stop,
           pair.candidate_stop});
    }
  }
  return gates;
}

ExamplePairs ExamplePairs::from_json(const nlohmann::json& json) {
  ExamplePairs examples;
  for (const auto& [signal, pairs] : json.items()) {
    const auto gate = routing::gate_of(signal);
    if (!gate || pairs.size() > kEach)
      throw std::invalid_argument("examples of no gate, or more than are kept");
    for (const auto& pair : pairs) examples.pairs_[*gate].push_back(read(pair));
  }
  return examples;
}

}  // namespace understudy::metrics
