#include "proxy/http_policy.h"

#include <algorithm>

namespace understudy::proxy {
namespace {

std::string_view without_port(std::string_view host) noexcept {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool host_allowed(std::string_view host, const routing::ListenerConfig& listener) noexcept {
  if (listener.hosts.empty()) return true;
  const std::string_view name = without_port(host);
  return std::any_of(listener.hosts.begin(), listener.hosts.end(), [&](const std::string& allowed) {
    return routing::equals_ignoring_case(name, allowed);
  });
}

}  // namespace

std::variant<routing::RequestTarget, HeadProblem> admit(const RequestHead& head,
                                                        const routing::ListenerConfig& listener) {
  if (!host_allowed(head.host, listener)) {
    return HeadProblem{421, "hosts", "This listener does not answer for that Host."};
  }
  auto target = routing::parse_target(head.method, head.target, listener.base_path);
  if (const auto* problem = std::get_if<routing::TargetProblem>(&target)) {
    return HeadProblem{400, "target", problem->what};
  }
  return std::get<routing::RequestTarget>(std::move(target));
}

}  // namespace understudy::proxy
