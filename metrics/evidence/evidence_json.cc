#include "metrics/evidence/evidence_json.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace understudy::metrics {
namespace {

using nlohmann::json;

constexpr int kVersion = 2;
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kDayBytes = 10;  // "2026-11-20"

std::uint64_t count_of(const json& value) {
  if (!value.is_number_unsigned()) throw std::invalid_argument("a count is not a whole number");
  return value.get<std::uint64_t>();
}

std::uint64_t count_at(const json& object, const char* key) {
  return count_of(object.at(key));
}

// Counts without the zeros behind the last one.
json counts_json(ValueCounts counts) {
  std::size_t used = counts.size();
  while (used > 0 && counts[used - 1] == 0) --used;
  return json(std::vector<std::uint64_t>(counts.begin(), counts.begin() + static_cast<long>(used)));
}

json gate_json(const GateCounts& counts, std::size_t gate) {
  return {{"values", counts_json(counts.counts(gate))},
          {"candidate", {counts.candidate_pairs, counts.candidate_bad}},
          {"primary", {counts.primary_pairs, counts.primary_bad}}};
}

GateCounts read_gate(const json& from, std::size_t gate) {
  GateCounts counts;
  const json& values = from.at("values");
  if (!values.is_array() || values.size() > gate_values(gate))
    throw std::invalid_argument("a gate has more values than this version knows");
  for (std::size_t k = 0; k < values.size(); ++k) counts.values[k] = count_of(values[k]);
  counts.candidate_pairs = count_of(from.at("candidate").at(0));
  counts.candidate_bad = count_of(from.at("candidate").at(1));
  counts.primary_pairs = count_of(from.at("primary").at(0));
  counts.primary_bad = count_of(from.at("primary").at(1));
  return counts;
}

json family_json(const FamilyEvidence& family) {
  json gates = json::object();
  json alarmed = json::array();
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const std::string signal{routing::kGates[gate].signal};
    if (family.gates[gate] != GateCounts{}) gates[signal] = gate_json(family.gates[gate], gate);
    if (family.alarmed.test(gate)) alarmed.push_back(signal);
  }
  return {{"pairs", family.pairs},
          {"triples", family.triples},
          {"gates", std::move(gates)},
          {"alarmed", std::move(alarmed)},
          {"primary", to_json(family.primary)},
          {"candidate", to_json(family.candidate)}};
}

std::size_t known_gate(const std::string& signal) {
  const auto gate = routing::gate_of(signal);
  if (!gate) throw std::invalid_argument("no gate is called '" + signal.substr(0, 64) + "'");
  return *gate;
}

FamilyEvidence read_family(const json& from) {
  FamilyEvidence family;
  family.pairs = count_at(from, "pairs");
  family.triples = count_at(from, "triples");
  for (const auto& [signal, counts] : from.at("gates").items()) {
    const std::size_t gate = known_gate(signal);
    family.gates[gate] = read_gate(counts, gate);
  }
  for (const json& signal : from.at("alarmed"))
    family.alarmed.set(known_gate(signal.get<std::string>()));
  family.primary = spend_from_json(from.at("primary"));
  family.candidate = spend_from_json(from.at("candidate"));
  return family;
}

// [key, count] for every bucket that is not empty.
json sketch_json(const TimeSketch& sketch) {
  json used = json::array();
  for (std::size_t key = 0; key < TimeSketch::kBuckets; ++key) {
    if (sketch.buckets()[key] > 0) used.push_back({key, sketch.buckets()[key]});
  }
  return used;
}

TimeSketch read_sketch(const json& from) {
  TimeSketch::Buckets buckets{};
  for (const json& used : from) buckets.at(count_of(used.at(0))) = count_of(used.at(1));
  TimeSketch sketch;
  sketch.set_buckets(buckets);
  return sketch;
}

std::string read_day(const json& from) {
  auto day = from.get<std::string>();
  if (!day.empty() && day.size() != kDayBytes) throw std::invalid_argument("a day is none");
  return day;
}

bool is_shallow(int depth, json::parse_event_t, json&) {
  if (depth > kMaxDepth) throw std::invalid_argument("it is nested too deeply");
  return true;
}

}  // namespace

// The one place that sees RouteEvidence's inside besides itself.
struct EvidenceFormat {
  static json write(const RouteEvidence& evidence) {
    json families = json::object();
    for (const auto& [name, family] : evidence.families_) families[name] = family_json(family);
    const auto since = std::chrono::floor<std::chrono::seconds>(evidence.since_);
    json out = {{"version", kVersion},
                {"experiment", evidence.experiment_},
                {"since", since.time_since_epoch().count()},
                {"hours", evidence.hours_},
                {"last_hour", evidence.last_hour_},
                {"missing", evidence.missing_},
                {"repeats", evidence.repeats_},
                {"validation_errors", evidence.validation_errors_.to_json()},
                {"examples", evidence.examples_.to_json()},
                {"traffic", evidence.traffic_.to_json()},
                {"prices", {evidence.oldest_prices_, evidence.newest_prices_}},
                {"all", family_json(evidence.pooled_)},
                {"families", std::move(families)}};
    for (std::size_t variant = 0; variant < 2; ++variant) {
      out["latency"].push_back(sketch_json(evidence.latency_[variant]));
      out["first_token"].push_back(sketch_json(evidence.first_token_[variant]));
    }
    return out;
  }

  static RouteEvidence read(const json& from) {
    if (from.at("version") != kVersion)
      throw std::invalid_argument("its version is not " + std::to_string(kVersion));
    const std::chrono::seconds since{from.at("since").get<std::int64_t>()};
    RouteEvidence evidence(from.at("experiment").get<std::string>(),
                           std::chrono::system_clock::time_point{since});
    evidence.hours_ = count_at(from, "hours");
    evidence.last_hour_ = from.at("last_hour").get<std::int64_t>();
    evidence.missing_ = count_at(from, "missing");
    evidence.repeats_ = count_at(from, "repeats");
    evidence.validation_errors_ = MessageCounts::from_json(from.at("validation_errors"));
    evidence.examples_ = ExamplePairs::from_json(from.at("examples"));
    evidence.traffic_ = TrafficTally::from_json(from.at("traffic"));
    evidence.oldest_prices_ = read_day(from.at("prices").at(0));
    evidence.newest_prices_ = read_day(from.at("prices").at(1));
    evidence.pooled_ = read_family(from.at("all"));
    const json& families = from.at("families");
    if (families.size() > RouteEvidence::kMaxFamilies)
      throw std::invalid_argument("it has more families than there may be");
    for (const auto& [name, family] : families.items()) {
      if (name.size() > kMaxNameBytes) throw std::invalid_argument("a family's name is too long");
      evidence.families_.emplace(name, read_family(family));
    }
    for (std::size_t variant = 0; variant < 2; ++variant) {
      evidence.latency_[variant] = read_sketch(from.at("latency").at(variant));
      evidence.first_token_[variant] = read_sketch(from.at("first_token").at(variant));
    }
    return evidence;
  }
};

std::string to_json_text(const RouteEvidence& evidence) {
  return EvidenceFormat::write(evidence).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::variant<RouteEvidence, EvidenceProblem> evidence_from_json(std::string_view text) {
  try {
    return EvidenceFormat::read(json::parse(text, is_shallow));
  } catch (const std::exception& problem) {
    return EvidenceProblem{problem.what()};
  }
}

}  // namespace understudy::metrics
