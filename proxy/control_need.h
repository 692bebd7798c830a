#pragma once
// How long `control_percent: auto` asks for a second answer of the primary beside every copy: of
// all of a route's until there are kTriplesWanted triples, then of a family's until that has as
// many (divergence reference 2.6). One object per route, on the shadow thread.
//
// What there are is what the evidence says, which lasts through restarts, and of gates that need
// them the one that has the fewest. What was answered here
// counts as well: evidence leaves out what repeats, and a load of repeats is not to be asked twice
// for ever.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "metrics/evidence/evidence.h"

namespace understudy::proxy {

class ControlNeed {
 public:
  // No key for it: it follows from the statistics, and whoever wants another share says
  // `control_percent: N`.
  static constexpr std::uint64_t kTriplesWanted = 400;

  // What is asked and answered from now on is of that experiment; another one begins anew.
  void begin(std::string_view experiment);
  // `known`: the route's evidence as it was last published; null, or another experiment's: none.
  bool of_all(const metrics::RouteEvidence* known) const noexcept;
  // False for what names no family, and for families beyond RouteEvidence::kMaxFamilies.
  bool of_family(const metrics::RouteEvidence* known, std::string_view family) const;

  // A control was answered that was asked of all copies, or of a share of them; or for a family.
  void answered() noexcept { ++answered_; }
  void answered(std::string_view family);

 private:
  const metrics::RouteEvidence* of_this_experiment(
      const metrics::RouteEvidence* known) const noexcept;

  std::string experiment_;
  std::uint64_t answered_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> families_;
};

}  // namespace understudy::proxy
