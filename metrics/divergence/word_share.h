#pragma once
// Containment of two texts' words, c(A, B) = |A and B| / min(|A|, |B|).

#include <cstddef>
#include <optional>
#include <string_view>

namespace understudy::metrics::divergence {

// What has fewer words is a label, not prose.
inline constexpr std::size_t kFewestOfProse = 10;

// None where either has fewer than `fewest` words that are no stop words, at most kFewestOfProse.
// Of the first 64 KiB of each.
std::optional<double> word_share(std::string_view a, std::string_view b,
                                 std::size_t fewest = kFewestOfProse);

}  // namespace understudy::metrics::divergence
