#include "proxy/credential_report.h"

#include <algorithm>

namespace understudy::proxy {
namespace {

bool serves(const routing::Config& config, std::size_t upstream) {
  return config.default_upstream == upstream ||
         std::any_of(config.routes.begin(), config.routes.end(),
                     [upstream](const auto& route) { return route.primary.upstream == upstream; });
}

}  // namespace

std::vector<CredentialReport> report_credentials(const Snapshot& snapshot) {
  std::vector<CredentialReport> reports;
  for (std::size_t i = 0; i < snapshot.upstreams.size(); ++i) {
    const UpstreamTarget& upstream = *snapshot.upstreams[i];
    const aws::CredentialSlot& slot = *upstream.credentials->slot;
    reports.push_back({.upstream = upstream.config.name,
                       .source = slot.plan().origin,
                       .status = slot.status(),
                       .usable = slot.now().credentials != nullptr,
                       .serves = serves(snapshot.config(), i)});
  }
  return reports;
}

CredentialReadiness credential_readiness(const Snapshot& snapshot) {
  CredentialReadiness readiness;
  bool any_serves = false, any_usable = false, all_tried = true;
  for (const CredentialReport& report : report_credentials(snapshot)) {
    if (report.serves) {
      any_serves = true;
      any_usable = any_usable || report.usable;
      all_tried = all_tried && report.status.state != aws::CredentialState::fetching;
    }
    if (report.usable) continue;
    readiness.lacking.append("upstream ").append(report.upstream).append(": no credentials from ");
    readiness.lacking.append(report.source).append(" (").append(label(report.status.state));
    readiness.lacking.append(")\n");
  }
  readiness.ready = !any_serves || (any_usable && all_tried);
  return readiness;
}

}  // namespace understudy::proxy
