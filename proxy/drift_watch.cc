#include "proxy/drift_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "proxy/log.h"

namespace understudy::proxy {
namespace {

using metrics::DriftBaseline;
using metrics::DriftFinding;
using metrics::FirstTokenCounts;
using metrics::FirstTokenHour;
using metrics::FirstTokens;
using metrics::GateCounts;
using metrics::ServedHour;
using metrics::ServedTally;
using nlohmann::json;
using routing::Moment;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::seconds;

constexpr int kVersion = 1;
constexpr int kMaxDepth = 8;
constexpr std::uintmax_t kMaxBytes = 2u << 20;
constexpr std::size_t kMaxTextBytes = 256;

json counts_json(const ServedTally& tally) {
  return {tally.requests, tally.errors, tally.fallbacks};
}

ServedTally read_tally(const json& from) {
  return {from.at(0).get<std::uint64_t>(), from.at(1).get<std::uint64_t>(),
          from.at(2).get<std::uint64_t>()};
}

// Most are zero: [[index, count], ...]
json first_token_counts_json(const FirstTokenCounts& counts) {
  json used = json::array();
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] > 0) used.push_back({k, counts[k]});
  }
  return used;
}

FirstTokenCounts read_first_token_counts(const json& from) {
  FirstTokenCounts counts{};
  if (from.size() > counts.size()) throw std::invalid_argument("too many values");
  for (const json& one : from)
    counts.at(one.at(0).get<std::size_t>()) = one.at(1).get<std::uint64_t>();
  return counts;
}

// None in files of versions that did not watch them.
FirstTokens read_first_tokens(const json& baseline) {
  const auto found = baseline.find("first_tokens");
  if (found == baseline.end()) return {};
  const auto usual_ms = found->at("usual_ms").get<double>();
  if (!(usual_ms >= 0.0 && usual_ms <= 1e9)) throw std::invalid_argument("no time");
  return {.usual_ms = usual_ms, .counts = read_first_token_counts(found->at("counts"))};
}

json gates_json(const DriftBaseline& baseline) {
  json gates = json::object();
  for (std::size_t gate = 0; gate < metrics::kGateCount; ++gate) {
    const GateCounts& counts = baseline.gates[gate];
    const auto values = counts.counts(gate);
    gates[std::string(metrics::drift_signal(gate))] = {
        {"values", std::vector<std::uint64_t>(values.begin(), values.end())},
        {"candidate", {counts.candidate_pairs, counts.candidate_bad}}};
  }
  return gates;
}

void read_gates(const json& from, DriftBaseline& baseline) {
  for (std::size_t gate = 0; gate < metrics::kGateCount; ++gate) {
    const auto found = from.find(std::string(metrics::drift_signal(gate)));
    if (found == from.end()) continue;
    const json& values = found->at("values");
    if (values.size() > metrics::gate_values(gate)) throw std::invalid_argument("too many values");
    GateCounts& counts = baseline.gates[gate];
    for (std::size_t k = 0; k < values.size(); ++k)
      counts.values[k] = values[k].get<std::uint64_t>();
    counts.candidate_pairs = found->at("candidate").at(0).get<std::uint64_t>();
    counts.candidate_bad = found->at("candidate").at(1).get<std::uint64_t>();
  }
}

DriftBaseline read_baseline(const json& from) {
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  const auto since = from.at("since").get<std::int64_t>();
  if (since < 0 || since > kYear9999) throw std::invalid_argument("no time");
  DriftBaseline baseline{.since = std::chrono::sys_seconds(seconds(since)),
                         .served = read_tally(from.at("served")),
                         .first_tokens = read_first_tokens(from)};
  read_gates(from.at("gates"), baseline);
  return baseline;
}

template <typename Hour, typename Read>
std::vector<Hour> read_hours(const json& from, std::size_t most, Read read) {
  if (from.size() > most) throw std::invalid_argument("too many hours");
  std::vector<Hour> all;
  for (const json& one : from) {
    Hour hour{one.at(0).get<std::int64_t>(), read(one.at(1))};
    if (!all.empty() && hour.hour <= all.back().hour) throw std::invalid_argument("no order");
    all.push_back(std::move(hour));
  }
  return all;
}

