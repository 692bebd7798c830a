#include "routing/config_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace understudy::routing {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

std::string must_be(std::string_view wanted, std::string_view got) {
  return std::string("must be ").append(wanted).append(", got ").append(shown(got));
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kDurationUnits{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                                    Unit{"s", 1'000}, Unit{"ms", 1}};
constexpr std::array kSizeUnits{
    Unit{"TiB", std::uint64_t{1} << 40}, Unit{"GiB", std::uint64_t{1} << 30},
    Unit{"MiB", std::uint64_t{1} << 20}, Unit{"KiB", std::uint64_t{1} << 10}, Unit{"B", 1}};

// Nothing where the text is no whole number with one of the units; at most what a signed 64 bit
// number holds.
template <std::size_t N>
std::optional<std::uint64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t digits = std::min(text.size(), text.find_first_not_of("0123456789"));
  const Parsed<std::uint64_t> count = parse_count(text.substr(0, digits));
  if (!count.value) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    constexpr auto kMost = std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    return *count.value > kMost / unit.factor ? kMost : *count.value * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string unit_text(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && (value != 0 || unit.factor == 1)) {
      return std::to_string(value / unit.factor).append(unit.name);
    }
  }
  return std::to_string(value);
}

std::string_view without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2);
  }
  return host;
}

bool is_ipv4(std::string_view host) {
  in_addr address{};
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

bool is_ipv6(std::string_view host) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(host).c_str(), &address) == 1;
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.find("..") != host.npos) {
    return false;
  }
  const bool characters = std::ranges::all_of(
      host, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
  // All digits and dots but no IPv4 literal: "127.1" and its kin, which resolvers read in their own
  // way.
  const bool numeric = std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
  return characters && !numeric;
}

struct HostAndPort {
  std::string_view host;  // brackets kept
  std::optional<std::string_view> port;
};

HostAndPort split_port(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || (bracket != text.npos && colon < bracket)) return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<std::uint16_t> port_number(std::string_view text) {
  const Parsed<std::uint64_t> number = parse_count(text);
  if (!number.value || *number.value > 65'535) return std::nullopt;
  return static_cast<std::uint16_t>(*number.value);
}

bool is_bracketed_ipv6(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') && is_ipv6(without_brackets(host));
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out(text.substr(0, kMost));
  std::ranges::replace_if(
      out, [](char c) { return !is_visible(c) && c != ' '; }, '?');
  if (text.size() > kMost) out += "...";
  return out.empty() ? "nothing" : out;
}

Parsed<bool> parse_bool(std::string_view text) {
  if (text == "true") return good(true);
  if (text == "false") return good(false);
  return bad<bool>(must_be("true or false", text));
}

Parsed<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = !text.empty() && end == text.data() + text.size() && is_digit(text.front());
  if (!whole || (text.size() > 1 && text.front() == '0')) {
    return bad<std::uint64_t>(must_be("a whole number", text));
  }
  if (error == std::errc::result_out_of_range) value = std::numeric_limits<std::uint64_t>::max();
  return good(value);
}

Parsed<double> parse_amount(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool whole = !text.empty() && is_digit(text.front()) && error == std::errc{} &&
                     end == text.data() + text.size();
  if (!whole || !std::isfinite(value)) {
    return bad<double>(must_be("a number from 0 up", text));
  }
  return good(value);
}

