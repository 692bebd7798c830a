#include "proxy/verdict_status.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "proxy/evidence_status.h"

namespace understudy::proxy {
namespace {

using metrics::GateResult;
using metrics::Verdict;
using metrics::VerdictState;
using nlohmann::json;

constexpr std::array kStates{VerdictState::safe_to_promote, VerdictState::keep_shadowing,
                             VerdictState::fix_first, VerdictState::roll_back};

json or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? json(*value) : json();
}

json or_null(const std::string& text) {
  return text.empty() ? json() : json(text);
}

json describe_gate(const GateResult& result) {
  const bool measured = result.pairs > 0;
  return {{"family", result.family},
          {"signal", routing::kGates[result.gate].signal},
          {"state", label(result.state)},
          {"critical", result.critical},
          {"text", result.text},
          {"pairs", result.pairs},
          {"primary_rate", or_null(result.primary_rate)},
          {"candidate_rate", or_null(result.candidate_rate)},
          {"difference", or_null(result.difference)},
          {"interval", measured ? json{result.interval.low, result.interval.high} : json()},
          {"pairs_needed", result.pairs_needed ? json(*result.pairs_needed) : json()},
          {"process", label(result.process)},
          {"since_unix_seconds",
           result.since ? json(result.since->time_since_epoch().count()) : json()},
          {"stage", or_null(result.stage)},
          {"leading_family", or_null(result.leading_family)}};
}

json describe_side(const metrics::QuantileResult::Side& side) {
  constexpr double kMilliseconds = 1e-3;
  return {{"answers", side.answers},
          {"seconds", side.value ? json(*side.value * kMilliseconds) : json()},
          {"interval",
           side.bounds ? json{side.bounds->low * kMilliseconds, side.bounds->high * kMilliseconds}
                       : json()}};
}

json describe_quantile(const metrics::QuantileResult& result) {
  return {{"signal", result.signal},
          {"quantile", result.quantile},
          {"state", label(result.state)},
          {"text", result.text},
          {"primary", describe_side(result.primary)},
          {"candidate", describe_side(result.candidate)}};
}

// An alarm of a quantile stands among the reasons as those of gates do.
json describe_slow_quantile(const metrics::QuantileResult& result) {
  const double primary = result.primary.value.value_or(0.0);
  const double candidate = result.candidate.value.value_or(0.0);
  return {{"family", metrics::kAllFamilies},
          {"signal", result.signal},
          {"quantile", result.quantile},
          {"state", label(result.state)},
          {"critical", false},
          {"text", result.text},
          {"pairs", result.candidate.answers},
          {"primary_rate", json()},
          {"candidate_rate", json()},
          {"difference", primary > 0.0 ? json(candidate / primary - 1.0) : json()},
          {"interval", json()},
          {"pairs_needed", json()},
          {"process", label(metrics::Process::whole)},
          {"since_unix_seconds", json()},
          {"stage", json()},
          {"leading_family", json()}};
}

json describe_worst(const Verdict& verdict, const std::string& family) {
  const auto worst = verdict.worst.find(family);
  if (worst == verdict.worst.end()) return nullptr;
  return {{"signal", routing::kGates[worst->second.gate].signal}, {"log_e", worst->second.log_e}};
}

// Alarms are those that stand: what was raised under a stricter threshold does not.
json describe_families(const metrics::RouteEvidence& evidence, const Verdict& verdict) {
  json families = json::array();
  for (const auto& entry : evidence.families()) {
    const metrics::FamilyEvidence& family = entry.second;
    const auto alarms = std::ranges::count_if(verdict.reasons, [&](const GateResult& result) {
      return result.state == metrics::GateState::alarm && result.family == entry.first;
    });
    families.push_back({{"family", entry.first},
                        {"pairs", family.pairs},
                        {"triples", family.triples},
                        {"alarms", alarms},
                        {"worst", describe_worst(verdict, entry.first)}});
  }
  return families;
}

// Null of a fleet's sums: each proxy watches its own traffic, and objects.
json describe_peak(const metrics::TrafficTally& traffic) {
  const auto peak = traffic.peak();
  if (!peak) return nullptr;
  return {{"busiest_hour_requests", peak->requests},
          {"busiest_hour_with_pairs_requests", peak->requests_with_pairs},
          {"covered", peak->is_covered()}};
}

json describe_coverage(const Verdict& verdict, const metrics::RouteEvidence* evidence) {
  if (!evidence) return {{"pairs", 0}, {"triples", 0}, {"hours", 0}, {"families", json::array()}};
  const auto since = std::chrono::floor<std::chrono::seconds>(evidence->since());
  return {{"pairs", verdict.pairs},
          {"triples", verdict.triples},
          {"hours", verdict.hours},
          {"missing", evidence->missing()},
          {"repeats", evidence->repeats()},
          {"experiment", evidence->experiment()},
          {"since_unix_seconds", since.time_since_epoch().count()},
          {"copies_drawn", evidence->copies().drawn},
          {"copies_dropped", evidence->copies().dropped},
          {"languages", evidence->languages()},
          {"peak", describe_peak(evidence->traffic())},
          {"families", describe_families(*evidence, verdict)}};
}

}  // namespace