// The entry of that hour, which no other is later than.
template <typename Hour>
Hour& newest(std::vector<Hour>& all, std::int64_t hour, std::size_t most) {
  if (all.empty() || all.back().hour < hour) {
    if (all.size() == most) all.erase(all.begin());
    all.push_back({hour, {}});
  }
  return all.back();
}

std::int64_t hour_of(Moment moment) {
  return floor<hours>(moment).time_since_epoch().count();
}

std::string short_text(const json& from) {
  auto text = from.get<std::string>();
  if (text.size() > kMaxTextBytes) throw std::invalid_argument("too long");
  return text;
}

std::uint64_t whole(double value) noexcept {
  return value > 0.0 ? static_cast<std::uint64_t>(value) : 0;
}

bool contains(const std::vector<std::string>& names, std::string_view name) noexcept {
  return std::ranges::find(names, name) != names.end();
}

json share_or_null(const std::optional<double>& value) {
  return value ? json(*value) : json();
}

}  // namespace

std::string to_json_text(const DriftMemory& memory) {
  json all = json::array();
  for (const ServedHour& hour : memory.hours) all.push_back({hour.hour, counts_json(hour.tally)});
  json first_tokens = json::array();
  for (const FirstTokenHour& hour : memory.first_tokens)
    first_tokens.push_back({hour.hour, first_token_counts_json(hour.counts)});
  json baseline;
  if (memory.baseline) {
    const FirstTokens& usual = memory.baseline->first_tokens;
    baseline = {{"since", memory.baseline->since.time_since_epoch().count()},
                {"served", counts_json(memory.baseline->served)},
                {"first_tokens",
                 {{"usual_ms", usual.usual_ms}, {"counts", first_token_counts_json(usual.counts)}}},
                {"gates", gates_json(*memory.baseline)}};
  }
  return json{{"version", kVersion},
              {"experiment", memory.experiment},
              {"rollout", counts_json(memory.rollout)},
              {"baseline", std::move(baseline)},
              {"hours", std::move(all)},
              {"first_tokens", std::move(first_tokens)},
              {"drifting", memory.drifting}}
             .dump() +
         "\n";
}

