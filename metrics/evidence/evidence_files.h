#pragma once
// Where evidence lives between two runs: one file a route (one of its families' profiles, one of
// the miner that finds families, and one of a fleet's alarms), written whole under another name and
// renamed, so that a reader or a crash never meets half of one. One thread.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/evidence/evidence.h"
#include "metrics/evidence/miner_json.h"
#include "metrics/evidence/profiles_json.h"
#include "metrics/state_file.h"

namespace understudy::metrics {

class EvidenceFiles {
 public:
  // An empty directory keeps nothing. It is made where it is missing. The store outlives this.
  explicit EvidenceFiles(std::filesystem::path directory,
                         StateStore& store = direct_state_store()) noexcept
      : directory_(std::move(directory)), store_(store) {}

  struct Loaded {
    std::optional<RouteEvidence> evidence;
    std::string problem;  // why a file that was there could not be used; it was set aside
  };
  Loaded load(std::string_view route);

  // Sets the file aside, so that another experiment can begin. False where there is none.
  bool set_aside(std::string_view route, std::string_view why);

  // Empty on success, else what went wrong.
  std::string save(std::string_view route, const RouteEvidence& evidence);

  // The profiles of the route's families, beside its evidence: profiles-ROUTE.json.
  struct LoadedProfiles {
    AnswerProfiles profiles;  // none of another experiment
    std::string problem;      // why a file that was there could not be used; it was set aside
  };
  LoadedProfiles load_profiles(std::string_view route, std::string_view experiment);
  std::string save_profiles(std::string_view route, std::string_view experiment,
                            const AnswerProfiles& profiles);

  // The miner that names the route's families, beside its evidence: families-ROUTE.json.
  struct LoadedMiner {
    FamilyMiner miner;    // none of another experiment
    std::string problem;  // why a file that was there could not be used; it was set aside
  };
  LoadedMiner load_miner(std::string_view route, std::string_view experiment);
  std::string save_miner(std::string_view route, std::string_view experiment,
                         const FamilyMiner& miner);

  // What the fleet's sums alarmed by, beside this proxy's own evidence: fleet-alarms-ROUTE.json.
  // Those of another experiment are left alone until others are saved in their place.
  struct LoadedAlarms {
    std::optional<RouteEvidence> alarms;  // without counts, for latch_as()
    std::string problem;                  // why a file that was there could not be used
  };
  LoadedAlarms load_fleet_alarms(std::string_view route, std::string_view experiment);
  // As alarms_to_json_text() wrote them.
  std::string save_fleet_alarms(std::string_view route, std::string text);

 private:
  std::filesystem::path path_of(std::string_view route) const;
  std::filesystem::path profiles_path_of(std::string_view route) const;
  std::filesystem::path miner_path_of(std::string_view route) const;
  std::filesystem::path fleet_alarms_path_of(std::string_view route) const;
  std::filesystem::path directory_;
  StateStore& store_;
};

}  // namespace understudy::metrics
