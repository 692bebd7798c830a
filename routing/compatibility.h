#pragma once
// What changed in the shape of requests between model generations, as data: presets of rewrite
// rules that a route enables by name. The data is routing/compatibility.json, compiled in; read
// once. Any thread.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/config.h"

namespace understudy::routing {

inline constexpr std::size_t kMaxPresets = 32;

struct Preset {
  std::string name;    // also the metric label
  std::string about;   // what the older model took and the newer refuses
  std::string source;  // where that is known from
  // Words of the upstream's refusals that this preset does away with.
  std::vector<std::string> refusals;
  std::vector<RewriteRule> rules;  // each names its preset
};

// In the file's order. Throws at the first call where the built-in data is broken, which a test
// rules out.
std::span<const Preset> presets();
// Its place in presets(), or none.
std::optional<std::size_t> preset_place(std::string_view name) noexcept;
// The first preset that does away with a refusal of that text; null where none does.
const Preset* preset_for_refusal(std::string_view message);

}  // namespace understudy::routing
