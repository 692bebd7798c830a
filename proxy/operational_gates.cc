#include "proxy/operational_gates.h"

#include <algorithm>
#include <cstdio>

#include "metrics/statistics/proportions.h"

namespace understudy::proxy {
namespace {

using routing::GateRule;
using routing::OperationalGate;
using State = GateCheck::State;

// What one check finds: how much worse, and whether that is beyond chance.
struct Finding {
  double worse = 0.0;  // in the unit of the threshold
  bool beyond_chance = true;
  double primary = 0.0, candidate = 0.0;  // the figures behind it
  bool alone = false;                     // there was no primary to hold it against
};

metrics::Proportion errors_of(const ServedFigures& figures) noexcept {
  const auto total = static_cast<std::uint64_t>(figures.requests);
  return {std::min(static_cast<std::uint64_t>(figures.errors), total), total};
}

// A few requests with one error among them prove nothing: the difference must be beyond chance.
Finding compare_errors(const ServedFigures& primary, const ServedFigures& candidate) noexcept {
  const auto before = errors_of(primary), after = errors_of(candidate);
  return {.worse = 100.0 * (after.rate() - before.rate()),
          .beyond_chance = newcombe(before, after).low > 0.0,
          .primary = 100.0 * before.rate(),
          .candidate = 100.0 * after.rate()};
}

// Where nothing is known of the primary: against one that never fails. Clients' own errors would
// count against the candidate then, so they do not.
Finding judge_errors_alone(const ServedFigures& candidate) noexcept {
  const auto total = static_cast<std::uint64_t>(candidate.requests);
  const metrics::Proportion none{0, total};
  const metrics::Proportion after{std::min(static_cast<std::uint64_t>(candidate.faults), total),
                                  total};
  return {.worse = 100.0 * after.rate(),
          .beyond_chance = newcombe(none, after).low > 0.0,
          .candidate = 100.0 * after.rate(),
          .alone = true};
}

// Means, since sums and counts are exact where quantiles of doubling buckets are not. A sum of
// nothing is one that is not known (no price, no usage): it finds nothing.
std::optional<Finding> compare_means(double primary_sum, double primary_count, double candidate_sum,
                                     double candidate_count) noexcept {
  if (primary_count <= 0.0 || candidate_count <= 0.0) return std::nullopt;
  if (primary_sum <= 0.0 || candidate_sum <= 0.0) return std::nullopt;
  const double before = primary_sum / primary_count, after = candidate_sum / candidate_count;
  return Finding{.worse = 100.0 * (after / before - 1.0), .primary = before, .candidate = after};
}

std::optional<Finding> find(OperationalGate gate, const ServedFigures& primary,
                            const ServedFigures& candidate) noexcept {
  switch (gate) {
    case OperationalGate::error_rate:
      return compare_errors(primary, candidate);
    case OperationalGate::latency:
      return compare_means(primary.seconds, primary.timed, candidate.seconds, candidate.timed);
    case OperationalGate::first_token:
      return compare_means(primary.first_token_seconds, primary.first_tokens,
                           candidate.first_token_seconds, candidate.first_tokens);
    case OperationalGate::cost:
      return compare_means(primary.cost_usd, primary.requests, candidate.cost_usd,
                           candidate.requests);
    case OperationalGate::fallback_rate: {
      const double rate = 100.0 * candidate.fallbacks / candidate.requests;
      return Finding{.worse = rate, .candidate = rate};
    }
  }
  return std::nullopt;
}

std::string_view unit_of(OperationalGate gate) noexcept {
  switch (gate) {
    case OperationalGate::error_rate:
    case OperationalGate::fallback_rate:
      return " %";
    case OperationalGate::latency:
    case OperationalGate::first_token:
      return " s";
    case OperationalGate::cost:
      return " USD";
  }
  return "";
}

std::string number(double value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

std::string text_of(OperationalGate gate, const Finding& found, const GateRule& rule,
                    std::size_t failed) {
  const std::string unit(unit_of(gate));
  std::string text = std::string(label(gate)) + ": candidate " + number(found.candidate) + unit;
  if (found.alone) {
    text += " of errors that no client makes, with no primary to compare";
  } else if (gate != OperationalGate::fallback_rate) {
    text += ", primary " + number(found.primary) + unit;
  }
  text += gate == OperationalGate::error_rate || gate == OperationalGate::fallback_rate
              ? "; at most " + number(rule.threshold) + " points"
              : "; at most " + number(rule.threshold) + " %";
  text += gate == OperationalGate::fallback_rate ? " allowed" : " more allowed";
  if (failed > 0)
    text += " (check " + std::to_string(failed) + " of " + std::to_string(rule.patience) +
            " that failed in a row)";
  return text;
}

}  // namespace

ServedFigures ServedFigures::since(const ServedFigures& before) const noexcept {
  return {.requests = requests - before.requests,
          .errors = errors - before.errors,
          .faults = faults - before.faults,
          .seconds = seconds - before.seconds,
          .timed = timed - before.timed,
          .first_token_seconds = first_token_seconds - before.first_token_seconds,
          .first_tokens = first_tokens - before.first_tokens,
          .cost_usd = cost_usd - before.cost_usd,
          .fallbacks = fallbacks - before.fallbacks};
}

std::string_view label(GateCheck::State state) noexcept {
  constexpr std::array<std::string_view, 5> kLabels{"off", "waiting", "passes", "fails", "broken"};
  return kLabels[static_cast<std::size_t>(state)];
}

void OperationalGates::restart() noexcept {
  for (Gate& gate : gates_) {
    gate.begun.reset();
    gate.check = {};
  }
}

OperationalGates::Baselines OperationalGates::baselines() const noexcept {
  Baselines all;
  for (std::size_t i = 0; i < gates_.size(); ++i) all[i] = gates_[i].baseline;
  return all;
}

void OperationalGates::restore(const Baselines& baselines) noexcept {
  for (std::size_t i = 0; i < gates_.size(); ++i) gates_[i].baseline = baselines[i];
}

void OperationalGates::look(const routing::RolloutGates& rules, const ServedFigures& primary,
                            const ServedFigures& candidate, routing::Moment now) {
  for (const OperationalGate which : routing::kOperationalGates) {
    const auto index = static_cast<std::size_t>(which);
    if (rules.operational[index]) {
      look_at(gates_[index], which, *rules.operational[index], primary, candidate, now);
    } else {
      gates_[index].check = {};
    }
  }
}

void OperationalGates::look_at(Gate& gate, OperationalGate which, const GateRule& rule,
                               const ServedFigures& primary, const ServedFigures& candidate,
                               routing::Moment now) {
  const auto begin = [&] {
    gate.begun = now;
    gate.primary = primary;
    gate.candidate = candidate;
  };
  if (gate.check.state == State::off) gate.check.state = State::waiting;
  if (!gate.begun) return begin();
  const ServedFigures by_candidate = candidate.since(gate.candidate);
  const auto enough = static_cast<double>(rule.min_requests);
  // A clock that was set back, or a meter that began anew.
  if (now < *gate.begun || by_candidate.requests < 0.0) return begin();
  if (now - *gate.begun < rule.interval || by_candidate.requests < enough) return;
  const ServedFigures by_primary = primary.since(gate.primary);
  // At 100 % the primary serves nobody: what it was like before stands for it.
  if (by_primary.requests >= enough) gate.baseline = by_primary;
  const bool unknown = which != OperationalGate::fallback_rate && !gate.baseline;
  const bool alone = which == OperationalGate::error_rate && by_primary.requests <= 0.0;
  if (unknown && !alone) return;  // the interval grows until it has served enough
  const auto found = unknown ? judge_errors_alone(by_candidate)
                             : find(which, gate.baseline.value_or(by_primary), by_candidate);
  begin();
  if (!found) return;
  GateCheck& check = gate.check;
  const bool failed = found->worse > rule.threshold && found->beyond_chance;
  check.failed_in_a_row = failed ? check.failed_in_a_row + 1 : 0;
  check.state = !failed                                 ? State::passes
                : check.failed_in_a_row < rule.patience ? State::fails
                                                        : State::broken;
  check.value = found->worse;
  check.text = text_of(which, *found, rule, check.failed_in_a_row);
}

bool OperationalGates::pass() const noexcept {
  return std::none_of(gates_.begin(), gates_.end(), [](const Gate& gate) {
    return gate.check.state == State::fails || gate.check.state == State::broken;
  });
}

std::optional<OperationalGate> OperationalGates::broken() const noexcept {
  for (const OperationalGate which : routing::kOperationalGates) {
    if (check(which).state == State::broken) return which;
  }
  return std::nullopt;
}

}  // namespace understudy::proxy
