#pragma once
// YAML text to a ConfigNode tree. Anchors, aliases, tags, duplicate keys, further documents, and
// what exceeds the caps are problems: they have no use in this config, and each is a way to mean
// something else than one reads.

#include <cstddef>
#include <optional>
#include <string_view>

#include "routing/config_section.h"

namespace understudy::routing {

inline constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxConfigDepth = 32;
inline constexpr std::size_t kMaxConfigNodes = 10'000;

// Nothing where the text is no YAML at all; the problem is in the list then.
std::optional<ConfigNode> parse_yaml(std::string_view text, Problems& problems);

}  // namespace understudy::routing
