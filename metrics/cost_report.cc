#include "metrics/cost_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "metrics/verdict_text.h"

namespace understudy::metrics {
namespace {

std::optional<double> ratio(double numerator, double denominator) noexcept {
  if (!(numerator > 0.0) || !(denominator > 0.0)) return std::nullopt;
  return numerator / denominator;
}

std::optional<double> ratio(std::uint64_t numerator, std::uint64_t denominator) noexcept {
  return ratio(static_cast<double>(numerator), static_cast<double>(denominator));
}

std::uint64_t less(std::uint64_t whole, std::uint64_t part) noexcept {
  return whole - std::min(whole, part);
}

// Of the answers that did not think, or told how much they did.
std::optional<double> tokens_per_character(const PairedSpend& spend) noexcept {
  return ratio(less(spend.output_tokens, spend.reasoning_tokens + spend.unsplit_tokens),
               less(spend.characters, spend.unsplit_characters));
}

bool thinks(const PairedSpend& spend) noexcept {
  return spend.reasoning_tokens > 0 || spend.unsplit_tokens > 0;
}

bool uses_cache(const PairedSpend& spend) noexcept {
  return spend.cache_read_tokens > 0 || spend.cache_write_tokens > 0;
}

// The share of the answers' tokens that was thought: told, or what their characters do not explain.
std::optional<double> thinking_share(const PairedSpend& spend,
                                     std::optional<double> per_character) noexcept {
  if (!thinks(spend)) return 0.0;
  auto thought = static_cast<double>(spend.reasoning_tokens);
  if (spend.unsplit_tokens > 0) {
    if (!per_character) return std::nullopt;
    thought += std::max(0.0, static_cast<double>(spend.unsplit_tokens) -
                                 static_cast<double>(spend.unsplit_characters) * *per_character);
  }
  return ratio(thought, static_cast<double>(spend.output_tokens)).value_or(0.0);
}

// How the two tokenizers cut the same text.
struct Tokenizers {
  std::optional<double> input;  // the candidate's tokens for one of the primary
  std::optional<double> output;
  std::optional<double> primary_per_character, candidate_per_character;

