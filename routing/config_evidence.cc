// The `evidence` section: how several proxies decide together.

#include <filesystem>
#include <string>

#include "routing/config_sections.h"
#include "routing/config_values.h"

namespace understudy::routing {
namespace {

void check_endpoint(Section& section, const EvidenceConfig& evidence) {
  if (evidence.prometheus->tls || is_loopback(evidence.prometheus->host)) return;
  if (!evidence.token_file.empty())
    return section.problem("prometheus", "must be https:// beyond loopback where a token is sent");
  section.problems().warn(section.place(), section.path_of("prometheus"),
                          "is http:// beyond loopback: whoever can answer in its place decides "
                          "about the rollout");
}

}  // namespace

void read_evidence(Section& root, const std::filesystem::path& directory,
                   EvidenceConfig& evidence) {
  const ConfigNode* node = root.find("evidence");
  if (node == nullptr) return;
  Section section(*node, "evidence", root.problems());
  section.read("export", evidence.exported, parse_bool);
  section.read("max_families", evidence.max_families, count_between(0, 20));
  section.read("fleet", evidence.fleet, parse_name);
  Endpoint prometheus;
  if (section.read("prometheus", prometheus, parse_endpoint))
    evidence.prometheus = std::move(prometheus);
  section.read("interval", evidence.interval, duration_between(200ms, 5min));
  section.read("timeout", evidence.timeout, duration_between(100ms, 1min));
  section.read("window", evidence.window, duration_between(1s, 1h));
  section.read("horizon", evidence.horizon, duration_between(1h, 365 * 24h));
  section.read("max_answer", evidence.max_answer_bytes, size_between(64u << 10, 256u << 20));
  read_existing_file(section, "token_file", directory, evidence.token_file);
  read_existing_file(section, "ca_file", directory, evidence.ca_file);
  if (evidence.prometheus) {
    check_endpoint(section, evidence);
    if (!evidence.exported)
      section.problem("export", "must be true where prometheus is asked: the sums would lack us");
    if (evidence.window < 3 * evidence.interval)
      section.problem("window", "must be three times the interval at least");
  }
  section.finish();
}

}  // namespace understudy::routing
