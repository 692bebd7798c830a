#pragma once
// The operational gates of one rollout: what the served requests of the candidate cost in errors,
// time and money, held against the primary's, interval by interval. Owned by the rollout keeper,
// under its lock. No clock of its own.

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "routing/rollout.h"

namespace understudy::proxy {

// Of one variant's served requests, since the process began.
struct ServedFigures {
  double requests = 0.0, errors = 0.0;                   // errors: also answers that broke off
  double faults = 0.0;                                   // those errors that no client makes
  double seconds = 0.0, timed = 0.0;                     // whole answers, and how many
  double first_token_seconds = 0.0, first_tokens = 0.0;  // streams
  double cost_usd = 0.0;
  double fallbacks = 0.0;  // the candidate's, answered by the primary

  ServedFigures since(const ServedFigures& before) const noexcept;
};

struct GateCheck {
  enum class State : std::uint8_t {
    off,
    waiting,  // not enough requests yet
    passes,
    fails,  // its patience lasts
    broken
  };
  State state = State::off;
  std::size_t failed_in_a_row = 0;
  std::optional<double> value;  // of the last check, in the unit of the threshold
  std::string text;             // in plain words
};
std::string_view label(GateCheck::State state) noexcept;

class OperationalGates {
 public:
  // Another stage: other traffic. What the primary was like before is kept.
  void restart() noexcept;

  // What the primary was like when it last served enough: what the candidate is held against where
  // it serves all. As kOperationalGates; none: not known.
  using Baselines = std::array<std::optional<ServedFigures>, routing::kOperationalGates.size()>;
  Baselines baselines() const noexcept;
  void restore(const Baselines& baselines) noexcept;

  void look(const routing::RolloutGates& rules, const ServedFigures& primary,
            const ServedFigures& candidate, routing::Moment now);

  // No gate fails; those that wait for traffic do not stand in the way.
  bool pass() const noexcept;
  std::optional<routing::OperationalGate> broken() const noexcept;
  const GateCheck& check(routing::OperationalGate gate) const noexcept {
    return gates_[static_cast<std::size_t>(gate)].check;
  }

 private:
  struct Gate {
    GateCheck check;
    std::optional<routing::Moment> begun;   // of the interval under way
    ServedFigures primary, candidate;       // at its begin
    std::optional<ServedFigures> baseline;  // the last interval in which the primary served enough
  };
  void look_at(Gate& gate, routing::OperationalGate which, const routing::GateRule& rule,
               const ServedFigures& primary, const ServedFigures& candidate, routing::Moment now);

  std::array<Gate, routing::kOperationalGates.size()> gates_{};
};

}  // namespace understudy::proxy
