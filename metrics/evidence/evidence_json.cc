#include "metrics/evidence/evidence_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "metrics/evidence/alarms_json.h"
#include "metrics/evidence/json_parts.h"
#include "metrics/family.h"

namespace understudy::metrics {
namespace {

using nlohmann::json;

// Version 4 had no gate json_agreement, of which its triples say nothing, and no containment.
// Version 3 did not tell at which threshold a gate had alarmed, and a family could be called as all
// of them together are. Version 2 had no recent past, no stage and did not tell which process
// alarmed. Version 1 had no traffic and no messages either, and knew too little of what was spent
// to go on from.
constexpr std::uint64_t kVersion = 5;
constexpr std::size_t kDayBytes = 10;  // "2026-11-20"

std::uint64_t count_at(const json& object, const char* key) {
  return count_of(object.at(key));
}

json gate_json(const GateCounts& counts, std::size_t gate) {
  return {{"values", counts_json(counts.counts(gate))},
          {"candidate", {counts.candidate_pairs, counts.candidate_bad}},
          {"primary", {counts.primary_pairs, counts.primary_bad}}};
}

GateCounts read_gate(const json& from, std::size_t gate) {
  GateCounts counts;
  read_counts(from.at("values"), std::span(counts.values).first(gate_values(gate)));
  counts.candidate_pairs = count_of(from.at("candidate").at(0));
  counts.candidate_bad = count_of(from.at("candidate").at(1));
  counts.primary_pairs = count_of(from.at("primary").at(0));
  counts.primary_bad = count_of(from.at("primary").at(1));
  return counts;
}

// By signal, of gates that counted anything: the values, then candidate pairs and bad ones, then
// primary pairs and bad ones. There may be thousands of these, so they are short.
json span_json(const SpanCounts& span) {
  json gates = json::object();
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const GateCounts counts = span.gate(gate);
    if (counts == GateCounts{}) continue;
    const ValueCounts values = counts.counts(gate);
    json row(std::vector<std::uint64_t>(values.begin(), values.end()));
    for (const std::uint64_t rate :
         {counts.candidate_pairs, counts.candidate_bad, counts.primary_pairs, counts.primary_bad})
      row.push_back(rate);
    gates[std::string{routing::kGates[gate].signal}] = std::move(row);
  }
  return gates;
}

SpanCounts read_span(const json& from) {
  SpanCounts span;
  for (const auto& [signal, row] : from.items()) {
    const std::size_t gate = known_gate(signal);
    const std::size_t values = gate_values(gate);
    if (!row.is_array() || row.size() != values + 4)
      throw std::invalid_argument("a span's counts have another size than this version knows");
    GateCounts counts;
    for (std::size_t k = 0; k < values; ++k) counts.values[k] = count_of(row[k]);
    counts.candidate_pairs = count_of(row[values]);
    counts.candidate_bad = count_of(row[values + 1]);
    counts.primary_pairs = count_of(row[values + 2]);
    counts.primary_bad = count_of(row[values + 3]);
    if (!span.set_gate(gate, counts)) throw std::invalid_argument("a span's count is too large");
  }
  return span;
}

json recent_json(const RecentPast& recent) {
  json spans = json::array();
  for (const HourSpan& span : recent.spans())
    spans.push_back({span.begin, span.hours, span_json(span.counts)});
  return spans;
}

RecentPast read_recent(const json& from) {
  std::vector<HourSpan> spans;
  for (const json& span : from) {
    if (spans.size() == RecentPast::kMaxSpans)
      throw std::invalid_argument("a family has more spans than there may be");
    spans.push_back({small_number(span.at(0)), small_number(span.at(1)), read_span(span.at(2))});
  }
  RecentPast recent;
  if (!recent.set_spans(std::move(spans)))
    throw std::invalid_argument("a family's spans are not in order");
  return recent;
}

json family_json(const FamilyEvidence& family) {
  json gates = json::object();
  for (std::size_t gate = 0; gate < kGateCount; ++gate) {
    const std::string signal{routing::kGates[gate].signal};
    if (family.gates[gate] != GateCounts{}) gates[signal] = gate_json(family.gates[gate], gate);
  }
  return {{"pairs", family.pairs},
          {"triples", family.triples},
          {"extra_pairs", family.extra_pairs},
          {"gates", std::move(gates)},
          {"recent", recent_json(family.recent)},
          {"stage", span_json(family.stage)},
          {"alarmed", alarms_json(family)},
          {"primary", to_json(family.primary)},
          {"candidate", to_json(family.candidate)},
          {"containment", family.containment.to_json()}};
}

FamilyEvidence read_family(const json& from) {
  FamilyEvidence family;
  family.pairs = count_at(from, "pairs");
  family.triples = count_at(from, "triples");
  if (from.contains("extra_pairs")) family.extra_pairs = count_at(from, "extra_pairs");
  for (const auto& [signal, counts] : from.at("gates").items()) {
    const std::size_t gate = known_gate(signal);
    family.gates[gate] = read_gate(counts, gate);
  }
  if (from.contains("recent")) family.recent = read_recent(from["recent"]);
  if (from.contains("stage")) family.stage = read_span(from["stage"]);
  read_alarms(from.at("alarmed"), family);
  family.primary = spend_from_json(from.at("primary"));
  family.candidate = spend_from_json(from.at("candidate"));
  if (from.contains("containment"))
    family.containment = ContainmentCounts::from_json(from["containment"]);
  return family;
}

json stage_json(const std::optional<Stage>& stage) {
  if (!stage) return {};
  return {{"name", stage->name},
          {"ordinal", stage->ordinal},
          {"since", stage->since.time_since_epoch().count()}};
}

std::optional<Stage> read_stage(const json& from) {
  const auto found = from.find("stage");
  if (found == from.end() || found->is_null()) return std::nullopt;
  Stage stage;
  stage.name = found->at("name").get<std::string>();
  stage.ordinal = small_number(found->at("ordinal"));
  stage.since = std::chrono::sys_seconds{std::chrono::seconds{small_number(found->at("since"))}};
  if (stage.name.size() > kMaxNameBytes || stage.ordinal < 1)
    throw std::invalid_argument("its stage is none");
  return stage;
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

void forget_spend(json& family) {
  family["primary"] = family["candidate"] = to_json(PairedSpend{});
}

// Version 1 as version 2.
json upgraded(json from) {
  from["version"] = std::uint64_t{2};
  from["validation_errors"] = MessageCounts{}.to_json();
  from["traffic"] = TrafficTally{}.to_json();
  from["prices"] = {"", ""};
  forget_spend(from.at("all"));
  for (json& family : from.at("families")) forget_spend(family);
  return from;
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
                {"copies", {evidence.copies_.drawn, evidence.copies_.dropped}},
                {"prices", {evidence.oldest_prices_, evidence.newest_prices_}},
                {"stage", stage_json(evidence.stage_)},
                {"quantile_alarms", evidence.quantile_alarms_.to_json()},
                {"style", evidence.style_.to_json()},
                {"languages", evidence.languages_},
                {"all", family_json(evidence.pooled_)},
                {"families", std::move(families)},
                {"shared", evidence.shared_}};
    for (std::size_t variant = 0; variant < 2; ++variant) {
      out["latency"].push_back(sketch_json(evidence.latency_[variant]));
      out["first_token"].push_back(sketch_json(evidence.first_token_[variant]));
    }
    return out;
  }

