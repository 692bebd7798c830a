#include "metrics/evidence/evidence_files.h"

#include "metrics/evidence/alarms_json.h"
#include "metrics/evidence/evidence_json.h"
#include "metrics/state_file.h"

namespace understudy::metrics {
namespace {

constexpr std::uintmax_t kMaxBytes = 64u << 20;

}  // namespace

std::filesystem::path EvidenceFiles::path_of(std::string_view route) const {
  return directory_ / ("evidence-" + std::string(route) + ".json");
}

EvidenceFiles::Loaded EvidenceFiles::load(std::string_view route) {
  if (directory_.empty()) return {};
  const std::filesystem::path path = path_of(route);
  const StateText read = read_state_file(path, kMaxBytes);
  std::string problem = read.problem;
  if (read.text) {
    auto parsed = evidence_from_json(*read.text);
    if (auto* evidence = std::get_if<RouteEvidence>(&parsed)) return {std::move(*evidence), {}};
    problem = std::get<EvidenceProblem>(parsed).what;
  }
  if (problem.empty()) return {};
  set_aside(route, "damaged");
  return {std::nullopt, path.string() + " was set aside as .damaged: " + problem};
}

bool EvidenceFiles::set_aside(std::string_view route, std::string_view why) {
  return !directory_.empty() && set_state_file_aside(path_of(route), why);
}

std::string EvidenceFiles::save(std::string_view route, const RouteEvidence& evidence) {
  if (directory_.empty()) return {};
  return write_state_file(path_of(route), to_json_text(evidence));
}

std::filesystem::path EvidenceFiles::profiles_path_of(std::string_view route) const {
  return directory_ / ("profiles-" + std::string(route) + ".json");
}

EvidenceFiles::LoadedProfiles EvidenceFiles::load_profiles(std::string_view route,
                                                           std::string_view experiment) {
  if (directory_.empty()) return {};
  const std::filesystem::path path = profiles_path_of(route);
  const StateText read = read_state_file(path, kMaxBytes);
  std::string problem = read.problem;
  if (read.text) {
    auto parsed = profiles_from_json(*read.text);
    if (auto* saved = std::get_if<SavedProfiles>(&parsed)) {
      if (saved->experiment != experiment) return {};
      return {std::move(saved->profiles), {}};
    }
    problem = std::get<EvidenceProblem>(parsed).what;
  }
  if (problem.empty()) return {};
  set_state_file_aside(path, "damaged");
  return {{}, path.string() + " was set aside as .damaged: " + problem};
}

std::string EvidenceFiles::save_profiles(std::string_view route, std::string_view experiment,
                                         const AnswerProfiles& profiles) {
  if (directory_.empty()) return {};
  return write_state_file(profiles_path_of(route), to_json_text(profiles, experiment));
}

std::filesystem::path EvidenceFiles::fleet_alarms_path_of(std::string_view route) const {
  return directory_ / ("fleet-alarms-" + std::string(route) + ".json");
}

EvidenceFiles::LoadedAlarms EvidenceFiles::load_fleet_alarms(std::string_view route,
                                                             std::string_view experiment) {
  if (directory_.empty()) return {};
  const std::filesystem::path path = fleet_alarms_path_of(route);
  const StateText read = read_state_file(path, kMaxBytes);
  std::string problem = read.problem;
  if (read.text) {
    auto parsed = alarms_from_json(*read.text);
    if (auto* alarms = std::get_if<RouteEvidence>(&parsed)) {
      if (alarms->experiment() != experiment) return {};
      return {std::move(*alarms), {}};
    }
    problem = std::get<EvidenceProblem>(parsed).what;
  }
  if (problem.empty()) return {};
  set_state_file_aside(path, "damaged");
  return {std::nullopt, path.string() + " was set aside as .damaged: " + problem};
}

std::string EvidenceFiles::save_fleet_alarms(std::string_view route, std::string_view text) {
  if (directory_.empty()) return {};
  return write_state_file(fleet_alarms_path_of(route), text);
}

}  // namespace understudy::metrics
