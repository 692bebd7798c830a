#pragma once
// The score behind the refusal signal, for tests and tuning.

#include <string_view>

namespace understudy::metrics::divergence {

// In tenths; 12 and more is a refusal or another non-answer. Looks at the first 700 characters and
// the form of the whole. Any thread.
int refusal_score(std::string_view text);

}  // namespace understudy::metrics::divergence