  static RouteEvidence read(const json& from) {
    const auto version = count_at(from, "version");
    if (version == 1) return read(upgraded(from));
    if (version < 1 || version > kVersion)
      throw std::invalid_argument("its version is not one of 1 to " + std::to_string(kVersion));
    const std::chrono::seconds since{small_number(from.at("since"))};
    RouteEvidence evidence(from.at("experiment").get<std::string>(),
                           std::chrono::system_clock::time_point{since});
    evidence.hours_ = count_at(from, "hours");
    evidence.last_hour_ = small_number(from.at("last_hour"));
    evidence.missing_ = count_at(from, "missing");
    evidence.repeats_ = count_at(from, "repeats");
    evidence.validation_errors_ = MessageCounts::from_json(from.at("validation_errors"));
    if (from.contains("examples")) evidence.examples_ = ExamplePairs::from_json(from["examples"]);
    evidence.traffic_ = TrafficTally::from_json(from.at("traffic"));
    if (from.contains("copies"))
      evidence.copies_ = {count_of(from["copies"].at(0)), count_of(from["copies"].at(1))};
    evidence.oldest_prices_ = read_day(from.at("prices").at(0));
    evidence.newest_prices_ = read_day(from.at("prices").at(1));
    evidence.stage_ = read_stage(from);
    if (from.contains("quantile_alarms"))
      evidence.quantile_alarms_ = QuantileAlarms::from_json(from["quantile_alarms"]);
    if (from.contains("style")) evidence.style_ = StyleCounts::from_json(from["style"]);
    read_languages(from, evidence);
    evidence.pooled_ = read_family(from.at("all"));
    const json& families = from.at("families");
    if (families.size() > RouteEvidence::kMaxFamilies)
      throw std::invalid_argument("it has more families than there may be");
    for (const auto& [name, family] : families.items()) {
      if (name.size() > kMaxNameBytes) throw std::invalid_argument("a family's name is too long");
      evidence.families_.emplace(name == kAllFamilies ? std::string(kFamilyNamedAll) : name,
                                 read_family(family));
    }
    read_shared(from, evidence);
    for (std::size_t variant = 0; variant < 2; ++variant) {
      evidence.latency_[variant] = read_sketch(from.at("latency").at(variant));
      evidence.first_token_[variant] = read_sketch(from.at("first_token").at(variant));
    }
    return evidence;
  }

  static void read_languages(const json& from, RouteEvidence& evidence) {
    if (!from.contains("languages")) return;
    for (const auto& [language, pairs] : from["languages"].items()) {
      if (language.size() > kMaxNameBytes)
        throw std::invalid_argument("a language's name is too long");
      evidence.count_language(language, count_of(pairs));
    }
  }

  // Files from before there were fleets: as if the families had come in the order of their names.
  static void read_shared(const json& from, RouteEvidence& evidence) {
    const auto shared = from.find("shared");
    if (shared == from.end()) {
      for (const auto& [name, family] : evidence.families_) evidence.share(name);
      return;
    }
    for (const json& name : *shared) {
      const auto known = evidence.families_.find(name.get<std::string>());
      const auto& before = evidence.shared_;
      if (known == evidence.families_.end() || std::ranges::count(before, known->first) > 0)
        throw std::invalid_argument("it shares a family that there is not, or one twice");
      evidence.share(known->first);
    }
  }
};

std::string to_json_text(const RouteEvidence& evidence) {
  return EvidenceFormat::write(evidence).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::variant<RouteEvidence, EvidenceProblem> evidence_from_json(std::string_view text) {
  return read_or_tell(text, EvidenceFormat::read);
}

}  // namespace understudy::metrics
