#pragma once
// Which prompt family a request belongs to: requests made from one template, judged together
// (divergence reference 3). Pure; analysis thread.

#include <string>
#include <string_view>

#include "routing/operation.h"

namespace understudy::metrics {

// The first that there is: the tag of the x-understudy-family header; `family` of the request's
// metadata; the inference profile or prompt that the model id names; the names of the tools,
// sorted, with a hash of them. Else empty. At most 64 characters, of letters, digits, '-', '_' and
// '.': others become '-', and no text of a prompt ever stands in it.
std::string family_of(std::string_view tag, std::string_view model_id, std::string_view body);

}  // namespace understudy::metrics
