#include "metrics/token_quota.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "metrics/pricing.h"
#include "routing/day.h"

namespace understudy::metrics {

std::string built_in_quota_rules();  // generated from token_quota.json

namespace {

using Json = nlohmann::json;

std::uint64_t tokens(const std::optional<std::int64_t>& count) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count.value_or(0), 0));
}

template <class T>
T read_count(const Json& rule, const char* key, T most) {
  const auto value = rule.at(key).get<std::int64_t>();
  if (value < 1 || value > static_cast<std::int64_t>(most))
    throw std::invalid_argument{std::string(key) + " must be between 1 and " +
                                std::to_string(most)};
  return static_cast<T>(value);
}

QuotaRule read_rule(const Json& rule) {
  return {.output_burn_down = read_count<std::uint32_t>(rule, "output_burn_down", 1000),
          .max_output_tokens = read_count<std::uint64_t>(rule, "max_output_tokens", 10'000'000)};
}

std::shared_ptr<const QuotaRules> read_file(std::string_view text) {
  const Json json = Json::parse(text);
  const std::string as_of = json.at("as_of").get<std::string>();
  if (!routing::day_from_text(as_of))
    throw std::invalid_argument{"as_of: '" + as_of + "' is no day (YYYY-MM-DD)"};
  const Json& entries = json.at("models");
  if (!entries.is_array() || entries.empty() || entries.size() > QuotaRules::kMaxRules)
    throw std::invalid_argument{"models must be a list of 1 to " +
                                std::to_string(QuotaRules::kMaxRules) + " rules"};
  QuotaRules::Table table;
  for (const Json& entry : entries) {
    const std::string pattern = entry.at("models").get<std::string>();
    try {
      table.emplace_back(routing::Glob(pattern), read_rule(entry));
    } catch (const std::exception& problem) {
      throw std::invalid_argument{"models '" + pattern + "': " + problem.what()};
    }
  }
  return std::make_shared<const QuotaRules>(as_of, std::move(table));
}

}  // namespace

std::uint64_t reserved_tokens(std::uint64_t input, std::optional<std::uint64_t> max_output,
                              const QuotaRule& rule) noexcept {
  // A client may name a bound beyond all sense; the sum must not wrap around.
  constexpr std::uint64_t kMostSensible = 1'000'000'000;
  return input + std::min(max_output.value_or(rule.max_output_tokens), kMostSensible);
}

std::optional<std::uint64_t> whole_input(const Usage& usage) noexcept {
  if (!usage.input) return std::nullopt;
  return tokens(usage.input) + tokens(usage.cache_read) + tokens(usage.cache_write);
}

std::optional<std::uint64_t> counted_tokens(const Usage& usage, const QuotaRule& rule) noexcept {
  if (!usage.input) return std::nullopt;
  return tokens(usage.input) + tokens(usage.cache_write) +
         tokens(usage.output) * rule.output_burn_down;
}

std::shared_ptr<const QuotaRules> QuotaRules::built_in() {
  static const auto rules = read_file(built_in_quota_rules());
  return rules;
}

std::variant<std::shared_ptr<const QuotaRules>, QuotaRulesProblem> QuotaRules::from_json(
    std::string_view json, std::string_view file_name) {
  try {
    return read_file(json);
  } catch (const std::exception& problem) {
    return QuotaRulesProblem{std::string{file_name} + ": " + problem.what() +
                             "; correct it or leave `quotas_file` out to use the built-in rules"};
  }
}

QuotaRule QuotaRules::of(std::string_view model_id) const {
  const std::string_view model = canonical_model(model_id);
  const auto found =
      std::ranges::find_if(table_, [&](const auto& entry) { return entry.first.matches(model); });
  return found == table_.end() ? QuotaRule{} : found->second;
}

}  // namespace understudy::metrics