std::uint64_t total(const std::map<std::string, std::uint64_t>& reasons) {
  return std::accumulate(reasons.begin(), reasons.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& reason) { return sum + reason.second; });
}

metrics::CopyCounts copies_of(const metrics::RouteCounts& counts) {
  using routing::SkipReason;
  std::uint64_t undrawn = 0;
  for (const SkipReason reason : {SkipReason::not_sampled, SkipReason::settled}) {
    const auto skipped = counts.skipped.find(std::string(label(reason)));
    if (skipped != counts.skipped.end()) undrawn += skipped->second;
  }
  return {.drawn = counts.eligible - std::min(undrawn, counts.eligible),
          .dropped = total(counts.dropped)};
}

metrics::CoverageFacts coverage_of(const routing::RouteConfig& route,
                                   const metrics::RouteCounts& counts,
                                   const metrics::RouteEvidence* evidence) {
  const bool tells = evidence && evidence->copies().drawn > 0;
  return {.copies = tells ? evidence->copies() : copies_of(counts),
          .candidate_serves = route.canary.ceiling() > routing::Percent{}};
}

metrics::Verdict judge_route(const routing::RouteConfig& route, const metrics::RouteCounts& counts,
                             const metrics::RouteEvidence* evidence) {
  const metrics::CoverageFacts facts = coverage_of(route, counts, evidence);
  if (evidence) return metrics::judge(*evidence, route.verdict, facts);
  return metrics::judge(metrics::RouteEvidence({}, {}), route.verdict, facts);
}

namespace {

void replace(Verdict& verdict, VerdictState state, std::string_view word, std::string why) {
  verdict.state = state;
  verdict.pairs_needed.reset();
  verdict.hours_needed.reset();
  verdict.text = std::string(word) + ": " + why + ".";
  verdict.missing.insert(verdict.missing.begin(), std::move(why));
}

// What single proxies know that the sums do not tell.
void heed_objections(Verdict& verdict, const FleetReading& fleet) {
  const bool open = verdict.state == VerdictState::safe_to_promote ||
                    verdict.state == VerdictState::keep_shadowing;
  if (open && fleet.alarms > 0) {
    replace(verdict, VerdictState::fix_first, "Fix first",
            "alarms in prompt families that only their own proxies know, " +
                std::to_string(fleet.alarms) + ": see /api/routes of each");
  } else if (verdict.state == VerdictState::safe_to_promote && fleet.badly_covered > 0) {
    replace(verdict, VerdictState::keep_shadowing, "Keep shadowing",
            std::to_string(fleet.badly_covered) +
                " of the fleet's proxies drop too many copies (max_dropped_percent) or have no "
                "pair from a peak (min_hours)");
  }
}

}  // namespace

