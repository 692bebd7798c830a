#pragma once
// Confidence sequences for the difference of two rates of which only totals are known: 95 %, and
// valid however often one looks, as those of betting.h that they are made of. Pure functions.

#include <cstdint>

#include "metrics/statistics/betting.h"
#include "metrics/statistics/proportions.h"

namespace understudy::metrics {

// Counts that are read while they grow may tell more hits than there are in all; the interval is
// then that of as many.
//
// after.rate() - before.rate() of two samples: the sequences of both rates hold together, each with
// half of the level. [-1, 1] where nothing was counted.
Interval difference_sequence(Proportion before, Proportion after) noexcept;

// The same over the same pairs, in `differing` of which the two sides are not alike. Where more
// differ than what is counted of either side explains, the rest is taken to speak for both alike,
// which widens it.
Interval paired_difference_sequence(Proportion before, Proportion after,
                                    std::uint64_t differing) noexcept;

}  // namespace understudy::metrics
