#pragma once
// How long `control_percent: auto` asks for a second answer of the primary beside every copy: of
// all of a route's until there are metrics::kFewestTriples triples and for as long as more of them
// would show a noise gate safe, then of a family's until that has as many. With a fixed number the
// gates that need them would be open long after all others: at 2 % of the copies the rest takes
// five times as many pairs. One object per route, on the shadow thread.
//
// What there are is what the evidence says, which lasts through restarts, and of gates that need
// them the one that has the fewest. What was answered here counts as well: evidence leaves out what
// repeats, and a load of repeats is not to be asked twice for ever.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "metrics/evidence/evidence.h"
#include "routing/config.h"

namespace understudy::proxy {

class ControlNeed {
 public:
  // No keys for it: it follows from the statistics, and whoever wants another share says
  // `control_percent: N`.
  struct Rules {
    const routing::VerdictConfig& verdict;
    // Families are copied less often once their gates are safe (shadow.settled_percent), so theirs
    // are worth more triples, too: else only the pool's have to be safe.
    bool settles_families = false;
  };

  // What is asked and answered from now on is of that experiment; another one begins anew.
  void begin(std::string_view experiment);
  // `known`: the route's evidence as it was last published; null, or another experiment's: none.
  bool of_all(const metrics::RouteEvidence* known, const Rules& rules) const noexcept;
  // False for what names no family, and for families beyond RouteEvidence::kMaxFamilies.
  bool of_family(const metrics::RouteEvidence* known, std::string_view family,
                 const Rules& rules) const;

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
