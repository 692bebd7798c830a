#pragma once
// Applies a candidate's rewrite rules to a JSON request body. Parses and dumps JSON: never call it
// on an io thread and never for the primary.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "routing/config.h"

namespace understudy::routing {

struct RewriteProblem {
  std::string what;  // contains no content of the body
};

struct Rewritten {
  std::string body;  // meaningful where `applied` is not 0; else the original bytes stay in use
  std::size_t applied = 0;                // how many rules changed something
  std::vector<std::string_view> presets;  // that they came from, each once; views into the rules
};

// Depth is capped at 128. Numbers that a double cannot hold exactly are a problem only if they
// would change.
std::variant<Rewritten, RewriteProblem> rewrite(std::span<const RewriteRule> rules,
                                                Operation operation, std::string_view body);

// Where a body names its model, and the name that shall stand there instead.
struct ModelSwap {
  std::size_t offset = 0;
  std::size_t size = 0;
  std::string_view model;  // of the config, hence without anything JSON would escape; empty: none
};

// What a variant is sent instead of the client's body.
struct VariantBody {
  std::string bytes;  // meaningful where `changed`; else the original bytes stay in use
  bool changed = false;
  std::vector<std::string_view> presets{};  // as Rewritten
  // The rules could not be applied. The model's name is put in nevertheless.
  std::optional<RewriteProblem> problem;
};

// The swap first, byte for byte, then the rules; what no rule changes keeps its bytes.
VariantBody variant_body(std::span<const RewriteRule> rules, Operation operation,
                         const ModelSwap& swap, std::string_view body);

// True when some rule applies to the operation at all, so that callers can skip the trip off their
// thread.
bool concerns(std::span<const RewriteRule> rules, Operation operation) noexcept;

}  // namespace understudy::routing
