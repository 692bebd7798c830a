#pragma once
// How far a gate is from being shown safe, if all goes on as it does, and whether second answers of
// the primary are what it lacks. Pure functions of counts.

#include <cstdint>
#include <optional>

#include "metrics/evidence/evidence.h"
#include "routing/config.h"

namespace understudy::metrics {

// Safety needs no correction for many gates: every one of them has to be shown safe.
inline constexpr double kSafetyAlpha = 0.05;

// Pairs until the counts reject "worse by the margin", each bringing `values_a_pair` values; none
// where they never would. `by_chance`: nothing tells the two variants apart, so what differed will
// speak for either side.
std::optional<std::uint64_t> pairs_until_safe(const GateCounts& counts, std::size_t gate,
                                              double margin, double values_a_pair,
                                              bool by_chance) noexcept;

// Second answers of the primary that tell what its noise is, whatever the gates say.
inline constexpr std::uint64_t kFewestTriples = 400;
// Each costs a call of the primary: what they do not show is left to few and to time. Enough for
// all default margins where two answers of one model differ in one of eight.
inline constexpr std::uint64_t kMostTriples = 5'000;

// Whether more of them are worth it: there are too few to tell the noise, or a noise gate that is
// on, open and raises no alarm would be safe with no more than kMostTriples.
bool wants_triples(const FamilyEvidence& evidence, const routing::VerdictConfig& rules) noexcept;

}  // namespace understudy::metrics
