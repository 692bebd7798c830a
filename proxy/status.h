#pragma once
// What the admin API tells about the running proxy, as JSON text. Pure functions of what is handed
// in; any thread.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/family_lines.h"
#include "proxy/model_book.h"
#include "proxy/reload.h"
#include "proxy/rollout_status.h"
#include "proxy/server.h"
#include "proxy/shadow_status.h"
#include "proxy/snapshot.h"
#include "proxy/verdict_status.h"
#include "proxy/volume_status.h"

namespace understudy::proxy {

struct ProcessStatus {
  bool ready = false;  // what /readyz says: started, with credentials, and not draining
  bool draining = false;
  std::chrono::seconds uptime{0};
  Server::Load load;
  std::optional<Reloader::Last> last_reload;
  std::string lacking{};  // CredentialReadiness::lacking
  std::vector<ModelBook::Entry> models{};
  std::shared_ptr<const metrics::Lifecycles> lifecycles{};  // null: there are no dates
};

// Null where no text of prompts is kept.
using FamilyLinesSource =
    std::function<std::shared_ptr<const metrics::FamilyLines::Lines>(std::string_view route)>;

// Where the facts about routes come from.
struct RouteSources {
  EvidenceSource evidence;
  RolloutSource rollouts;
  ShadowSource shadow;
  VolumeSource volumes;
  QuotaSource quotas{};                    // none: none is read
  std::vector<ModelBook::Entry> models{};  // that were asked
  FleetSource fleet{};                     // none: each proxy decides by itself
  FamilyLinesSource family_lines{};        // none: nobody learns them
};

// The whole picture; `routes` holds what /api/routes/{name} answers. `exposition` is
// Recorder::render().
std::string status_json(const Snapshot& snapshot, const ProcessStatus& process,
                        std::string_view exposition, const RouteSources& sources);

// {"routes": [...]}
std::string routes_json(const Snapshot& snapshot, std::string_view exposition,
                        const RouteSources& sources);

// One route; none of that name.
std::optional<std::string> route_json(const Snapshot& snapshot, std::string_view name,
                                      std::string_view exposition, const RouteSources& sources);

// Every model that the config names or that was asked: describe_models().
std::string lifecycle_json(const Snapshot& snapshot, const ProcessStatus& process);

// The config in force, key by key, without its secrets: {"hash", "last_reload", "settings":
// [{"key", "value", "default"} or {"key", "hidden": true, "set"}]}. What `check --against` compares
// with.
std::string config_json(const Snapshot& snapshot, const ProcessStatus& process);

// The answer to POST /api/reload: {"result": "applied", "problems": [], "changes": [...]}
std::string reload_json(const ReloadOutcome& outcome);

// {"error": "..."}
std::string error_json(std::string_view what);

}  // namespace understudy::proxy