Parsed<Percent> parse_percent(std::string_view text) {
  const std::size_t dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  const std::string_view decimals = dot == text.npos ? std::string_view{} : text.substr(dot + 1);
  const bool negative = whole.starts_with('-');
  if (negative) whole.remove_prefix(1);
  const Parsed<std::uint64_t> units = parse_count(whole);
  if (!units.value || (dot != text.npos && decimals.empty()) ||
      !std::ranges::all_of(decimals, is_digit)) {
    return bad<Percent>(must_be("a number from 0 to 100", text));
  }
  if (decimals.size() > 2) return bad<Percent>(must_be("a number of at most two decimals", text));
  std::uint64_t hundredths = std::min<std::uint64_t>(*units.value, 1'000) * 100;
  if (!decimals.empty()) hundredths += static_cast<std::uint64_t>(decimals[0] - '0') * 10;
  if (decimals.size() == 2) hundredths += static_cast<std::uint64_t>(decimals[1] - '0');
  if (negative || hundredths > 10'000) {
    return bad<Percent>("must be between 0 and 100, got " + shown(text));
  }
  return good(Percent{static_cast<std::uint32_t>(hundredths)});
}

Parsed<milliseconds> parse_duration(std::string_view text) {
  const auto value = with_unit(text, kDurationUnits);
  if (!value) {
    return bad<milliseconds>(
        must_be("a whole number with a unit: ms, s, m, h or d (like 300s)", text));
  }
  return good(milliseconds(static_cast<milliseconds::rep>(*value)));
}

Parsed<std::size_t> parse_size(std::string_view text) {
  const auto value = with_unit(text, kSizeUnits);
  if (!value) {
    return bad<std::size_t>(
        must_be("a whole number with a unit: B, KiB, MiB, GiB or TiB (like 32MiB)", text));
  }
  return good(static_cast<std::size_t>(*value));
}

std::string duration_text(milliseconds duration) {
  return unit_text(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::string size_text(std::size_t bytes) {
  return unit_text(bytes, kSizeUnits);
}

Parsed<Address> parse_address(std::string_view text) {
  const HostAndPort parts = split_port(text);
  const auto port = port_number(parts.port.value_or(""));
  const bool named = parts.host == "localhost";
  if (!port || !(named || is_ipv4(parts.host) || is_bracketed_ipv6(parts.host))) {
    return bad<Address>(must_be("an IP address and a port (like 127.0.0.1:8080)", text));
  }
  const std::string_view host = named ? "127.0.0.1" : without_brackets(parts.host);
  return good(Address{std::string(host), *port});
}

Parsed<Endpoint> parse_endpoint(std::string_view text) {
  // Not quoted: people paste addresses with a password in front of the host.
  const auto problem = [](const char* what) { return bad<Endpoint>(what); };
  Endpoint endpoint;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    endpoint.tls = false;
    endpoint.port = 80;
  } else {
    return problem("must begin with https:// or http://");
  }
  const std::size_t slash = std::min(rest.size(), rest.find('/'));
  if (rest.substr(0, slash).find('@') != rest.npos) {
    return problem("must not hold a user or password; see `credentials`");
  }
  if (rest.find_first_of("?#") != rest.npos) return problem("must have no query");
  const Parsed<std::string> path = parse_base_path(rest.substr(slash));
  if (!path.value) return problem("must be scheme, host, port and path alone; its path is not fit");
  const HostAndPort parts = split_port(rest.substr(0, slash));
  if (!is_ipv4(parts.host) && !is_bracketed_ipv6(parts.host) && !is_host_name(parts.host)) {
    return problem("has no fit host name or IP address");
  }
  if (parts.port) {
    const auto port = port_number(*parts.port);
    if (!port || *port == 0) return problem("has a port that is not between 1 and 65535");
    endpoint.port = *port;
  }
  endpoint.host = parts.host;
  endpoint.path = *path.value;
  return good(std::move(endpoint));
}

Parsed<std::string> parse_base_path(std::string_view text) {
  std::string_view path = text;
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return good(std::string());
  const std::string delimited = std::string(path) + '/';
  const bool fit =
      path.size() <= 1024 && path.starts_with('/') && delimited.find("//") == delimited.npos &&
      delimited.find("/./") == delimited.npos && delimited.find("/../") == delimited.npos &&
      std::ranges::all_of(path, [](char c) {
        return is_alphanumeric(c) || std::string_view("/-._~").find(c) != std::string_view::npos;
      });
  if (!fit) return bad<std::string>(must_be("a path of plain segments (like /prefix)", text));
  return good(std::string(path));
}

Parsed<std::string> parse_name(std::string_view text) {
  const bool fit = !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
  if (!fit) {
    return bad<std::string>(must_be("1 to 64 letters, digits, dots, dashes and underscores", text));
  }
  return good(std::string(text));
}

Parsed<std::string> parse_header_name(std::string_view text) {
  constexpr std::string_view kToken =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (text.empty() || text.size() > 256 || text.find_first_not_of(kToken) != text.npos) {
    return bad<std::string>("is no header name");
  }
  if (text.find('_') != text.npos) {
    return bad<std::string>(
        "has an underscore: a request with such a header is refused, so this would match none");
  }
  return good(std::string(text));
}

Parsed<std::string> parse_region(std::string_view text) {
  const bool fit = !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
  });
  if (!fit) return bad<std::string>(must_be("a region (like us-east-1)", text));
  return good(std::string(text));
}

Parsed<std::string> parse_secret(std::string_view text) {
  if (text.empty() || text.size() > 16'384 || !std::ranges::all_of(text, is_visible)) {
    return bad<std::string>("must be printable text without spaces (not shown here)");
  }
  return good(std::string(text));
}

Parsed<std::string> parse_text(std::string_view text) {
  const bool fit = !text.empty() && text.size() <= 4096 && std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  if (!fit) return bad<std::string>(must_be("a line of text", text));
  return good(std::string(text));
}

bool is_loopback(std::string_view host) {
  const std::string bare(without_brackets(host));
  if (bare == "localhost" || bare == "localhost.") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, bare.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, bare.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_unspecified(std::string_view host) {
  const std::string bare(without_brackets(host));
  in6_addr v6{};
  return bare == "0.0.0.0" ||
         (inet_pton(AF_INET6, bare.c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6));
}

}  // namespace understudy::routing
