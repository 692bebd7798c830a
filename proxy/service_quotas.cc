#include "proxy/service_quotas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "routing/fields.h"
#include "routing/model_id.h"

namespace understudy::proxy {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr int kMaxDepth = 8;
constexpr double kMostSensible = 1e15;
constexpr std::string_view kInference = "model inference ";
constexpr std::string_view kFor = " per minute for ";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Runs of letters, in lower case, and runs of digits: "llama3-1-70b" and "Llama 3.1 70B" alike.
Words words_of(std::string_view text) {
  Words words;
  char before = ' ';
  for (const char c : text) {
    const bool digit = is_digit(c), letter = is_letter(c);
    const bool goes_on = (digit && is_digit(before)) || (letter && is_letter(before));
    if ((digit || letter) && !goes_on) words.emplace_back();
    if (digit) words.back().push_back(c);
    if (letter) words.back().push_back(static_cast<char>(c | 0x20));
    before = c;
  }
  return words;
}

bool is_number(const std::string& word) {
  return is_digit(word.front());
}
bool is_date(const std::string& word) {
  return word.size() == 8 && is_number(word);
}

// A model as its words say it, without the order: "v2" at the end apart.
struct NamedModel {
  Words words;          // sorted
  std::string version;  // empty: none is told

  bool is(const NamedModel& other) const {
    const auto first = [](const std::string& told) { return told.empty() || told == "1"; };
    return words == other.words &&
           (version == other.version || (first(version) && first(other.version)));
  }
};

NamedModel named(Words words) {
  NamedModel model;
  const std::size_t count = words.size();
  if (count > 2 && words[count - 2] == "v" && is_number(words[count - 1])) {
    model.version = words.back();
    words.resize(count - 2);
  }
  std::ranges::sort(words);
  model.words = std::move(words);
  return model;
}

// "anthropic.claude-3-5-sonnet-20241022-v2:0" without its date and the digit behind the colon.
NamedModel model_of_id(std::string_view id) {
  if (const std::size_t colon = id.rfind(':'); colon != id.npos) id = id.substr(0, colon);
  Words words = words_of(id);
  std::erase_if(words, is_date);
  return named(std::move(words));
}

// Vendors stand in every id, and not in every name.
bool is_the_model(std::string_view called, std::string_view id) {
  const NamedModel name = named(words_of(called));
  return name.is(model_of_id(id)) || name.is(model_of_id(id.substr(id.find('.') + 1)));
}

std::optional<std::uint64_t> whole(double value) {
  if (!(value >= 0.0 && value <= kMostSensible)) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

std::optional<ServiceQuota> read_quota(const json& from) {
  const auto name = from.find("QuotaName");
  const auto value = from.find("Value");
  if (name == from.end() || !name->is_string() || value == from.end() || !value->is_number())
    return std::nullopt;
  ServiceQuota quota{.name = name->get<std::string>(), .value = value->get<double>()};
  const bool of_inference = quota.name.size() <= kMaxNameBytes &&
                            quota.name.find(kInference) != std::string::npos &&
                            quota.name.find(kFor) != std::string::npos;
  if (!of_inference || !std::isfinite(quota.value)) return std::nullopt;
  return quota;
}

}  // namespace

std::string quota_page_question(std::string_view next_token) {
  json question{{"ServiceCode", "bedrock"}, {"MaxResults", kQuotasOfAPage}};
  if (!next_token.empty()) question["NextToken"] = next_token;
  return question.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<QuotaPage> read_quota_page(std::string_view body) {
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
  const json answer = json::parse(body, shallow, false);
  if (!answer.is_object()) return std::nullopt;
  const auto quotas = answer.find("Quotas");
  if (quotas == answer.end() || !quotas->is_array()) return std::nullopt;
  QuotaPage page;
  for (const json& one : *quotas) {
    if (!one.is_object()) continue;
    if (auto quota = read_quota(one)) page.quotas.push_back(*std::move(quota));
  }
  const auto token = answer.find("NextToken");
  if (token != answer.end() && token->is_string()) page.next_token = token->get<std::string>();
  if (page.next_token.size() > kMaxTokenBytes) return std::nullopt;
  return page;
}

std::string_view quota_kind(std::string_view model_id) noexcept {
  const std::string_view model = routing::foundation_model(model_id);
  std::string_view id = model_id.substr(model_id.rfind('/') + 1);  // npos + 1 is 0
  if (id == model) return "On-demand";
  return id.starts_with("global.") ? "Global cross-region" : "Cross-region";
}

ModelQuota quota_of_model(const std::vector<ServiceQuota>& quotas, std::string_view model_id,
                          std::string_view called) {
  const std::string_view model = routing::foundation_model(model_id);
  const std::string kind = std::string(quota_kind(model_id)) + " " + std::string(kInference);
  ModelQuota found;
  for (const ServiceQuota& quota : quotas) {
    std::string_view name = quota.name;
    if (!routing::equals_ignoring_case(name.substr(0, kind.size()), kind)) continue;
    name.remove_prefix(kind.size());
    const std::size_t end = name.find(kFor);
    if (end == name.npos) continue;
    const std::string_view unit = name.substr(0, end), of = name.substr(end + kFor.size());
    const bool is_it =
        called.empty() ? is_the_model(of, model) : routing::equals_ignoring_case(of, called);
    if (!is_it) continue;
    if (unit == "requests") found.requests_per_minute = whole(quota.value);
    if (unit == "tokens") found.tokens_per_minute = whole(quota.value);
  }
  return found;
}

}  // namespace understudy::proxy
