#pragma once
// The `canary` section of a route: which share of its conversations the candidate serves, by which
// stages it gets there and what takes it back.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/percent.h"

namespace understudy::routing {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

// What keeps a client on one model. Where a request lacks it, its conversation does.
struct StickyBy {
  enum class Kind : std::uint8_t {
    conversation,  // how the conversation begins, with its caller
    caller,        // who the listener found the client to be
    header,        // the value of the header `name`
    metadata       // the value of `name` in the body's requestMetadata (or metadata)
  };
  Kind kind = Kind::conversation;
  std::string name{};
  friend bool operator==(const StickyBy&, const StickyBy&) = default;
};

// What is measured on the served requests of the candidate, against those of the primary. The
// spelling is the key in the config, the reason in metrics and events.
enum class OperationalGate : std::uint8_t {
  error_rate,    // answers other than 2xx: points of percent more than the primary's
  latency,       // the mean of whole answers: per cent more
  first_token,   // the mean of streams' first tokens: per cent more
  cost,          // of a request: per cent more
  fallback_rate  // of the candidate's requests that the primary had to answer: per cent
};
inline constexpr std::array kOperationalGates{OperationalGate::error_rate, OperationalGate::latency,
                                              OperationalGate::first_token, OperationalGate::cost,
                                              OperationalGate::fallback_rate};
std::string_view label(OperationalGate gate) noexcept;

struct GateRule {
  double threshold = 0.0;        // worse by more than that fails; the unit is the gate's
  milliseconds interval = 1min;  // one check each; figures are those of the interval
  std::size_t patience = 3;      // failed checks in a row that break the gate
  // Of the candidate in one interval; with fewer it grows until they are there.
  std::size_t min_requests = 20;
  friend bool operator==(const GateRule&, const GateRule&) = default;
};

struct RolloutGates {
  // The verdict that rolls back.
  enum class Evidence : std::uint8_t {
    roll_back,  // that one; fix_first holds
    fix_first,  // either
    off         // none; a bad one holds
  };
  Evidence evidence = Evidence::roll_back;
  // What follows when, after the last stage, the candidate gets worse than the rollout saw it.
  enum class Drift : std::uint8_t { tell, roll_back, off };
  Drift drift = Drift::tell;
  // What follows where a rollback would find no primary that answers.
  enum class WayBack : std::uint8_t {
    hold,  // no further stage begins by itself
    off    // nothing: it is only told
  };
  WayBack way_back = WayBack::hold;
  // As kOperationalGates; none: off.
  std::array<std::optional<GateRule>, kOperationalGates.size()> operational = {
      GateRule{.threshold = 1.0}, GateRule{.threshold = 50.0}, GateRule{.threshold = 50.0},
      GateRule{.threshold = 50.0}, GateRule{.threshold = 5.0}};
  friend bool operator==(const RolloutGates&, const RolloutGates&) = default;
};

struct RolloutStage {
  Percent percent;
  milliseconds min_time = 1h;           // in this stage
  std::size_t min_pairs = 500;          // compared in this stage
  std::optional<RolloutGates> gates{};  // instead of the route's, while this stage lasts
  friend bool operator==(const RolloutStage&, const RolloutStage&) = default;
};

struct CanaryConfig {
  Percent percent;  // where there are no stages
  StickyBy sticky_by;
  std::vector<RolloutStage> stages;  // rising; empty: `percent` as it is
  milliseconds watch = 28 * 24h;     // after the last stage gates go on for that long
  // None: nothing is rolled back by itself, which is the default of a plain percent.
  std::optional<RolloutGates> gates;
  // What the candidate fails to answer, before its first byte, is answered by the primary.
  bool fallback = true;
  friend bool operator==(const CanaryConfig&, const CanaryConfig&) = default;

  // No share above it is ever served.
  Percent ceiling() const noexcept { return stages.empty() ? percent : stages.back().percent; }
  // Before anybody has spoken: stages have to be earned.
  Percent first_share() const noexcept { return stages.empty() ? percent : Percent{}; }
};

}  // namespace understudy::routing
