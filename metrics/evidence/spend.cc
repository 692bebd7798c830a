#include "metrics/evidence/spend.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "metrics/utf8.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

std::uint64_t tokens(const std::optional<std::int64_t>& count) noexcept {
  return count && *count > 0 ? static_cast<std::uint64_t>(*count) : 0;
}

std::uint64_t characters_of(const Answer& answer) noexcept {
  std::uint64_t sum = characters(answer.text);
  for (const ToolCall& call : answer.tool_calls)
    sum += characters(call.name) + characters(call.arguments);
  return sum;
}

bool thinks(const Answer& answer) noexcept {
  return answer.thinking_bytes > 0 || answer.first_block == BlockKind::thinking;
}

// Saved files may have been written by anyone: a sum of money is a number, and not below zero.
double amount(const json& value) {
  const double usd = value.get<double>();
  if (!std::isfinite(usd) || usd < 0.0) throw std::invalid_argument("a cost is below zero");
  return usd;
}

std::uint64_t count(const json& value) {
  if (!value.is_number_unsigned()) throw std::invalid_argument("a count is not a whole number");
  return value.get<std::uint64_t>();
}

}  // namespace

void PairedSpend::merge(const PairedSpend& other) noexcept {
  pairs += other.pairs;
  input_tokens += other.input_tokens;
  cache_read_tokens += other.cache_read_tokens;
  cache_write_tokens += other.cache_write_tokens;
  output_tokens += other.output_tokens;
  characters += other.characters;
  reasoning_tokens += other.reasoning_tokens;
  unsplit_tokens += other.unsplit_tokens;
  unsplit_characters += other.unsplit_characters;
  priced += other.priced;
  cost_usd += other.cost_usd;
  at_candidate_prices.input += other.at_candidate_prices.input;
  at_candidate_prices.cache_read += other.at_candidate_prices.cache_read;
  at_candidate_prices.cache_write += other.at_candidate_prices.cache_write;
  at_candidate_prices.output += other.at_candidate_prices.output;
}

PairedSpend spend_of(const Observation& seen) noexcept {
  PairedSpend spend;
  spend.pairs = 1;
  spend.cache_read_tokens = tokens(seen.usage.cache_read);
  spend.cache_write_tokens = tokens(seen.usage.cache_write);
  spend.input_tokens =
      tokens(seen.usage.input) + spend.cache_read_tokens + spend.cache_write_tokens;
  spend.output_tokens = tokens(seen.usage.output);
  spend.characters = characters_of(seen.answer);
  if (seen.usage.reasoning) {
    spend.reasoning_tokens = std::min(tokens(seen.usage.reasoning), spend.output_tokens);
  } else if (thinks(seen.answer)) {
    spend.unsplit_tokens = spend.output_tokens;
    spend.unsplit_characters = spend.characters;
  }
  return spend;
}

nlohmann::json to_json(const PairedSpend& spend) {
  const CostParts& moved = spend.at_candidate_prices;
  return {
      {"pairs", spend.pairs},
      {"input_tokens", spend.input_tokens},
      {"cache_read_tokens", spend.cache_read_tokens},
      {"cache_write_tokens", spend.cache_write_tokens},
      {"output_tokens", spend.output_tokens},
      {"characters", spend.characters},
      {"reasoning_tokens", spend.reasoning_tokens},
      {"unsplit", {spend.unsplit_tokens, spend.unsplit_characters}},
      {"priced", spend.priced},
      {"cost_usd", spend.cost_usd},
      {"at_candidate_prices", {moved.input, moved.cache_read, moved.cache_write, moved.output}}};
}

PairedSpend spend_from_json(const nlohmann::json& json) {
  PairedSpend spend;
  spend.pairs = count(json.at("pairs"));
  spend.input_tokens = count(json.at("input_tokens"));
  spend.cache_read_tokens = count(json.at("cache_read_tokens"));
  spend.cache_write_tokens = count(json.at("cache_write_tokens"));
  spend.output_tokens = count(json.at("output_tokens"));
  spend.characters = count(json.at("characters"));
  spend.reasoning_tokens = count(json.at("reasoning_tokens"));
  spend.unsplit_tokens = count(json.at("unsplit").at(0));
  spend.unsplit_characters = count(json.at("unsplit").at(1));
  spend.priced = count(json.at("priced"));
  spend.cost_usd = amount(json.at("cost_usd"));
  const auto& moved = json.at("at_candidate_prices");
  spend.at_candidate_prices = {.input = amount(moved.at(0)),
                               .cache_read = amount(moved.at(1)),
                               .cache_write = amount(moved.at(2)),
                               .output = amount(moved.at(3))};
  return spend;
}

}  // namespace understudy::metrics
