#pragma once
// What a request says to its model, as far as it tells which template made it: the system prompt
// and the first turn of the user, of every API. Pure; analysis thread.

#include <string>

#include "metrics/json_fwd.h"

namespace understudy::metrics {

struct PromptText {
  std::string system;
  std::string user;
};

// At most kMaxBytes of each part, its beginning and its end: more than the words that tell
// families apart. Empty for what is no known body.
struct PromptTextLimits {
  static constexpr std::size_t kMaxBytes = 12u << 10;
};
PromptText prompt_text(Json body);

}  // namespace understudy::metrics
