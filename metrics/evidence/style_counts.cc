#include "metrics/evidence/style_counts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <string>

#include "metrics/evidence/json_parts.h"

namespace understudy::metrics {
namespace {

constexpr double kConfidence = 0.05;

std::optional<std::size_t> index_of(Signal signal) noexcept {
  const auto found = std::ranges::find(StyleCounts::kMeasured, signal);
  if (found == StyleCounts::kMeasured.end()) return std::nullopt;
  return static_cast<std::size_t>(found - StyleCounts::kMeasured.begin());
}

const Finding* find(const Comparison& comparison, Signal signal) noexcept {
  const auto found = std::ranges::find(comparison.findings, signal, &Finding::signal);
  return found == comparison.findings.end() || !std::isfinite(found->value) ? nullptr : &*found;
}

// The mean of the values in the unit that people read.
double unit_of_mean(Signal signal, double mean) noexcept {
  return signal == Signal::containment ? difference_of_mean(mean) : ratio_of_mean(mean);
}

}  // namespace

void StyleCounts::add_pair(const Comparison& comparison) {
  for (const Signal signal : kMeasured) {
    const Finding* finding = signal == Signal::containment ? nullptr : find(comparison, signal);
    // A tool that only one of them calls is no number of calls.
    if (finding && !finding->served_bad && !finding->other_bad)
      ++values_[*index_of(signal)][value_of_ratio(std::exp(finding->value))];
  }
}

void StyleCounts::add_triple(const Comparison& shadow, const Comparison& control) {
  const Finding* other = find(shadow, Signal::containment);
  const Finding* again = find(control, Signal::containment);
  if (other && again)
    ++values_[*index_of(Signal::containment)][value_of_difference(again->value - other->value)];
}

void StyleCounts::merge(const StyleCounts& other) noexcept {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    for (std::size_t k = 0; k < kRatioValues; ++k) values_[i][k] += other.values_[i][k];
  }
}

std::optional<StyleCounts::Figure> StyleCounts::figure(Signal signal) const noexcept {
  const auto index = index_of(signal);
  if (!index) return std::nullopt;
  const Values& values = values_[*index];
  Figure figure;
  figure.pairs = std::accumulate(values.begin(), values.end(), std::uint64_t{0});
  if (figure.pairs == 0) return std::nullopt;
  figure.mean = unit_of_mean(signal, mean_of(values));
  const Interval mean = confidence_sequence(values, kConfidence);
  figure.interval = {unit_of_mean(signal, mean.low), unit_of_mean(signal, mean.high)};
  return figure;
}

nlohmann::json StyleCounts::to_json() const {
  nlohmann::json json = nlohmann::json::object();
  for (std::size_t i = 0; i < values_.size(); ++i)
    json[std::string(label(kMeasured[i]))] = values_[i];
  return json;
}

StyleCounts StyleCounts::from_json(const nlohmann::json& json) {
  StyleCounts counts;
  for (std::size_t i = 0; i < counts.values_.size(); ++i) {
    const auto told = json.find(std::string(label(kMeasured[i])));
    if (told == json.end()) continue;
    if (told->size() != kRatioValues)
      throw std::invalid_argument("a measured signal has other counts than this version knows");
    read_counts(*told, counts.values_[i]);
  }
  return counts;
}

}  // namespace understudy::metrics
