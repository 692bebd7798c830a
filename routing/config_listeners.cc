// The `listeners` and `admin` sections.

#include <algorithm>
#include <optional>

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

void read_tls(Section& listener, const std::filesystem::path& directory,
              std::optional<ListenerTlsConfig>& config) {
  const ConfigNode* node = listener.find("tls");
  if (node == nullptr) return;
  Section section(*node, listener.path_of("tls"), listener.problems());
  ListenerTlsConfig& tls = config.emplace();
  read_certificates(section, directory, tls.certificates);
  read_existing_file(section, "client_ca", directory, tls.client_ca);
  section.finish();
}

void read_sigv4(Section& clients, const std::filesystem::path& directory, ClientsConfig& config) {
  const ConfigNode* node = clients.find("sigv4");
  if (node == nullptr) return;
  Section section(*node, clients.path_of("sigv4"), clients.problems());
  section.require("keys_file");
  read_existing_file(section, "keys_file", directory, config.sigv4_keys_file);
  section.read("max_skew", config.sigv4_max_skew, duration_between(1s, 1h));
  section.finish();
}

void read_mutual_tls(Section& clients, const ListenerConfig& listener, ClientsConfig& config) {
  const ConfigNode* node = clients.find("mutual_tls");
  if (node == nullptr) return;
  Section section(*node, clients.path_of("mutual_tls"), clients.problems());
  section.require("names");
  section.read_list("names", config.certificate_names, parse_text);
  section.finish();
  if (!listener.tls || listener.tls->client_ca.empty())
    clients.problem("mutual_tls",
                    "needs `tls.client_ca`: the authorities that vouch for the names");
}

void read_clients(Section& listener, const std::filesystem::path& directory,
                  ListenerConfig& config) {
  const ConfigNode* node = listener.find("clients");
  if (node == nullptr) return;
  Section section(*node, listener.path_of("clients"), listener.problems());
  read_existing_file(section, "api_keys_file", directory, config.clients.api_keys_file);
  read_sigv4(section, directory, config.clients);
  read_mutual_tls(section, config, config.clients);
  section.finish();
  if (node->kind == ConfigNode::Kind::map && node->members.empty())
    listener.problem("clients", "must name a way: api_keys_file, sigv4 or mutual_tls");
}

void read_listener(const ConfigNode& node, std::string path, Problems& problems,
                   const std::filesystem::path& directory, ListenerConfig& listener) {
  Section section(node, std::move(path), problems);
  section.require("address");
  const bool addressed = section.read("address", listener.address, parse_address);
  section.read("base_path", listener.base_path, parse_base_path);
  section.read_list("hosts", listener.hosts, parse_allowed_host);
  section.read("trust_network", listener.trust_network, parse_bool);
  read_tls(section, directory, listener.tls);
  read_clients(section, directory, listener);
  const bool knows_its_clients =
      section.find("clients") != nullptr || (listener.tls && !listener.tls->client_ca.empty());
  if (addressed && !listener.trust_network && !knows_its_clients &&
      !is_loopback(listener.address.host)) {
    section.problem("address",
                    "is open beyond this machine: anyone who reaches it spends your money; say who "
                    "may by `clients` (api_keys_file, sigv4 or mutual_tls) or `tls.client_ca`, or "
                    "say `trust_network: true` if the network keeps others out");
  }
  section.finish();
}

void read_read_only(Section& admin, AdminConfig& config) {
  const ConfigNode* node = admin.find("read_only");
  if (node == nullptr) return;
  Section section(*node, admin.path_of("read_only"), admin.problems());
  AdminReadOnlyConfig& read_only = config.read_only.emplace();
  section.require("address");
  section.read("address", read_only.address, parse_address);
  section.read("max_connections", read_only.max_connections, count_between(1, 10'000));
  section.finish();
}

// Whoever reaches the admin port can change what the proxy does.
void check_protection(Section& section, const AdminConfig& admin) {
  if (is_loopback(admin.address.host)) return;
  const bool knows_certificates = admin.tls && !admin.tls->client_ca.empty();
  if (admin.token_file.empty() && !knows_certificates) {
    section.problem("address",
                    "is open beyond this machine: give it a `token_file`, or `tls` with "
                    "`client_ca`; scrapers and probes need only `read_only: {address: ...}`");
  } else if (!admin.tls) {
    section.problems().warn(section.place(), section.path_of("token_file"),
                            "goes over the network in the clear: add `tls`");
  }
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

void read_admin(Section& root, const std::filesystem::path& directory, AdminConfig& admin) {
  const ConfigNode* node = root.find("admin");
  if (node == nullptr) return;
  Section section(*node, "admin", root.problems());
  const bool addressed =
      section.find("address") == nullptr || section.read("address", admin.address, parse_address);
  read_existing_file(section, "token_file", directory, admin.token_file);
  read_tls(section, directory, admin.tls);
  section.read_list("hosts", admin.hosts, parse_allowed_host);
  section.read("max_connections", admin.max_connections, count_between(1, 10'000));
  read_read_only(section, admin);
  if (addressed) check_protection(section, admin);
  section.finish();
}

}  // namespace understudy::routing
