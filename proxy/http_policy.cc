#include "proxy/http_policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "proxy/byte_run.h"

namespace understudy::proxy {
namespace {

constexpr HeadProblem kBadHost{
    400, "host", "Host is not a name or an address, with or without a port behind a colon."};

// A DNS name or an IPv4 address, and '_', which names within companies have. RFC 3986's reg-name
// has sub-delims and percent escapes besides, which no name that is looked up has: what one reader
// takes for one name ("a,b", "a;b", "a%2eb") is another one to the next.
bool is_name(std::string_view text) noexcept {
  const std::size_t length = leading_run(text, [](SixteenBytes bytes) {
    const SixteenBytes lower = bytes | 0x20;
    return ((lower >= 'a') & (lower <= 'z')) | ((bytes >= '0') & (bytes <= '9')) | (bytes == '-') |
           (bytes == '.') | (bytes == '_');
  });
  return !text.empty() && length == text.size();
}

// Without a zone, which means something on the client's machine only.
bool is_ipv6(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  in6_addr address{};
  return text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

// ":" and a number, or nothing. RFC 3986's port may also be a colon alone; nobody sends that.
bool is_port(std::string_view text) noexcept {
  if (text.empty()) return true;
  const char *from = text.data() + 1, *end = text.data() + text.size();
  std::uint16_t port = 0;
  const auto [read, error] = std::from_chars(from, end, port);
  return text.front() == ':' && text.size() <= 6 && error == std::errc{} && read == end;
}

// What stands before the port; none where it is no Host as RFC 9110 7.2 has it. An empty one is: it
// says that the URI has no authority, and then this listener is meant (RFC 9112 3.3). HTTP/2 has no
// such thing (RFC 9113 8.3.1), which h2_fields sees to.
std::optional<std::string_view> name_in(std::string_view host) noexcept {
  if (host.empty()) return host;
  std::size_t end = std::min(host.find(':'), host.size());
  if (host.front() == '[') {
    end = host.find(']');
    if (end == std::string_view::npos || !is_ipv6(host.substr(1, end - 1))) return std::nullopt;
    ++end;
  } else if (!is_name(host.substr(0, end))) {
    return std::nullopt;
  }
  if (!is_port(host.substr(end))) return std::nullopt;
  return host.substr(0, end);
}

bool is_allowed(std::string_view name, const routing::ListenerConfig& listener) noexcept {
  if (listener.hosts.empty()) return true;
  return std::any_of(listener.hosts.begin(), listener.hosts.end(), [&](const std::string& allowed) {
    return routing::equals_ignoring_case(name, allowed);
  });
}

}  // namespace

std::variant<routing::RequestTarget, HeadProblem> admit(const RequestHead& head,
                                                        const routing::ListenerConfig& listener) {
  const auto name = name_in(head.host);
  if (!name) return kBadHost;
  if (!is_allowed(*name, listener)) {
    return HeadProblem{421, "hosts", "This listener does not answer for that Host."};
  }
  auto target = routing::parse_target(head.method, head.target, listener.base_path);
  if (const auto* problem = std::get_if<routing::TargetProblem>(&target)) {
    return HeadProblem{400, "target", problem->what};
  }
  return std::get<routing::RequestTarget>(std::move(target));
}

}  // namespace understudy::proxy
