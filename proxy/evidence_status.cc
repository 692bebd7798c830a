#include "proxy/evidence_status.h"

#include <bitset>
#include <nlohmann/json.hpp>
#include <optional>

#include "metrics/cost_report.h"

namespace understudy::proxy {
namespace {

using metrics::CostReport;
using metrics::RouteEvidence;
using nlohmann::json;
using routing::Variant;

constexpr std::size_t kShownMessages = 5;
constexpr double kConfidence = 0.05;

template <typename Value>
json or_null(const std::optional<Value>& value) {
  return value ? json(*value) : json();
}

// From one sum to another, both in USD.
json describe_change(double primary, double candidate) {
  return {
      {"primary_usd", primary},
      {"candidate_usd", candidate},
      {"difference_usd", candidate - primary},
      {"difference_percent", primary > 0.0 ? json((candidate / primary - 1.0) * 100.0) : json()}};
}

json describe_effects(const metrics::CostEffects& effects) {
  return {{"price_usd", effects.price},         {"tokenizer_usd", effects.tokenizer},
          {"verbosity_usd", effects.verbosity}, {"thinking_usd", or_null(effects.thinking)},
          {"cache_usd", effects.cache},         {"total_usd", effects.total()}};
}

json describe_month(const CostReport::Month& month) {
  json described = describe_change(month.primary_usd, month.candidate_usd);
  described["requests"] = month.requests;
  described["watched_seconds"] = month.watched.count();
  described["assumption"] =
      "all requests of the route, copied or not, keep coming as they did while it was watched, and "
      "cost what the compared pairs cost on average";
  return described;
}

json describe_ratio(const std::optional<CostReport::Ratio>& ratio) {
  if (!ratio) return nullptr;
  return {{"pairs", ratio->pairs},
          {"geometric_mean", ratio->mean},
          {"interval", {ratio->interval.low, ratio->interval.high}}};
}

json describe_cost(const CostReport& report) {
  json per_thousand;
  if (report.primary_usd && report.candidate_usd)
    per_thousand = describe_change(*report.primary_usd, *report.candidate_usd);
  return {
      {"text", text_of(report)},
      {"pairs", report.pairs},
      {"priced_pairs", report.priced},
      {"prices_as_of", report.prices_as_of.empty() ? json() : json(report.prices_as_of)},
      {"per_1000_requests", std::move(per_thousand)},
      {"ratio", describe_ratio(report.ratio)},
      {"decomposition", report.effects ? describe_effects(*report.effects) : json()},
      {"tokenizer_factor",
       {{"input", or_null(report.input_tokenizer)}, {"output", or_null(report.output_tokenizer)}}},
      {"cache",
       {{"primary_hit_share", or_null(report.primary_cache_share)},
        {"candidate_hit_share", or_null(report.candidate_cache_share)},
        {"candidate_usd_with_primarys_cache", or_null(report.candidate_usd_with_primarys_cache)}}},
      {"monthly", report.month ? describe_month(*report.month) : json()}};
}

json describe_validation_errors(const RouteEvidence& evidence) {
  json messages = json::array();
  for (const auto& message : evidence.validation_errors().top(kShownMessages)) {
    messages.push_back(
        {{"message", message.text}, {"count", message.count}, {"families", message.families}});
  }
  const std::uint64_t total = evidence.validation_errors().total();
  json text;
  if (total > 0) {
    const std::string most_frequent = messages.empty() ? "" : messages[0]["message"];
    text = "The candidate refuses requests as invalid, " + std::to_string(total) + " of " +
           std::to_string(evidence.pooled().pairs) + " pairs: \"" + most_frequent + "\"";
  }
  return {{"count", total}, {"text", std::move(text)}, {"messages", std::move(messages)}};
}

json describe_quantile(const metrics::TimeSketch& sketch, double p) {
  const auto seconds = [](double milliseconds) { return milliseconds / 1000.0; };
  const auto value = sketch.quantile(p);
  const auto bounds = sketch.quantile_bounds(p, kConfidence);
  return {{"seconds", value ? json(seconds(*value)) : json()},
          {"interval", bounds ? json{seconds(bounds->low), seconds(bounds->high)} : json()}};
}

json describe_times(const metrics::TimeSketch& sketch) {
  return {{"pairs", sketch.count()},
          {"p50", describe_quantile(sketch, 0.50)},
          {"p95", describe_quantile(sketch, 0.95)},
          {"p99", describe_quantile(sketch, 0.99)}};
}

json describe_containment(const metrics::ContainmentCounts& counts) {
  json described{{"triples", counts.triples()},
                 {"own_median", or_null(counts.own_median())},
                 {"excess", json()},
                 {"interval", json()}};
  if (const auto excess = counts.excess()) {
    described["excess"] = excess->mean;
    described["interval"] = {excess->interval.low, excess->interval.high};
  }
  return described;
}

// Of all traffic, and of families of which enough is known: what the candidate's answers share with
// the primary's, held against what two of the primary's share. Told, never judged.
json describe_containment(const RouteEvidence& evidence) {
  json described = describe_containment(evidence.pooled().containment);
  described["families"] = json::array();
  for (const auto& [name, family] : evidence.families()) {
    if (!family.containment.excess()) continue;
    json one = describe_containment(family.containment);
    one["family"] = name;
    described["families"].push_back(std::move(one));
  }
  return described;
}

std::string shape_text(const metrics::ExamplePair& pair) {
  std::string text = "candidate: ";
  if (!pair.detail.empty()) text += pair.detail + "; ";
  text += std::to_string(pair.candidate_characters) + " characters, " + pair.candidate_stop;
  text += "; primary: " + std::to_string(pair.primary_characters) + " characters, ";
  return text + pair.primary_stop;
}

json describe_example(std::size_t gate, const metrics::ExamplePair& pair, bool with_shape) {
  return {{"signal", routing::kGates[gate].signal},
          {"family", pair.family},
          {"exchange_id", pair.exchange_id},
          {"unix_seconds", pair.unix_seconds},
          {"weight", pair.weight},
          {"text", with_shape ? json(shape_text(pair)) : json()}};
}

}  // namespace

nlohmann::json describe_examples(const RouteEvidence* evidence, const metrics::Verdict& verdict,
                                 bool with_shape) {
  json examples = json::array();
  std::bitset<metrics::kGateCount> told;
  for (const metrics::GateResult& reason : verdict.reasons) {
    if (!evidence || reason.state != metrics::GateState::alarm || told.test(reason.gate)) continue;
    told.set(reason.gate);
    for (const auto& pair : evidence->examples().of(reason.gate))
      examples.push_back(describe_example(reason.gate, pair, with_shape));
  }
  return examples;
}

nlohmann::json describe_evidence(const RouteEvidence* evidence) {
  const RouteEvidence none({}, {});
  const RouteEvidence& of = evidence ? *evidence : none;
  return {{"cost", describe_cost(metrics::cost_report(of))},
          {"validation_errors", describe_validation_errors(of)},
          {"latency",
           {{"primary", describe_times(of.latency(Variant::primary))},
            {"candidate", describe_times(of.latency(Variant::candidate))}}},
          {"first_token",
           {{"primary", describe_times(of.first_token(Variant::primary))},
            {"candidate", describe_times(of.first_token(Variant::candidate))}}},
          {"containment", describe_containment(of)}};
}

}  // namespace understudy::proxy