Judgement judge_now(const routing::RouteConfig& route, const metrics::RouteCounts& counts,
                    std::shared_ptr<const metrics::RouteEvidence> local,
                    const FleetReading* fleet) {
  Judgement judged;
  if (fleet && fleet->fresh) {
    // Each proxy looks at its own drops, and objects.
    judged = {judge_route(route, {}, fleet->evidence.get()), fleet->evidence};
    heed_objections(judged.verdict, *fleet);
    return judged;
  }
  judged.verdict = judge_route(route, counts, local.get());
  judged.evidence = std::move(local);
  if (fleet && judged.verdict.state != VerdictState::roll_back) {
    replace(judged.verdict, VerdictState::keep_shadowing, "Keep shadowing",
            "the fleet's figures are not known: " + fleet->problem);
  }
  return judged;
}

nlohmann::json describe_fleet(const FleetReading* fleet) {
  if (!fleet) return nullptr;
  return {{"fresh", fleet->fresh},
          {"problem", or_null(fleet->problem)},
          {"replicas", fleet->replicas},
          {"gone_replicas", fleet->gone},
          {"pairs", fleet->evidence ? fleet->evidence->pooled().pairs : 0},
          {"as_of_unix_seconds", fleet->at.time_since_epoch().count() > 0
                                     ? json(fleet->at.time_since_epoch().count())
                                     : json()},
          {"objections", {{"alarms", fleet->alarms}, {"coverage", fleet->badly_covered}}}};
}

nlohmann::json describe_verdict(const Verdict& verdict, const metrics::RouteEvidence* evidence,
                                const metrics::RouteEvidence* local) {
  json reasons = json::array();
  const auto alarms = std::ranges::find_if(verdict.reasons, [](const GateResult& result) {
    return result.state != metrics::GateState::alarm;
  });
  for (auto result = verdict.reasons.begin(); result != alarms; ++result)
    reasons.push_back(describe_gate(*result));
  json quantiles = json::array();
  for (const metrics::QuantileResult& result : verdict.quantiles) {
    if (result.state == metrics::GateState::alarm)
      reasons.push_back(describe_slow_quantile(result));
    quantiles.push_back(describe_quantile(result));
  }
  for (auto result = alarms; result != verdict.reasons.end(); ++result)
    reasons.push_back(describe_gate(*result));
  json described = describe_evidence(local);
  described["verdict"] = label(verdict.state);
  described["verdict_text"] = verdict.text;
  described["missing"] = verdict.missing;
  described["pairs_needed"] = verdict.pairs_needed ? json(*verdict.pairs_needed) : json();
  described["hours_needed"] = verdict.hours_needed ? json(*verdict.hours_needed) : json();
  described["coverage"] = describe_coverage(verdict, evidence);
  described["quantiles"] = std::move(quantiles);
  described["reasons"] = std::move(reasons);
  return described;
}

std::string verdict_exposition(const Snapshot& snapshot, const EvidenceSource& evidence,
                               const FleetSource& fleet) {
  std::string text =
      "# HELP understudy_verdict What the evidence of a route allows: 1 for the verdict that "
      "holds\n# TYPE understudy_verdict gauge\n";
  const routing::Config& config = snapshot.config();
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const routing::RouteConfig& route = config.routes[i];
    if (!route.candidate) continue;
    const auto reading = fleet ? fleet(route.name) : nullptr;
    const Verdict verdict =
        judge_now(route, snapshot.meters[i]->counts(), evidence(route.name), reading.get()).verdict;
    for (const VerdictState state : kStates) {
      text.append("understudy_verdict{route=\"").append(route.name).append("\",verdict=\"");
      text.append(label(state)).append("\"} ").append(state == verdict.state ? "1\n" : "0\n");
    }
  }
  return text;
}

}  // namespace understudy::proxy
