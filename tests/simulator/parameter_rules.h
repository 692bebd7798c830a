#pragma once
// What a model refuses about a request that is well formed: limits and parameters of newer
// generations. Pure.

#include <optional>
#include <string>

#include "tests/simulator/config.h"
#include "tests/simulator/prompt.h"
#include "tests/simulator/service_error.h"

namespace understudy::simulator {

// The error in the words of the model; Converse puts its own words in front of most.
std::optional<ServiceError> check_parameters(const Prompt& prompt, const Model& model,
                                             bool converse);

}  // namespace understudy::simulator
