#include "proxy/route_status.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "metrics/statistics/rate_sequences.h"
#include "proxy/evidence_status.h"
#include "proxy/route_parameters.h"
#include "proxy/tool_call_note.h"
#include "proxy/untested.h"
#include "proxy/verdict_status.h"

namespace understudy::proxy {
namespace {

using metrics::Interval;
using metrics::Proportion;
using metrics::Signal;
using metrics::SignalCounts;
using metrics::StyleCounts;
using nlohmann::json;

// How a signal's count is told. Where a signal holds two answers against each other, the rates are
// shares of pairs that differ: primary against its own second answer (the noise), and candidate
// against primary.
struct Wording {
  bool relative = false;
  std::string_view what;
};

// Of what is no gate: gates are told by metrics/verdict_text.
Wording wording(Signal signal) {
  switch (signal) {
    case Signal::stop_reason:
      return {false, "answers ended in a refusal, a filter or malformed output"};
    case Signal::first_tool:
      return {true, "answers begin with another tool"};
    case Signal::containment:
      return {true, "answers share almost no words"};
    case Signal::verbosity:
      return {true, "answers differ in length by more than a quarter"};
    case Signal::markdown:
      return {false, "answers use Markdown where the family never does"};
    case Signal::thinking:
      return {false, "answers begin with thinking"};
    case Signal::citations:
      return {false, "answers cite nothing"};
    case Signal::stream_shape:
      return {false, "streams stall or break their order"};
    case Signal::first_token:
      return {true, "answers differ in time to the first token by more than a quarter"};
    default:
      return {true, "answers differ"};
  }
}

struct Rates {
  Proportion primary;
  Proportion candidate;
  // Without control pairs the noise of a relative signal is unknown, which is not zero.
  bool known() const { return primary.total > 0 && candidate.total > 0; }
};

Rates rates(Signal signal, const SignalCounts& counts, const SignalCounts& noise) {
  if (wording(signal).relative)
    return {{noise.divergent, noise.pairs}, {counts.divergent, counts.pairs}};
  return {{counts.served_bad, counts.pairs}, {counts.other_bad, counts.pairs}};
}

std::string number_text(const char* format, double value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string share_text(Proportion share) {
  return std::to_string(share.hits) + " of " + std::to_string(share.total) + " (" +
         number_text("%.2f", share.rate() * 100.0) + " %)";
}

using Figure = std::optional<StyleCounts::Figure>;

std::string bounds_text(const Figure& figure, const char* format, double scale) {
  if (!figure) return "";
  return " (with 95 % between " + number_text(format, figure->interval.low * scale) + " and " +
         number_text(format, figure->interval.high * scale) + ")";
}

// Of pairs that an earlier process saw nothing but the figure is known.
std::string figure_text(Signal signal, const StyleCounts::Figure& figure) {
  const std::string pairs = ", " + std::to_string(figure.pairs) + " pairs.";
  if (signal == Signal::containment) {
    return "Answers share " + number_text("%.1f", figure.mean * 100.0) +
           " points of their words fewer than two answers of the primary" +
           bounds_text(figure, "%.1f", 100.0) + pairs;
  }
  return "Copies have " + number_text("%.2f", figure.mean) + " times as much on average" +
         bounds_text(figure, "%.2f", 1.0) + pairs;
}

std::string value_text(Signal signal, const SignalCounts& counts, const Figure& figure) {
  const double mean = counts.value_sum / static_cast<double>(counts.pairs);
  if (signal == Signal::verbosity || signal == Signal::first_token) {
    return "; copies have " + number_text("%.2f", std::exp(mean)) + " times as much on average" +
           bounds_text(figure, "%.2f", 1.0);
  }
  if (signal != Signal::containment) return "";
  const std::string shared =
      "; " + number_text("%.0f", mean * 100.0) + " % of the words are shared on average";
  if (!figure) return shared;
  return shared + ", " + number_text("%.1f", figure->mean * 100.0) +
         " points fewer than between two answers of the primary" +
         bounds_text(figure, "%.1f", 100.0);
}

std::string text_of(Signal signal, const SignalCounts& counts, const Rates& seen,
                    const Figure& figure) {
  const Wording words = wording(signal);
  if (counts.pairs == 0 && figure) return figure_text(signal, *figure);
  if (counts.pairs == 0)
    return "No pair yet in which it could be said whether " + std::string(words.what) + ".";
  std::string text = std::string(words.what) + ": ";
  if (!words.relative) {
    text += "primary " + share_text(seen.primary) + ", candidate " + share_text(seen.candidate);
    text += "; the two sides differ in " + std::to_string(counts.divergent) + " pairs";
  } else {
    text += share_text(seen.candidate) + " between primary and candidate, ";
    text += seen.primary.total > 0
                ? share_text(seen.primary) + " between two answers of the same variant"
                : "not measured between two answers of the same variant";
  }
  text += value_text(signal, counts, figure) + ".";
  text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

json rate_or_null(Proportion share) {
  return share.total == 0 ? json() : json(share.rate());
}

// Of what is a number in every pair: ratios of the candidate's to the primary's, containment the
// share of words that is lost.
json describe_figure(const Figure& figure) {
  if (!figure) return nullptr;
  return {{"mean", figure->mean},
          {"interval", {figure->interval.low, figure->interval.high}},
          {"pairs", figure->pairs}};
}

// The noise is of pairs of its own.
Interval interval_of(Signal signal, const SignalCounts& counts, const Rates& seen) {
  return wording(signal).relative
             ? metrics::difference_sequence(seen.primary, seen.candidate)
             : metrics::paired_difference_sequence(seen.primary, seen.candidate, counts.divergent);
}

json describe_reason(Signal signal, const SignalCounts& counts, const SignalCounts& noise,
                     const Figure& figure) {
  const Rates seen = rates(signal, counts, noise);
  json reason = {
      {"family", "all"},
      {"signal", label(signal)},
      {"state", "info"},
      {"text", text_of(signal, counts, seen, figure)},
      {"pairs", counts.pairs},
      {"divergent", counts.divergent},
      {"control_pairs", noise.pairs},
      {"primary_rate", rate_or_null(seen.primary)},
      {"candidate_rate", rate_or_null(seen.candidate)},
      {"difference", nullptr},
      {"interval", nullptr},
      {"figure", describe_figure(figure)},
  };
  if (seen.known()) {
    const Interval interval = interval_of(signal, counts, seen);
    reason["difference"] = seen.candidate.rate() - seen.primary.rate();
    reason["interval"] = {interval.low, interval.high};
  }
  return reason;
}

// What stands out of its noise comes first, then what differs most.
std::pair<bool, double> tellingness(const json& reason) {
  if (reason["interval"].is_null()) return {false, -1.0};
  const bool beyond_noise = reason["interval"][0] > 0.0 || reason["interval"][1] < 0.0;
  return {beyond_noise, std::abs(reason["difference"].get<double>())};
}

SignalCounts counts_of(const std::map<Signal, SignalCounts>& all, Signal signal) {
  const auto found = all.find(signal);
  return found == all.end() ? SignalCounts{} : found->second;
}

json describe_counts(const metrics::RouteCounts& counts) {
  return {{"eligible", counts.eligible},
          {"compared", counts.compared},
          {"failed", json(counts.failed)},
          {"skipped", json(counts.skipped)},
          {"dropped", json(counts.dropped)}};
}

json percent_or_null(double part, double whole) {
  return whole <= 0.0 ? json() : json(100.0 * part / whole);
}

// The shares that came to be, beside the configured ones: equal conversations share one bucket.
json describe_shares(std::string_view route, const metrics::RouteCounts& counts,
                     const std::vector<Sample>& samples) {
  double by_primary = 0.0;
  double by_candidate = 0.0;
  for (const Sample& sample : samples) {
    if (sample.name != "understudy_requests_total" || sample.label("route") != route ||
        sample.label("leg") != "served") {
      continue;
    }
    (sample.label("variant") == "candidate" ? by_candidate : by_primary) += sample.value;
  }
  // Attempts whose answer nobody got: the primary's stands among its own.
  by_candidate = std::max(0.0, by_candidate - static_cast<double>(total(counts.fallbacks)));
  const auto copied =
      static_cast<double>(counts.compared + total(counts.failed) + total(counts.dropped));
  return {{"primary", static_cast<std::uint64_t>(by_primary)},
          {"candidate", static_cast<std::uint64_t>(by_candidate)},
          {"candidate_percent", percent_or_null(by_candidate, by_primary + by_candidate)},
          {"shadowed_percent", percent_or_null(copied, static_cast<double>(counts.eligible))}};
}

struct Measured {
  double requests = 0.0;
  double errors = 0.0;
  Histogram duration, first_token, per_token;
  std::map<std::string, double> tokens;
  double usage_missing = 0.0;
  std::optional<double> cost_usd;

  void add(const Sample& sample);
  json describe() const;
};

bool add_to_histogram(Histogram& histogram, std::string_view family, const Sample& sample) {
  const std::string_view name = sample.name;
  if (!name.starts_with(family)) return false;
  const std::string_view suffix = name.substr(family.size());
  if (suffix == "_bucket") {
    histogram.add_bucket(std::strtod(std::string(sample.label("le")).c_str(), nullptr),
                         sample.value);
  } else if (suffix == "_sum") {
    histogram.add_sum(sample.value);
  }
  return true;
}

void Measured::add(const Sample& sample) {
  if (add_to_histogram(duration, "understudy_request_duration_seconds", sample) ||
      add_to_histogram(first_token, "understudy_time_to_first_token_seconds", sample) ||
      add_to_histogram(per_token, "understudy_time_per_output_token_seconds", sample)) {
    return;
  }
  if (sample.name == "understudy_requests_total") {
    requests += sample.value;
    if (!sample.label("code").starts_with('2')) errors += sample.value;
  } else if (sample.name == "understudy_tokens_total") {
    tokens[std::string(sample.label("type"))] += sample.value;
  } else if (sample.name == "understudy_usage_missing_total") {
    usage_missing += sample.value;
  } else if (sample.name == "understudy_cost_usd_total") {
    cost_usd = cost_usd.value_or(0.0) + sample.value;
  }
}

json value_or_null(std::optional<double> value) {
  return value ? json(*value) : json();
}

json describe_histogram(const Histogram& histogram) {
  return {{"count", histogram.count()},
          {"mean", value_or_null(histogram.mean())},
          {"p50", value_or_null(histogram.quantile(0.5))},
          {"p95", value_or_null(histogram.quantile(0.95))}};
}

json Measured::describe() const {
  return {{"requests", requests},
          {"errors", errors},
          {"latency_seconds", describe_histogram(duration)},
          {"first_token_seconds", describe_histogram(first_token)},
          {"per_output_token_seconds", describe_histogram(per_token)},
          {"tokens", json(tokens)},
          {"usage_missing", usage_missing},
          {"cost_usd", value_or_null(cost_usd)}};
}

}  // namespace

nlohmann::json describe_information(const std::map<Signal, SignalCounts>& signals,
                                    const std::map<Signal, SignalCounts>& noise,
                                    const StyleCounts& style) {
  std::vector<json> reasons;
  for (const Signal signal : metrics::kSignals) {
    if (routing::gate_of(label(signal))) continue;
    reasons.push_back(describe_reason(signal, counts_of(signals, signal), counts_of(noise, signal),
                                      style.figure(signal)));
  }
  reasons.push_back(describe_tool_calls(counts_of(signals, Signal::tool_agreement),
                                        counts_of(noise, Signal::tool_agreement), style));
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const json& a, const json& b) { return tellingness(a) > tellingness(b); });
  return reasons;
}

nlohmann::json describe_measurements(std::string_view route, const std::vector<Sample>& samples) {
  std::map<std::pair<std::string, std::string>, Measured> by_variant_and_leg;
  for (const Sample& sample : samples) {
    if (sample.label("route") != route || sample.label("variant").empty()) continue;
    by_variant_and_leg[{std::string(sample.label("variant")), std::string(sample.label("leg"))}]
        .add(sample);
  }
  json described = json::array();
  for (const auto& [variant_and_leg, measured] : by_variant_and_leg) {
    json one = measured.describe();
    one["variant"] = variant_and_leg.first;
    one["leg"] = variant_and_leg.second;
    described.push_back(std::move(one));
  }
  return described;
}

nlohmann::json describe_route(const routing::Config& config, const routing::RouteConfig& route,
                              const metrics::RouteMeter& meter, const std::vector<Sample>& samples,
                              const std::shared_ptr<const metrics::RouteEvidence>& evidence,
                              const FleetReading* fleet) {
  const metrics::RouteCounts counts = meter.counts();
  json described = {
      {"name", route.name},
      {"shadow_percent", route.shadow.percent.value()},
      {"served", describe_shares(route.name, counts, samples)},
      {"counts", describe_counts(counts)},
      {"fallbacks", json(counts.fallbacks)},
      {"measured", describe_measurements(route.name, samples)},
      {"parameters", describe_parameters(route)},
  };
  described.update(describe_variants(config, route));
  const auto [verdict, judged] = judge_now(route, counts, evidence, fleet);
  described.update(describe_verdict(verdict, judged.get(), evidence.get()));
  described["fleet"] = describe_fleet(fleet);
  described["untested"] = untested(route, counts, meter.signals(), evidence.get());
  described["reproduction"] = reproduction(route.name);
  const bool records_shape = !config.records.directory.empty() &&
                             config.records.content != routing::RecordsConfig::Content::none;
  described["examples"] = describe_examples(evidence.get(), verdict, records_shape);
  const StyleCounts style = evidence ? evidence->style() : StyleCounts{};
  for (json& signal : describe_information(meter.signals(), meter.control_signals(), style))
    described["reasons"].push_back(std::move(signal));
  return described;
}

}  // namespace understudy::proxy