std::optional<DriftMemory> drift_from_json(std::string_view text) {
  try {
    const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; };
    const json from = json::parse(text, shallow);
    if (from.at("version").get<int>() != kVersion) return std::nullopt;
    DriftMemory memory{.experiment = short_text(from.at("experiment")),
                       .rollout = read_tally(from.at("rollout"))};
    if (!from.at("baseline").is_null()) memory.baseline = read_baseline(from.at("baseline"));
    memory.hours = read_hours<ServedHour>(from.at("hours"), DriftWatch::kMaxHours, read_tally);
    if (const auto found = from.find("first_tokens"); found != from.end()) {
      memory.first_tokens = read_hours<FirstTokenHour>(*found, DriftWatch::kMaxFirstTokenHours,
                                                       read_first_token_counts);
    }
    if (from.at("drifting").size() > metrics::kDriftSignals) return std::nullopt;
    for (const json& signal : from.at("drifting")) memory.drifting.push_back(short_text(signal));
    return memory;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

DriftWatch::DriftWatch(std::string route, std::string experiment,
                       const std::filesystem::path& directory, metrics::StateStore& store)
    : route_(std::move(route)),
      file_(directory.empty() ? directory : directory / ("drift-" + route_ + ".json")),
      store_(store) {
  memory_.experiment = std::move(experiment);
  if (file_.empty()) return;
  const metrics::StateText read = store_.read(file_, kMaxBytes);
  auto known = read.text ? drift_from_json(*read.text) : std::nullopt;
  if (known && known->experiment == memory_.experiment) memory_ = std::move(*known);
  if (!read.problem.empty() || (read.text && !known)) {
    store_.set_aside(file_, "damaged");
    log_warn("drift_not_loaded", {{"route", std::string_view(route_)},
                                  {"what", file_.string() + " was set aside as .damaged"}});
  }
}

DriftWatch::~DriftWatch() {
  if (unsaved_) save(saved_);
}

std::string DriftWatch::text() const {
  std::string all;
  for (const DriftFinding& found : findings_) {
    if (contains(memory_.drifting, metrics::drift_signal(found.signal)))
      all.append(all.empty() ? "" : "; ").append(found.text);
  }
  return all;
}

std::optional<DriftView> DriftWatch::view() const {
  if (!memory_.baseline) return std::nullopt;
  return DriftView{memory_.baseline->since, findings_, memory_.drifting};
}

// What the candidate was asked since the last look: of the rollout, or of this hour.
void DriftWatch::count(const ServedFigures& candidate, Moment now) {
  const ServedFigures before = std::exchange(counted_, candidate).value_or(candidate);
  const ServedFigures later = candidate.since(before);
  const ServedTally tally{whole(later.requests), whole(later.errors), whole(later.fallbacks)};
  if (tally == ServedTally{}) return;
  unsaved_ = true;
  if (!memory_.baseline) return memory_.rollout.add(tally);
  newest(memory_.hours, hour_of(now), kMaxHours).tally.add(tally);
}

// What came since the last look, as of this hour; all of it together is in the evidence itself.
void DriftWatch::count_first_tokens(const metrics::RouteEvidence& evidence, Moment now) {
  if (!memory_.baseline || memory_.baseline->first_tokens.usual_ms <= 0.0) return;
  const FirstTokenCounts seen =
      first_tokens_against(evidence, memory_.baseline->first_tokens.usual_ms);
  const FirstTokenCounts before = std::exchange(counted_first_tokens_, seen).value_or(seen);
  const auto later = metrics::first_tokens_since(seen, before);
  if (!later || *later == FirstTokenCounts{}) return;
  FirstTokenHour& hour = newest(memory_.first_tokens, hour_of(now), kMaxFirstTokenHours);
  for (std::size_t k = 0; k < later->size(); ++k) hour.counts[k] += (*later)[k];
  unsaved_ = true;
}

void DriftWatch::take_baseline(const Look& look) {
  DriftBaseline baseline{.since = floor<seconds>(look.complete_since), .served = memory_.rollout};
  baseline.gates = look.evidence->pooled().gates;
  baseline.first_tokens = first_tokens_of(*look.evidence);
  memory_.baseline = baseline;
  unsaved_ = true;
}

std::vector<std::string> DriftWatch::look(const Look& look, Moment now) {
  const bool complete = look.phase == routing::RolloutPhase::complete;
  if (!complete && memory_.baseline) {
    // Taken back, or another plan: what follows is another rollout, by the same evidence.
    memory_ = {.experiment = memory_.experiment, .rollout = memory_.baseline->served};
    judge_.reset();
    findings_.clear();
    counted_first_tokens_.reset();
    unsaved_ = true;
  }
  count(look.candidate, now);
  std::vector<std::string> told;
  if (complete && !memory_.baseline && look.evidence != nullptr) {
    take_baseline(look);
    save(now);
  }
  if (look.evidence != nullptr) count_first_tokens(*look.evidence, now);
  if (memory_.baseline) {
    if (!judge_ || !(judge_->rules() == look.rules)) judge_.emplace(*memory_.baseline, look.rules);
    findings_ = judge_->judge(look.evidence, memory_.hours, memory_.first_tokens);
    for (const DriftFinding& found : findings_) {
      const std::string_view signal = metrics::drift_signal(found.signal);
      if (!found.drifts || contains(memory_.drifting, signal)) continue;
      memory_.drifting.emplace_back(signal);
      told.push_back(found.text);
      saved_ = {};  // at once
      unsaved_ = true;
    }
  }
  if (unsaved_ && (now - saved_ >= kSaveEvery || now < saved_)) save(now);
  return told;
}

void DriftWatch::save(Moment now) {
  saved_ = now;
  unsaved_ = false;
  if (!file_.empty()) store_.write(file_, to_json_text(memory_));
}

bool DriftView::drifts(std::string_view signal) const noexcept {
  return contains(drifting, signal);
}

json describe_drift(const DriftView& drift) {
  json signals = json::array();
  for (const DriftFinding& found : drift.findings) {
    const std::string_view signal = metrics::drift_signal(found.signal);
    signals.push_back(
        {{"signal", signal},
         {"drifts", drift.drifts(signal)},
         {"seen", found.seen},
         {"during_rollout", share_or_null(found.before)},
         {"since", share_or_null(found.after)},
         {"from_unix_seconds", found.from ? json(found.from->time_since_epoch().count()) : json()},
         {"text", found.text}});
  }
  return {{"since_unix_seconds", drift.since.time_since_epoch().count()},
          {"drifts", !drift.drifting.empty()},
          {"drifting", drift.drifting},
          {"signals", std::move(signals)}};
}

}  // namespace understudy::proxy
