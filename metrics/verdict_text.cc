#include "metrics/verdict_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

namespace understudy::metrics {
namespace {

struct Wording {
  std::string_view signal;
  std::string_view what;  // of a share: what the bad ones did; of a ratio: the figure
};

constexpr std::array kWordings{
    Wording{"validation_error", "requests are refused as invalid"},
    Wording{"error_class", "calls fail"},
    Wording{"refusal", "answers refuse or do not answer"},
    Wording{"truncation", "answers break off"},
    Wording{"empty", "answers are empty"},
    Wording{"json_contract", "answers break the JSON contract"},
    Wording{"tool_contract", "tool calls break the tools' contract"},
    Wording{"language", "answers are in another language"},
    Wording{"label", "answers give another label"},
    Wording{"number", "answers give another number"},
    Wording{"json_agreement", "JSON answers hold other values"},
    Wording{"tool_agreement", "answers call other tools or with other arguments"},
    Wording{"latency", "answers take"},
    Wording{"cost", "requests cost"},
};

std::string_view wording(std::size_t gate) noexcept {
  const std::string_view signal = routing::kGates[gate].signal;
  const auto found = std::ranges::find(kWordings, signal, &Wording::signal);
  return found == kWordings.end() ? signal : found->what;
}

std::string percent(double share) {
  return text_of_number(share * 100.0) + " %";
}

std::string signed_percent(double share) {
  return (share < 0.0 ? "-" : "+") + percent(std::abs(share));
}

std::string where(const GateResult& result) {
  return result.family == kAllFamilies ? "" : " in family " + result.family;
}

std::string counted(std::uint64_t pairs) {
  return std::to_string(pairs) + (pairs == 1 ? " pair" : " pairs");
}

// "2026-11-21 07:00 UTC"
std::string minute_text(std::chrono::sys_seconds at) {
  const std::time_t seconds = at.time_since_epoch().count();
  std::tm parts{};
  std::array<char, 64> text{};
  if (!gmtime_r(&seconds, &parts)) return "long ago";
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts);
  return text.data();
}

std::string seen_text(const GateResult& result) {
  std::string text = counted(result.pairs);
  if (gate_kind(result.gate) == GateKind::noise) text += " with a second answer of the primary";
  if (result.since) text += " since " + minute_text(*result.since);
  if (!result.stage.empty()) text += ", when stage " + result.stage + " began";
  return text;
}

std::string ratio_text(const GateResult& result) {
  const std::string what{wording(result.gate)};
  if (!result.difference) return what + where(result) + ": not measured yet";
  return what + where(result) + " " + signed_percent(*result.difference) + " (between " +
         signed_percent(result.interval.low) + " and " + signed_percent(result.interval.high) +
         "), " + seen_text(result);
}

std::string share_text(const GateResult& result) {
  const bool noisy = gate_kind(result.gate) == GateKind::noise;
  std::string text = std::string{wording(result.gate)} + where(result) + ": ";
  if (!result.candidate_rate) return text + "no pair yet";
  text += percent(*result.candidate_rate) + " of the candidate's, ";
  if (result.primary_rate) {
    text += percent(*result.primary_rate) +
            (noisy ? " of the primary's own second answers" : " of the primary's");
  } else {
    text += "not measured between two answers of the primary (control_percent)";
  }
  return text + ", " + seen_text(result);
}

// "2.1 s (2 to 2.3)"
std::string seconds_text(const QuantileResult::Side& side) {
  if (!side.value) return "an unknown time";
  std::string text = text_of_number(*side.value / 1'000.0) + " s";
  if (!side.bounds) return text;
  text += " (" + text_of_number(side.bounds->low / 1'000.0);
  if (!std::isfinite(side.bounds->high)) return text + " or more)";
  return text + " to " + text_of_number(side.bounds->high / 1'000.0) + ")";
}

std::string what_next(const GateResult& result) {
  switch (result.state) {
    case GateState::alarm:
      if (!result.leading_family.empty() && !result.critical)
        return ". Worse than by chance, above all in family " + result.leading_family;
      if (!result.leading_family.empty())
        return ", above all in family " + result.leading_family + ". This alone forbids the switch";
      return result.family == kAllFamilies && result.critical ? ". This alone forbids the switch"
                                                              : ". Worse than by chance";
    case GateState::safe:
      return ". Safe";
    case GateState::info:
      return ". Switched off: for information";
    case GateState::open:
      break;
  }
  if (!result.pairs_needed) return ". Not shown to be safe";
  return ". About " + counted(*result.pairs_needed) + " more needed if it goes on like this";
}

}  // namespace

std::string text_of_number(double number) {
  std::array<char, 32> text{};
  const double size = std::abs(number);
  const int decimals = size >= 9.95 || size < 0.005 ? (size >= 99.95 || size < 0.005 ? 0 : 1) : 2;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, number);
  return text.data();
}

namespace {

// Some begin with a name in capitals.
std::string as_sentence(std::string text) {
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text;
}

}  // namespace

std::string text_of(const GateResult& result) {
  std::string text =
      gate_kind(result.gate) == GateKind::ratio ? ratio_text(result) : share_text(result);
  text += what_next(result) + ".";
  return as_sentence(std::move(text));
}

std::string text_of(const QuantileResult& result) {
  std::string text = result.signal == "latency" ? "Answers take" : "First tokens take";
  text += " at most " + seconds_text(result.candidate) + " in " +
          text_of_number(result.quantile * 100.0) + " % of the candidate's, " +
          seconds_text(result.primary) + " of the primary's, " +
          std::to_string(result.candidate.answers) + " answers";
  switch (result.state) {
    case GateState::alarm:
      return text + ". Slower than by chance.";
    case GateState::safe:
      return text + ". Safe.";
    case GateState::info:
    case GateState::open:
      break;
  }
  return text + ".";
}

namespace {

std::string number_of(std::ptrdiff_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

// " About 300 pairs and 5 hours more are needed if it goes on like this."
std::string needed_text(const Verdict& verdict) {
  std::string needed;
  if (verdict.pairs_needed) needed = "about " + counted(*verdict.pairs_needed);
  if (verdict.hours_needed) {
    if (!needed.empty()) needed += " and ";
    needed += number_of(static_cast<std::ptrdiff_t>(*verdict.hours_needed), "hour", "hours");
  }
  if (needed.empty()) return {};
  return " " + as_sentence(std::move(needed)) + " more are needed if it goes on like this.";
}

}  // namespace

std::string text_of(const Verdict& verdict, const CoverageFacts& facts) {
  const auto of_state = [&](GateState state) {
    return std::ranges::count(verdict.reasons, state, &GateResult::state);
  };
  const auto slow = std::ranges::count(verdict.quantiles, GateState::alarm, &QuantileResult::state);
  const std::string alarms = number_of(of_state(GateState::alarm) + slow, "alarm", "alarms");
  switch (verdict.state) {
    case VerdictState::roll_back:
      return (facts.candidate_serves
                  ? std::string{"Roll back: the candidate is worse where it must not be ("}
                  : std::string{"Do not promote: the candidate is worse where it must not be ("}) +
             alarms + ").";
    case VerdictState::fix_first:
      return "Fix first: " + alarms +
             "; what is not named may go on being prepared for the switch.";
    case VerdictState::safe_to_promote:
      return "Safe to promote: every gate is shown to be within its margin, " +
             counted(verdict.pairs) + ".";
    case VerdictState::keep_shadowing:
      break;
  }
  return "Keep shadowing: nothing alarms, " +
         number_of(of_state(GateState::open), "gate is open", "gates are open") + " and " +
         number_of(std::ssize(verdict.missing), "condition of coverage is not met",
                   "conditions of coverage are not met") +
         "." + needed_text(verdict);
}

}  // namespace understudy::metrics
