#pragma once
// Which gates alarm: every gate's e-processes, over all traffic and in each family, against levels
// that add up to 5 % of false alarms over the whole life of the evidence, however often one looks.
//
// A gate's bet is spread over processes: 70 % on the one that has seen all pairs, 25 % on those
// that begin with each hour of the clock, 5 % on those that begin with each stage of the rollout. A
// process that has seen months without fault is slow to notice one; those that began shortly
// before notice it almost as fast as at the start. The shares of hours and stages fall so slowly
// that they never add up to more than one.
//
// Half of the level, .025, goes to the route as a whole: M gates and the quantiles of times have an
// equal part each, (M + 1) / .025 to reach. A gate's bet is there half on all pairs together and
// half on the families. The other .025 goes to the families: of it every gate has an equal part,
// which all families share equally; of gates that are fair coins three quarters of that part go
// where pairs differ (level_shares.h), and one quarter is shared equally.
//
// The usual way is to ask M F / .025 of each gate of each family, F families at most, and to take
// half the mean over the families into the pool. But 256 families may come and twenty do, and a
// mean over those that are there is no e-process: newcomers divide the others' bets. So a family
// weighs 1 / (2.5 S), S the next power of two above their number and at least 32. By the S that it
// found when it came all of them add up to one; by today's, which is what is used, to less. That is
// M 2.5 S / .025 for an equal share, and four times that for a fair gate's quarter of it. One
// thread, or the caller's lock.

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/evidence/evidence.h"
#include "metrics/evidence/level_shares.h"
#include "metrics/statistics/betting.h"
#include "routing/config.h"

namespace understudy::metrics {

class AlarmWatch {
 public:
  // ln E of all of a gate's processes together against "not worse", and the one that says most. As
  // low as can be where it is below anything that could matter.
  struct Weight {
    double log_e = -std::numeric_limits<double>::infinity();
    ProcessOrigin origin{};
    double log_loudest = -std::numeric_limits<double>::infinity();  // the part of that one
  };
  using Weights = std::array<Weight, kGateCount>;
  // Over all traffic: half of the bet on all pairs together, half spread over the families.
  struct PooledWeight : Weight {
    std::string_view family;  // which one says most; empty where all pairs together say more
  };

  explicit AlarmWatch(const routing::VerdictConfig& rules);

  // Brings the figures up to date; only what counted pairs since the last look is computed again.
  // Always the evidence of one route and experiment, which outlives the next call.
  void look(const RouteEvidence& evidence);

  // As of the last look.
  const PooledWeight& pooled(std::size_t gate) const noexcept { return pooled_[gate]; }
  bool alarms(std::size_t gate) const noexcept;
  bool alarms(std::string_view family, std::size_t gate) const noexcept;
  const Weight& weight(std::string_view family, std::size_t gate) const noexcept;
  // Remembers in the evidence what alarms now.
  void latch(RouteEvidence& evidence) const;

  const routing::VerdictConfig& rules() const noexcept { return rules_; }

 private:
  struct Known {
    std::uint64_t pairs = 0, triples = 0;
    std::int64_t stage = 0;
    Weights weights{};
    GateSet by_differing;  // that alarm by the level for streams whose pairs differ
  };
  // The clock that processes begin by.
  struct Calendar {
    std::int64_t first_hour = 0;
    std::int64_t stage = 0;  // 0: none
  };
  // False where nothing is new.
  bool weigh(const FamilyEvidence& evidence, const Calendar& calendar, Known& known) const;
  void weigh_gates(const FamilyEvidence& evidence, const Calendar& calendar,
                   Weights& weights) const;
  GateSet alarms_by_differing(StreamShares& shares, const FamilyEvidence& family,
                              const Weights& weights) const;
  bool alarms(const Known& family, std::size_t gate) const noexcept;
  void pool(std::size_t gate, double parts);

  routing::VerdictConfig rules_;
  std::vector<Bets> bets_;  // by gate, of those that are on: index_[gate]
  std::array<std::size_t, kGateCount> index_{};
  Known all_;
  std::map<std::string, Known, std::less<>> families_;
  std::array<PooledWeight, kGateCount> pooled_{};
  GateSet fair_;
  // ln of what E must reach: over all traffic; in a family by its equal share, of gates that are no
  // fair coins and of those that are; by a share of one of what is for streams whose pairs differ.
  double of_all_ = 0.0, of_family_ = 0.0, of_fair_ = 0.0, by_differing_ = 0.0;
};

// The level of each gate over all traffic; the six quantiles of times share one with them.
double pooled_alpha(const routing::VerdictConfig& rules) noexcept;

// The equal share of one gate in one of so many families.
double family_alpha(const routing::VerdictConfig& rules, std::size_t families) noexcept;

// Where the gate's null "not worse" lies on the scale of its values.
double mean_at(std::size_t gate, double threshold) noexcept;

}  // namespace understudy::metrics