  // Prompts are the same text. Of answers it is tokens for a character; a side that never answers
  // without thinking is taken to differ as its prompts do.
  Tokenizers(const PairedSpend& primary, const PairedSpend& candidate) noexcept
      : input(ratio(candidate.input_tokens, primary.input_tokens)),
        primary_per_character(tokens_per_character(primary)),
        candidate_per_character(tokens_per_character(candidate)) {
    if (!candidate_per_character && primary_per_character && input)
      candidate_per_character = *primary_per_character * *input;
    if (!primary_per_character && candidate_per_character && input)
      primary_per_character = *candidate_per_character / *input;
    output = primary_per_character && candidate_per_character
                 ? ratio(*candidate_per_character, *primary_per_character)
                 : input;
  }
};

void add_prompt_effects(const PairedSpend& primary, const PairedSpend& candidate,
                        const Tokenizers& tokenizers, CostEffects& into) noexcept {
  const double before = primary.at_candidate_prices.prompt();
  const double difference = candidate.at_candidate_prices.prompt() - before;
  if (!uses_cache(primary) && !uses_cache(candidate)) {
    into.tokenizer += difference;
    return;
  }
  const double by_tokenizer = before * (tokenizers.input.value_or(1.0) - 1.0);
  into.tokenizer += by_tokenizer;
  into.cache += difference - by_tokenizer;
}

void add_answer_effects(const PairedSpend& primary, const PairedSpend& candidate,
                        const Tokenizers& tokenizers, CostEffects& into) noexcept {
  const double before = primary.at_candidate_prices.output;
  const double difference = candidate.at_candidate_prices.output - before;
  const double factor = tokenizers.output.value_or(1.0);
  const double by_tokenizer = before * (factor - 1.0);
  into.tokenizer += by_tokenizer;
  const double rest = difference - by_tokenizer;
  if (!thinks(primary) && !thinks(candidate)) {
    into.verbosity += rest;
    return;
  }
  const auto thought = thinking_share(primary, tokenizers.primary_per_character);
  const bool tells = thinking_share(candidate, tokenizers.candidate_per_character).has_value();
  const auto longer = ratio(candidate.characters, primary.characters);
  if (!thought || !tells || !longer) {
    into.verbosity += rest;
    into.thinking.reset();
    return;
  }
  const double by_verbosity = before * (1.0 - *thought) * factor * (*longer - 1.0);
  into.verbosity += by_verbosity;
  into.thinking = rest - by_verbosity;
}

// Thinking that one of the two does not tell stays with the length of the answers in both.
void add(CostEffects& sum, const CostEffects& more) noexcept {
  sum.price += more.price;
  sum.tokenizer += more.tokenizer;
  sum.verbosity += more.verbosity;
  sum.cache += more.cache;
  if (sum.thinking && more.thinking) {
    *sum.thinking += *more.thinking;
    return;
  }
  sum.verbosity += sum.thinking.value_or(0.0) + more.thinking.value_or(0.0);
  sum.thinking.reset();
}

CostEffects scaled(CostEffects effects, double by) noexcept {
  effects.price *= by;
  effects.tokenizer *= by;
  effects.verbosity *= by;
  effects.cache *= by;
  if (effects.thinking) *effects.thinking *= by;
  return effects;
}

// By the gate's values, whether it is on or not.
std::optional<CostReport::Ratio> ratio_of_pairs(const RouteEvidence& evidence) noexcept {
  constexpr double kConfidence = 0.05;
  constexpr std::size_t kCost = *routing::gate_of("cost");
  const GateCounts& counts = evidence.pooled().gates[kCost];
  const std::uint64_t pairs = counts.total();
  if (pairs == 0) return std::nullopt;
  const ValueCounts values = counts.counts(kCost);
  const Interval mean = confidence_sequence(values, kConfidence);
  return CostReport::Ratio{.pairs = pairs,
                           .mean = ratio_of_mean(mean_of(values)),
                           .interval = {ratio_of_mean(mean.low), ratio_of_mean(mean.high)}};
}

// Family by family: what a family's mix with others does to a mean is no effect of its own.
std::optional<CostEffects> effects_of_families(const RouteEvidence& evidence) {
  std::optional<CostEffects> sum;
  for (const auto& [name, family] : evidence.families()) {
    const auto effects = cost_effects(family.primary, family.candidate);
    if (!effects) continue;
    if (!sum) sum.emplace();
    add(*sum, *effects);
  }
  return sum;
}

std::string dollars(double usd) {
  std::array<char, 48> text{};
  const double size = std::abs(usd);
  const int decimals = size >= 99.5 ? 0 : size >= 0.995 ? 2 : 4;
  std::snprintf(text.data(), text.size(), "%s$%.*f", usd < 0.0 ? "-" : "", decimals, size);
  return text.data();
}

std::string change(double before, double after) {
  if (!(before > 0.0)) return "";
  const double share = after / before - 1.0;
  return std::string(share < 0.0 ? " (-" : " (+") + text_of_number(std::abs(share) * 100.0) + " %)";
}

std::string effects_text(const CostEffects& effects) {
  std::string text;
  const auto tell = [&text](std::string_view what, double usd) {
    if (std::abs(usd) < 5e-5) return;
    text.append(text.empty() ? "" : ", ").append(what).append(usd < 0.0 ? " " : " +");
    text.append(dollars(usd));
  };
  tell("prices", effects.price);
  tell("tokenizer", effects.tokenizer);
  tell(effects.thinking ? "length of answers" : "length of answers and thinking",
       effects.verbosity);
  tell("thinking", effects.thinking.value_or(0.0));
  tell("prompt cache", effects.cache);
  return text.empty() ? text : ": " + text;
}

// ", by the pair 0.67 times as much (with 95 % between 0.65 and 0.69)"
std::string ratio_text(const CostReport::Ratio& ratio) {
  return ", by the pair " + text_of_number(ratio.mean) + " times as much (with 95 % between " +
         text_of_number(ratio.interval.low) + " and " + text_of_number(ratio.interval.high) + ")";
}

std::string watched_text(std::chrono::seconds watched) {
  const double hours = static_cast<double>(watched.count()) / 3600.0;
  if (hours >= 48.0) return text_of_number(hours / 24.0) + " days";
  return hours >= 1.0 ? text_of_number(hours) + " hours"
                      : text_of_number(hours * 60.0) + " minutes";
}

}  // namespace

std::optional<CostEffects> cost_effects(const PairedSpend& primary, const PairedSpend& candidate) {
  if (primary.priced == 0 || candidate.priced == 0) return std::nullopt;
  CostEffects effects;
  effects.price = primary.at_candidate_prices.total() - primary.cost_usd;
  const Tokenizers tokenizers(primary, candidate);
  add_prompt_effects(primary, candidate, tokenizers, effects);
  add_answer_effects(primary, candidate, tokenizers, effects);
  return effects;
}

CostReport cost_report(const RouteEvidence& evidence) {
  const PairedSpend& primary = evidence.pooled().primary;
  const PairedSpend& candidate = evidence.pooled().candidate;
  CostReport report;
  report.pairs = primary.pairs;
  report.priced = primary.priced;
  report.prices_as_of = evidence.prices_as_of();
  if (primary.pairs > 0) {
    const Tokenizers tokenizers(primary, candidate);
    report.input_tokenizer = tokenizers.input;
    report.output_tokenizer = tokenizers.output;
  }
  const auto cached = [](const PairedSpend& spend) -> std::optional<double> {
    if (spend.input_tokens == 0) return std::nullopt;
    return static_cast<double>(spend.cache_read_tokens) / static_cast<double>(spend.input_tokens);
  };
  report.primary_cache_share = cached(primary);
  report.candidate_cache_share = cached(candidate);
  if (report.priced == 0) return report;
  report.ratio = ratio_of_pairs(evidence);
  const double per_thousand = 1000.0 / static_cast<double>(report.priced);
  report.primary_usd = primary.cost_usd * per_thousand;
  report.candidate_usd = candidate.cost_usd * per_thousand;
  if (const auto effects = effects_of_families(evidence)) {
    report.effects = scaled(*effects, per_thousand);
    report.candidate_usd_with_primarys_cache = *report.candidate_usd - report.effects->cache;
  }
  if (const auto pace = evidence.traffic().pace()) {
    const double thousands = pace->requests_per_month / 1000.0;
    report.month = {.requests = pace->requests_per_month,
                    .primary_usd = *report.primary_usd * thousands,
                    .candidate_usd = *report.candidate_usd * thousands,
                    .watched = pace->watched};
  }
  return report;
}

std::string text_of(const CostReport& report) {
  if (report.pairs == 0) return "Cost is not known: no pair yet whose tokens both sides told.";
  if (!report.primary_usd || !report.candidate_usd)
    return "Cost is not known: there is no price for one of the models (prices_file).";
  std::string text = "1,000 requests cost " + dollars(*report.primary_usd) + " now and " +
                     dollars(*report.candidate_usd) + " with the candidate" +
                     change(*report.primary_usd, *report.candidate_usd);
  if (report.ratio) text += ratio_text(*report.ratio);
  if (report.effects) text += effects_text(*report.effects);
  text += ". Prices of " + report.prices_as_of + ", " + std::to_string(report.priced) + " pairs.";
  if (!report.month) return text;
  return text + " A month at the pace of the last " + watched_text(report.month->watched) + " (" +
         text_of_number(report.month->requests) +
         " requests): " + dollars(report.month->primary_usd) + " now, " +
         dollars(report.month->candidate_usd) + " with the candidate.";
}

}  // namespace understudy::metrics
