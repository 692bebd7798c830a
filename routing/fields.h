#pragma once
// Header fields as views: name and value point into memory that somebody else owns.

#include <optional>
#include <span>
#include <string_view>

namespace understudy::routing {

struct Field {
  std::string_view name;
  std::string_view value;
};

// ASCII only, as header names are (RFC 9110 5.1).
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

// The first field of that name in any case, if there is one.
std::optional<std::string_view> find_field(std::span<const Field> fields,
                                           std::string_view name) noexcept;

}  // namespace understudy::routing
