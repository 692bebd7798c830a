#pragma once
// The readers of the config's sections, one function for each. Each fills in what is good and
// reports the rest.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "routing/config.h"
#include "routing/config_section.h"

namespace understudy::routing {

void read_listeners(Section& root, const std::filesystem::path& directory,
                    std::vector<ListenerConfig>& listeners);
void read_admin(Section& root, const std::filesystem::path& directory, AdminConfig& admin);
// Every name gets an entry, even where its section has problems, so that routes can refer to it.
void read_upstreams(Section& root, const std::filesystem::path& directory,
                    std::vector<UpstreamConfig>& upstreams);
void read_credentials(Section& upstream, const std::filesystem::path& directory,
                      CredentialsConfig& credentials);
// `upstreams` must be read by now. Routes keep the order and the number of the file's.
void read_routes(Section& root, Config& config);
void read_verdict(Section& route, VerdictConfig& verdict);
void read_canary(Section& route, CanaryConfig& canary);
// The index of the upstream that the section names under `upstream`.
std::optional<std::size_t> read_upstream_name(Section& section, const Config& config);
void read_default_route(Section& root, Config& config);
void read_records(Section& root, const std::filesystem::path& directory, RecordsConfig& records);
void read_events(Section& root, const std::filesystem::path& directory, EventsConfig& events);
// `upstreams` must be read by now.
void read_lifecycle(Section& root, const std::filesystem::path& directory, Config& config);
void read_evidence(Section& root, const std::filesystem::path& directory, EvidenceConfig& evidence);
void read_limits(Section& root, LimitsConfig& limits);
// state, threads, drain, log, sampling_salt, prices_file, quotas_file
void read_process(Section& root, const std::filesystem::path& directory, Config& config);

// Reads a path, absolute once resolved against `directory`; the second reports a path that names no
// file.
void read_path(Section& section, std::string_view key, const std::filesystem::path& directory,
               std::string& out);
void read_existing_file(Section& section, std::string_view key,
                        const std::filesystem::path& directory, std::string& out);

// What no section sees alone: loops, clashes, routes that cannot match, candidates that cannot
// differ.
void check_config(const Config& config, const ConfigNode& root, Problems& problems);

}  // namespace understudy::routing
