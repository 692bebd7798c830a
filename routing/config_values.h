#pragma once
// Reads single values of the config out of their text. Pure functions. A problem is a clause that
// goes behind the key ("must be ..."); the value itself is quoted only by functions for values that
// cannot be secrets.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/config.h"

namespace understudy::routing {

template <class T>
struct Parsed {
  std::optional<T> value;
  std::string problem;  // where there is no value
};

template <class T>
Parsed<T> good(T value) {
  return {std::move(value), {}};
}
template <class T>
Parsed<T> bad(std::string problem) {
  return {std::nullopt, std::move(problem)};
}

// Text as it may stand in a message: without control characters and cut at 60 bytes.
std::string shown(std::string_view text);

Parsed<bool> parse_bool(std::string_view text);
// Decimal digits alone: no sign, no leading zero (YAML 1.1 readers disagree about 0777). More than
// 64 bits hold reads as the most that they do, so that whoever has bounds can tell them.
Parsed<std::uint64_t> parse_count(std::string_view text);
// A finite decimal number from 0 up.
Parsed<double> parse_amount(std::string_view text);
// "10", "0.25": 0 to 100, at most two decimals.
Parsed<Percent> parse_percent(std::string_view text);
// A whole number with its unit: ms, s, m, h, d. What is too large reads as the most, as above.
Parsed<milliseconds> parse_duration(std::string_view text);
// A whole number with its unit: B, KiB, MiB, GiB, TiB.
Parsed<std::size_t> parse_size(std::string_view text);
// As written in the config, with the largest unit that is exact.
std::string duration_text(milliseconds duration);
std::string size_text(std::size_t bytes);

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port 0 lets the system choose.
Parsed<Address> parse_address(std::string_view text);
// "https://host[:port][/path]"
Parsed<Endpoint> parse_endpoint(std::string_view text);
// "/prefix" without a slash at its end; "" and "/" are no prefix.
Parsed<std::string> parse_base_path(std::string_view text);
// [A-Za-z0-9_.-]{1,64}
Parsed<std::string> parse_name(std::string_view text);
// Of a request's field: a token as RFC 9110 5.6.2 has it, without an underscore, which the gate
// refuses.
Parsed<std::string> parse_header_name(std::string_view text);
Parsed<std::string> parse_region(std::string_view text);
// Anything printable that fits a header value; never quoted in a problem.
Parsed<std::string> parse_secret(std::string_view text);
// Any non-empty line of text.
Parsed<std::string> parse_text(std::string_view text);

// `host` may be in brackets.
bool is_loopback(std::string_view host);
bool is_unspecified(std::string_view host);  // 0.0.0.0 or ::

}  // namespace understudy::routing
