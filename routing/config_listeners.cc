// The `listeners` section.

#include <algorithm>

#include "routing/config_sections.h"

namespace understudy::routing {
namespace {

constexpr std::size_t kMaxCertificates = 64;  // of a listener

// Host names as they come in a Host field, in lower case, without a port.
Parsed<std::string> parse_allowed_host(std::string_view text) {
  Parsed<Endpoint> endpoint = parse_endpoint("http://" + std::string(text));
  const bool host_alone =
      endpoint.value && endpoint.value->path.empty() && endpoint.value->host == text;
  if (!host_alone) return bad<std::string>("must be a host name without port, got " + shown(text));
  std::string host(text);
  std::ranges::transform(host, host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return good(std::move(host));
}

void read_certificate(const ConfigNode& node, std::string path, Problems& problems,
                      const std::filesystem::path& directory, CertificateConfig& certificate) {
  Section section(node, std::move(path), problems);
  section.require("certificate");
  section.require("key");
  read_existing_file(section, "certificate", directory, certificate.certificate);
  read_existing_file(section, "key", directory, certificate.key);
  section.finish();
}

// One pair in the section itself, or a list of them under `certificates`.
void read_certificates(Section& section, const std::filesystem::path& directory,
                       std::vector<CertificateConfig>& certificates) {
  const bool single = section.find("certificate") != nullptr || section.find("key") != nullptr;
  const ConfigNode* list = section.find_list("certificates");
  if (list == nullptr) {
    section.require("certificate");
    section.require("key");
    CertificateConfig& only = certificates.emplace_back();
    read_existing_file(section, "certificate", directory, only.certificate);
    read_existing_file(section, "key", directory, only.key);
    return;
  }
  if (single) section.problem("certificates", "goes without `certificate` and `key` beside it");
  if (list->items.empty()) section.problem("certificates", "must not be empty");
  if (list->items.size() > kMaxCertificates) {
    section.problem("certificates",
                    "must be at most " + std::to_string(kMaxCertificates) + " of them");
    return;
  }
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    read_certificate(list->items[i], section.path_of("certificates", i), section.problems(),
                     directory, certificates.emplace_back());
  }
}

void read_tls(Section& listener, const std::filesystem::path& directory, ListenerConfig& config) {
  const ConfigNode* node = listener.find("tls");
  if (node == nullptr) return;
  Section section(*node, listener.path_of("tls"), listener.problems());
  ListenerTlsConfig& tls = config.tls.emplace();
  read_certificates(section, directory, tls.certificates);
  read_existing_file(section, "client_ca", directory, tls.client_ca);
  section.finish();
}

void read_listener(const ConfigNode& node, std::string path, Problems& problems,
                   const std::filesystem::path& directory, ListenerConfig& listener) {
  Section section(node, std::move(path), problems);
  section.require("address");
  const bool addressed = section.read("address", listener.address, parse_address);
  section.read("base_path", listener.base_path, parse_base_path);
  section.read_list("hosts", listener.hosts, parse_allowed_host);
  section.read("trust_network", listener.trust_network, parse_bool);
  read_tls(section, directory, listener);
  section.not_yet({"clients"});
  const bool knows_its_clients = listener.tls && !listener.tls->client_ca.empty();
  if (addressed && !listener.trust_network && !knows_its_clients &&
      !is_loopback(listener.address.host)) {
    section.problem("address",
                    "is open beyond this machine: anyone who reaches it spends your money; ask "
                    "for client certificates (`tls.client_ca`), or say `trust_network: true` if "
                    "the network keeps others out");
  }
  section.finish();
}

}  // namespace

void read_listeners(Section& root, const std::filesystem::path& directory,
                    std::vector<ListenerConfig>& listeners) {
  if (!root.require("listeners")) return;
  const ConfigNode* list = root.find_list("listeners");
  if (list == nullptr) return;
  if (list->items.empty()) root.problem("listeners", "must not be empty");
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    read_listener(list->items[i], root.path_of("listeners", i), root.problems(), directory,
                  listeners.emplace_back());
  }
}

}  // namespace understudy::routing
