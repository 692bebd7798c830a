#pragma once
// Applies a candidate's rewrite rules to a JSON request body. Parses and dumps JSON: never call it
// on an io thread and never for the primary.

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "routing/config.h"

namespace understudy::routing {

struct RewriteProblem {
  std::string what;  // contains no content of the body
};

struct Rewritten {
  std::string body;  // meaningful where `applied` is not 0; else the original bytes stay in use
  std::size_t applied = 0;  // how many rules changed something
};

// Depth is capped at 128. Numbers that a double cannot hold exactly are a problem only if they
// would change.
std::variant<Rewritten, RewriteProblem> rewrite(std::span<const RewriteRule> rules,
                                                Operation operation, std::string_view body);

// True when some rule applies to the operation at all, so that callers can skip the trip off their
// thread.
bool concerns(std::span<const RewriteRule> rules, Operation operation) noexcept;

}  // namespace understudy::routing
