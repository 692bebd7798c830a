#pragma once
// Where rollouts live between two runs: one versioned JSON file for each route in the state
// directory, written behind by a StateWriter. Used by the rollout keeper.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/operational_gates.h"
#include "proxy/state_writer.h"
#include "routing/config.h"
#include "routing/rollout.h"

namespace understudy::proxy {

// What a rollout belongs to. Where one of them changes, something begins anew.
struct RolloutIdentity {
  std::string canary;      // of the whole `canary` section: lifts a rollback
  std::string plan;        // of the shares and of who is in them
  std::string experiment;  // of what is compared
  friend bool operator==(const RolloutIdentity&, const RolloutIdentity&) = default;
};
RolloutIdentity identity_of(const routing::Config& config, const routing::RouteConfig& route);

struct StoredRollout {
  RolloutIdentity identity;
  routing::RolloutState state;
  routing::Percent served;  // in force when it was written
  // The experiment's, when the stage began; none: nobody knew.
  std::optional<std::uint64_t> pairs_before{};
  OperationalGates::Baselines baselines{};
};

std::string to_json_text(const StoredRollout& stored);
// None where it is no rollout; never throws. `text` is hostile.
std::optional<StoredRollout> rollout_from_json(std::string_view text);

class RolloutFiles {
 public:
  // An empty directory keeps nothing. `writer` outlives this.
  explicit RolloutFiles(StateWriter& writer, std::filesystem::path directory = {})
      : writer_(&writer), directory_(std::move(directory)) {}

  struct Loaded {
    std::optional<StoredRollout> rollout;
    std::string problem;  // why a file that is there cannot be used
  };
  // Changes nothing: the config that asks may be refused yet.
  Loaded load(std::string_view route) const;
  // A file that cannot be used, before save() takes its place.
  void keep_damaged(std::string_view route) const;
  void save(std::string_view route, const StoredRollout& stored) const;
  void forget(std::string_view route) const;  // it is kept elsewhere from now on
  // Why a restart would not find it: StateWriter::problem() and problem_after_try().
  std::string problem(std::string_view route) const;
  std::string problem_after_try(std::string_view route) const;
  const std::filesystem::path& directory() const noexcept { return directory_; }
  bool keeps() const noexcept { return !directory_.empty(); }

 private:
  std::filesystem::path path_of(std::string_view route) const;
  StateWriter* writer_;
  std::filesystem::path directory_;
};

}  // namespace understudy::proxy
