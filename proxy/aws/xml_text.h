#pragma once
// The text of one element of a small XML document, found by its path. Enough for what STS answers;
// everything else is refused. Pure; bytes from outside.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::proxy::aws {

// The text of the first element at `path` (from the root on, names without prefixes), entities
// replaced, white space around it removed. None where there is no such element, where it holds
// other elements, and for what is not well-formed so far, has a DOCTYPE, or nests deeper than 32.
std::optional<std::string> xml_text(std::string_view document,
                                    std::initializer_list<std::string_view> path);

}  // namespace understudy::proxy::aws
