#pragma once
// The language of a text's prose.

#include <string_view>

namespace understudy::metrics::divergence {

// "en", "fi", "zh-Hant": CLD2's code, static. Empty where there is too little prose to tell or the
// detector is not sure. Looks at the first 300 bytes of prose in the first 16 KiB. Any thread.
std::string_view language_of(std::string_view text);

}  // namespace understudy::metrics::divergence
