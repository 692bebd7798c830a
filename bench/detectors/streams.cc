#include "bench/detectors/streams.h"

#include <algorithm>
#include <cmath>

namespace understudy::bench {
namespace {

using metrics::GateKind;
using metrics::kGateCount;
using namespace std::chrono_literals;

constexpr double kLatencySpread = 0.5;  // of ln seconds between requests
constexpr double kPairSpread = 0.15;    // within a pair, either side: 0.21 of their ratio
constexpr double kTail = 0.06;          // of the candidate's answers, where those are slow
const double kUsualSeconds = 2.0;

std::optional<metrics::Signal> signal_of(std::size_t gate) {
  for (const metrics::Signal signal : metrics::kSignals) {
    if (metrics::label(signal) == routing::kGates[gate].signal) return signal;
  }
  return std::nullopt;
}

const std::array<metrics::Signal, kGateCount> kSignalOf = [] {
  std::array<metrics::Signal, kGateCount> signals{};
  for (std::size_t gate = 0; gate < kGateCount; ++gate) signals[gate] = signal_of(gate).value();
  return signals;
}();

const std::size_t kLatencyGate = routing::gate_of("latency").value();
const std::size_t kCostGate = routing::gate_of("cost").value();

metrics::Finding ratio(metrics::Signal signal, double log_ratio) {
  metrics::Finding finding;
  finding.signal = signal;
  finding.value = log_ratio;
  return finding;
}

std::chrono::nanoseconds seconds(double count) {
  return std::chrono::nanoseconds{static_cast<std::int64_t>(count * 1e9)};
}

}  // namespace

PairStream::PairStream(const StreamPlan& plan, std::uint64_t seed) : plan_(plan), random_(seed) {
  double sum = 0.0;
  for (std::size_t family = 0; family < plan.families; ++family) {
    names_.push_back("family-" + std::to_string(family));
    // From 13 % of the traffic down to 2 %, where there are twenty.
    sum += 1.0 / (static_cast<double>(family) + 3.0);
    up_to_.push_back(sum);
    auto& of_family = noise_.emplace_back();
    for (std::size_t gate = 0; gate < kGateCount; ++gate) {
      const bool noisy = metrics::gate_kind(gate) == GateKind::noise;
      of_family[gate] = plan.noise;
      if (plan.noise_varies)
        of_family[gate] =
            noisy ? 0.02 + 0.10 * random_.uniform() : 0.001 + 0.019 * random_.uniform();
    }
  }
  for (double& up_to : up_to_) up_to /= sum;
  for (auto* seen : {&pair_.served, &pair_.other}) {
    seen->answer.parsed = true;
    seen->answer.text = "The parcel was delayed by a storm and should reach you on Thursday.";
    seen->status = 200;
    seen->usage = {.input = 400, .output = 120, .cache_read = {}, .cache_write = {}};
    seen->cost_usd = 0.003;
  }
  pair_.other.variant = routing::Variant::candidate;
}

std::chrono::system_clock::time_point PairStream::begin() noexcept {
  return std::chrono::system_clock::time_point{std::chrono::seconds{1'790'006'400}};
}

std::size_t PairStream::draw_family(double day) {
  // By night the rare families are frequent and the frequent ones rare.
  const bool turned = plan_.day_and_night && random_.chance(0.5 - 0.5 * std::cos(day));
  const auto found = std::ranges::upper_bound(up_to_, random_.uniform());
  const auto family = std::min(static_cast<std::size_t>(found - up_to_.begin()), up_to_.size() - 1);
  return turned ? up_to_.size() - 1 - family : family;
}

void PairStream::regress(const Regression& regression, std::optional<std::size_t> family) {
  plan_.regression = regression;
  plan_.affected_family = family;
  affected_pairs_ = 0;
}

bool PairStream::is_affected() const noexcept {
  return plan_.regression && (!plan_.affected_family || pair_.family == *plan_.affected_family);
}

// The share of answers that the regression spoils by now, in that gate.
double PairStream::spoilt(std::size_t gate) const noexcept {
  if (!is_affected()) return 0.0;
  if (routing::kGates[gate].signal != plan_.regression->signal) return 0.0;
  const double grows = plan_.regression->grows_over;
  const double grown =
      grows > 0.0 ? std::min(1.0, static_cast<double>(affected_pairs_) / grows) : 1.0;
  return plan_.regression->rate * grown;
}

void PairStream::draw_flags(double day) {
  pair_.shadow.findings.clear();
  pair_.control.findings.clear();
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const GateKind kind = metrics::gate_kind(gate);
    Flags& flags = pair_.flags[gate];
    flags = {};
    if (kind == GateKind::ratio) continue;
    double noise = noise_[pair_.family][gate];
    if (plan_.day_and_night)
      noise = std::min(0.3, noise * (1.0 + 9.0 * (0.5 - 0.5 * std::cos(day))));
    flags = {.primary = random_.chance(noise),
             .candidate = random_.chance(noise) || random_.chance(spoilt(gate)),
             .primary_again = random_.chance(noise)};
    metrics::Finding finding;
    finding.signal = kSignalOf[gate];
    if (kind == GateKind::noise) {
      // Here a flag says that an answer differs from the primary's first one.
      flags.primary = false;
      finding.diverges = flags.candidate;
      if (finding.diverges) pair_.shadow.findings.push_back(finding);
      finding.diverges = flags.primary_again;
      if (finding.diverges) pair_.control.findings.push_back(finding);
    } else if (flags.primary || flags.candidate) {
      finding.served_bad = flags.primary;
      finding.other_bad = flags.candidate;
      finding.diverges = flags.primary != flags.candidate;
      pair_.shadow.findings.push_back(finding);
    }
  }
}

void PairStream::draw_times(double day) {
  const double by_night = plan_.day_and_night ? 1.0 + 2.0 * (0.5 - 0.5 * std::cos(day)) : 1.0;
  const double usual = kUsualSeconds * by_night * std::exp(kLatencySpread * random_.normal());
  const double primary = usual * std::exp(kPairSpread * random_.normal());
  double candidate =
      usual * std::exp(kPairSpread * random_.normal()) * (1.0 + spoilt(kLatencyGate));
  if (plan_.slow_tail > 1.0 && random_.chance(kTail)) candidate *= plan_.slow_tail;
  pair_.served.total = seconds(primary);
  pair_.other.total = seconds(candidate);
  pair_.shadow.findings.push_back(ratio(kSignalOf[kLatencyGate], std::log(candidate / primary)));
  pair_.shadow.findings.push_back(ratio(kSignalOf[kCostGate], 0.1 * random_.normal()));
}

const StreamedPair& PairStream::next() {
  const double hours = static_cast<double>(pairs_) / plan_.pairs_an_hour;
  const double day = hours / 24.0 * 2.0 * std::numbers::pi;
  pair_.at = begin() + std::chrono::duration_cast<std::chrono::system_clock::duration>(
                           std::chrono::duration<double, std::ratio<3600>>(hours));
  pair_.family = draw_family(day);
  if (is_affected()) ++affected_pairs_;
  ++pairs_;
  draw_flags(day);
  draw_times(day);
  return pair_;
}

void record(metrics::RouteEvidence& evidence, const StreamedPair& pair, const std::string& family,
            bool asked_again) {
  evidence.record_pair(
      family, {.comparison = pair.shadow, .served = pair.served, .other = pair.other}, pair.at);
  if (asked_again) evidence.record_triple(family, pair.shadow, pair.control);
}

}  // namespace understudy::bench
