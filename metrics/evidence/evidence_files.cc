#include "metrics/evidence/evidence_files.h"

#include <utility>
#include <variant>

#include "metrics/evidence/alarms_json.h"
#include "metrics/evidence/evidence_json.h"

namespace understudy::metrics {
namespace {

constexpr std::uintmax_t kMaxBytes = 64u << 20;

template <typename Told>
struct Read {
  std::optional<Told> told;  // none where there is no file
  std::string problem;       // why a file that was there could not be used; it was set aside
};

template <typename Told>
Read<Told> read_file(StateStore& store, const std::filesystem::path& path,
                     std::variant<Told, EvidenceProblem> (*parse)(std::string_view)) {
  const StateText read = store.read(path, kMaxBytes);
  std::string problem = read.problem;
  if (read.text) {
    auto parsed = parse(*read.text);
    if (auto* told = std::get_if<Told>(&parsed)) return {std::move(*told), {}};
    problem = std::get<EvidenceProblem>(parsed).what;
  }
  if (problem.empty()) return {};
  store.set_aside(path, "damaged");
  return {std::nullopt, path.string() + " was set aside as .damaged: " + problem};
}

}  // namespace

std::filesystem::path EvidenceFiles::path_of(std::string_view route) const {
  return directory_ / ("evidence-" + std::string(route) + ".json");
}

EvidenceFiles::Loaded EvidenceFiles::load(std::string_view route) {
  if (directory_.empty()) return {};
  auto read = read_file(store_, path_of(route), evidence_from_json);
  return {std::move(read.told), std::move(read.problem)};
}

bool EvidenceFiles::set_aside(std::string_view route, std::string_view why) {
  return !directory_.empty() && store_.set_aside(path_of(route), why);
}

std::string EvidenceFiles::save(std::string_view route, const RouteEvidence& evidence) {
  if (directory_.empty()) return {};
  return store_.write(path_of(route), to_json_text(evidence));
}

std::filesystem::path EvidenceFiles::profiles_path_of(std::string_view route) const {
  return directory_ / ("profiles-" + std::string(route) + ".json");
}

EvidenceFiles::LoadedProfiles EvidenceFiles::load_profiles(std::string_view route,
                                                           std::string_view experiment) {
  if (directory_.empty()) return {};
  auto read = read_file(store_, profiles_path_of(route), profiles_from_json);
  if (!read.told || read.told->experiment != experiment) return {{}, std::move(read.problem)};
  return {std::move(read.told->profiles), {}};
}

std::string EvidenceFiles::save_profiles(std::string_view route, std::string_view experiment,
                                         const AnswerProfiles& profiles) {
  if (directory_.empty()) return {};
  return store_.write(profiles_path_of(route), to_json_text(profiles, experiment));
}

std::filesystem::path EvidenceFiles::miner_path_of(std::string_view route) const {
  return directory_ / ("families-" + std::string(route) + ".json");
}

EvidenceFiles::LoadedMiner EvidenceFiles::load_miner(std::string_view route,
                                                     std::string_view experiment) {
  if (directory_.empty()) return {};
  auto read = read_file(store_, miner_path_of(route), miner_from_json);
  if (!read.told || read.told->experiment != experiment) return {{}, std::move(read.problem)};
  return {std::move(read.told->miner), {}};
}

std::string EvidenceFiles::save_miner(std::string_view route, std::string_view experiment,
                                      const FamilyMiner& miner) {
  if (directory_.empty()) return {};
  return store_.write(miner_path_of(route), to_json_text(miner, experiment));
}

std::filesystem::path EvidenceFiles::fleet_alarms_path_of(std::string_view route) const {
  return directory_ / ("fleet-alarms-" + std::string(route) + ".json");
}

EvidenceFiles::LoadedAlarms EvidenceFiles::load_fleet_alarms(std::string_view route,
                                                             std::string_view experiment) {
  if (directory_.empty()) return {};
  auto read = read_file(store_, fleet_alarms_path_of(route), alarms_from_json);
  if (!read.told || read.told->experiment() != experiment) return {{}, std::move(read.problem)};
  return {std::move(*read.told), {}};
}

std::string EvidenceFiles::save_fleet_alarms(std::string_view route, std::string text) {
  if (directory_.empty()) return {};
  return store_.write(fleet_alarms_path_of(route), std::move(text));
}

}  // namespace understudy::metrics
