#include "metrics/pricing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "routing/day.h"
#include "routing/model_id.h"

namespace understudy::metrics {

std::string built_in_prices();  // generated from prices.json

namespace {

using Json = nlohmann::json;
using std::chrono::sys_days;

constexpr double kPerToken = 1e-6;

// USD per million tokens. What is absent is unknown.
struct Price {
  sys_days from = sys_days::min();
  double input = 0.0;
  double output = 0.0;
  std::optional<double> cache_read;
  std::optional<double> cache_write;     // kept for five minutes
  std::optional<double> cache_write_1h;  // kept for an hour
};

struct Model {
  double geo_premium = 1.0;
  std::vector<Price> prices;  // by day, never empty
};

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

sys_days read_day(const std::string& text) {
  if (const auto day = routing::day_from_text(text)) return *day;
  throw std::invalid_argument{"'" + text + "' is no day (YYYY-MM-DD)"};
}

double read_amount(const Json& amount) {
  const double value = amount.get<double>();
  if (!std::isfinite(value) || value < 0.0) throw std::invalid_argument{"a price below zero"};
  return value;
}

std::optional<double> read_optional_amount(const Json& price, const char* key) {
  if (!price.contains(key)) return std::nullopt;
  return read_amount(price.at(key));
}

Price read_price(const Json& json) {
  Price price;
  if (json.contains("from")) price.from = read_day(json.at("from").get<std::string>());
  price.input = read_amount(json.at("input"));
  price.output = read_amount(json.at("output"));
  price.cache_read = read_optional_amount(json, "cache_read");
  price.cache_write = read_optional_amount(json, "cache_write");
  price.cache_write_1h = read_optional_amount(json, "cache_write_1h");
  return price;
}

Model read_model(const Json& json) {
  Model model;
  if (json.contains("geo_premium")) model.geo_premium = read_amount(json.at("geo_premium"));
  for (const Json& price : json.at("prices")) model.prices.push_back(read_price(price));
  if (model.prices.empty()) throw std::invalid_argument{"no price given"};
  std::stable_sort(model.prices.begin(), model.prices.end(),
                   [](const Price& a, const Price& b) { return a.from < b.from; });
  return model;
}

const Price* price_at(const Model& model, sys_days day) {
  const Price* found = nullptr;
  for (const Price& price : model.prices) {
    if (price.from <= day) found = &price;
  }
  return found;
}

std::string_view behind_last_slash(std::string_view id) {
  return id.substr(id.rfind('/') + 1);  // npos + 1 is 0
}

// "us" of "us.anthropic.claude-sonnet-5", whose foundation model is `model`; empty for a bare id.
std::string_view geo_prefix(std::string_view model_id, std::string_view model) {
  const std::string_view id = behind_last_slash(model_id);
  if (model.empty() || id.size() <= model.size()) return {};
  return id.substr(0, id.size() - model.size() - 1);
}

// "-v2:0" and with a context size "-v1:0:300k"; "-v1" alone too, and OpenAI's "-1:0".
std::string_view canonical_name(std::string_view model_id, std::string_view foundation) {
  std::string_view name = foundation.empty() ? behind_last_slash(model_id) : foundation;
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return name;
  std::string_view version = name.substr(dash + 1);
  const bool marked = version.starts_with('v');
  if (marked) version.remove_prefix(1);
  const std::size_t colon = version.find(':');
  const bool is_version = marked || colon != std::string_view::npos;
  if (!is_version || !all_digits(version.substr(0, colon))) return name;
  return name.substr(0, dash);
}

// Unknown where there are such tokens and no price for them.
std::optional<double> part(std::int64_t tokens, const std::optional<double>& price) {
  if (tokens <= 0) return 0.0;
  if (!price) return std::nullopt;
  return static_cast<double>(tokens) * *price * kPerToken;
}

std::optional<double> written(const Usage& usage, const Price& price) {
  const std::int64_t all = usage.cache_write.value_or(0);
  const std::int64_t for_an_hour =
      std::clamp<std::int64_t>(usage.cache_write_1h.value_or(0), 0, std::max<std::int64_t>(all, 0));
  const auto brief = part(all - for_an_hour, price.cache_write);
  const auto longer = part(for_an_hour, price.cache_write_1h);
  if (!brief || !longer) return std::nullopt;
  return *brief + *longer;
}

}  // namespace

struct Prices::Table {
  std::string as_of;
  std::vector<std::string> premium_prefixes;
  std::map<std::string, Model, std::less<>> models;
};

namespace {

std::shared_ptr<const Prices::Table> read_table(std::string_view text) {
  const Json json = Json::parse(text);
  auto table = std::make_shared<Prices::Table>();
  table->as_of = json.at("as_of").get<std::string>();
  read_day(table->as_of);
  if (json.contains("geo_premium_prefixes")) {
    table->premium_prefixes = json.at("geo_premium_prefixes").get<std::vector<std::string>>();
  }
  for (const Json& entry : json.at("models")) {
    const std::string name = entry.at("model").get<std::string>();
    try {
      if (!table->models.emplace(canonical_model(name), read_model(entry)).second) {
        throw std::invalid_argument{"the model stands there twice"};
      }
    } catch (const std::exception& problem) {
      throw std::invalid_argument{"model '" + name + "': " + problem.what()};
    }
  }
  return table;
}

}  // namespace

std::shared_ptr<const Prices> Prices::built_in() {
  static const auto prices = std::make_shared<const Prices>(read_table(built_in_prices()));
  return prices;
}

std::variant<std::shared_ptr<const Prices>, PricesProblem> Prices::from_json(
    std::string_view json, std::string_view file_name) {
  try {
    return std::make_shared<const Prices>(read_table(json));
  } catch (const std::exception& problem) {
    return PricesProblem{std::string{file_name} + ": " + problem.what() +
                         "; correct it or leave `prices_file` out to use the built-in prices"};
  }
}

std::optional<CostParts> Prices::parts(std::string_view model_id, const Usage& usage,
                                       std::chrono::sys_days day) const {
  const std::string_view foundation = routing::foundation_model(model_id);
  const auto model = table_->models.find(canonical_name(model_id, foundation));
  if (model == table_->models.end()) return std::nullopt;
  const Price* price = price_at(model->second, day);
  if (price == nullptr || !usage.input) return std::nullopt;
  // Embeddings have no output; a text answer whose output is unknown has no known cost.
  if (!usage.output && price->output > 0.0) return std::nullopt;
  const auto cache_read = part(usage.cache_read.value_or(0), price->cache_read);
  const auto cache_write = written(usage, *price);
  if (!cache_read || !cache_write) return std::nullopt;
  const auto& prefixes = table_->premium_prefixes;
  const bool premium = std::find(prefixes.begin(), prefixes.end(),
                                 geo_prefix(model_id, foundation)) != prefixes.end();
  const double factor = premium ? model->second.geo_premium : 1.0;
  return CostParts{.input = *part(*usage.input, price->input) * factor,
                   .cache_read = *cache_read * factor,
                   .cache_write = *cache_write * factor,
                   .output = *part(usage.output.value_or(0), price->output) * factor};
}

std::optional<double> Prices::cost(std::string_view model_id, const Usage& usage,
                                   std::chrono::sys_days day) const {
  const auto known = parts(model_id, usage, day);
  return known ? std::optional(known->total()) : std::nullopt;
}

bool Prices::knows(std::string_view model_id) const {
  return table_->models.contains(canonical_model(model_id));
}

std::string_view Prices::as_of() const noexcept {
  return table_->as_of;
}

std::string_view canonical_model(std::string_view model_id) {
  return canonical_name(model_id, routing::foundation_model(model_id));
}

}  // namespace understudy::metrics
