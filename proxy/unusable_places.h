#pragma once
// What a config names on this machine that would not do: none of it keeps a config from taking
// effect, since traffic goes on without. Any thread.

#include <string>
#include <vector>

#include "routing/config.h"

namespace understudy::proxy {

// `records.directory` and `state.directory` where they are no directory, or could be neither made
// nor written; a webhook's `secret_file` that holds nothing. Each under its config key. Looks and
// writes nothing, so a disk that is full is not among them.
std::vector<std::string> unusable_places(const routing::Config& config);

}  // namespace understudy::proxy
