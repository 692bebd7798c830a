// The `credentials` section of an upstream.

#include <algorithm>
#include <array>

#include "routing/config_sections.h"

namespace understudy::routing {
namespace {

using Source = CredentialsConfig::Source;

constexpr std::array<std::pair<Source, std::string_view>, 12> kSources{{
    {Source::default_chain, "default"},
    {Source::environment, "environment"},
    {Source::profile, "profile"},
    {Source::static_keys, "static"},
    {Source::process, "process"},
    {Source::web_identity, "web_identity"},
    {Source::container, "container"},
    {Source::imds, "imds"},
    {Source::sso, "sso"},
    {Source::bearer, "bearer"},
    {Source::forward_bearer, "forward_bearer"},
    {Source::none, "none"},
}};

Parsed<Source> parse_source(std::string_view text) {
  for (const auto& [source, name] : kSources) {
    if (text == name) return good(source);
  }
  // What stands there may be a key that slipped a line, so it is not shown.
  return bad<Source>(
      "must be default, environment, profile, static, process, web_identity, container, imds, sso, "
      "bearer, forward_bearer or none");
}

// A text key, and the sources that it goes with.
struct SourceKey {
  std::string_view key;
  std::string CredentialsConfig::*value;
  Source source;
  bool required;
  Source also = source;  // optional there
};

constexpr std::array kSourceKeys{
    SourceKey{"profile", &CredentialsConfig::profile, Source::profile, true, Source::sso},
    SourceKey{"access_key_id", &CredentialsConfig::access_key_id, Source::static_keys, true},
    SourceKey{"secret_access_key", &CredentialsConfig::secret_access_key, Source::static_keys,
              true},
    SourceKey{"session_token", &CredentialsConfig::session_token, Source::static_keys, false},
    SourceKey{"web_identity_role_arn", &CredentialsConfig::web_identity_role_arn,
              Source::web_identity, false},
    SourceKey{"token", &CredentialsConfig::token, Source::bearer, false},
    SourceKey{"token_env", &CredentialsConfig::token_env, Source::bearer, false},
};

constexpr std::array<std::string_view, 3> kRoleKeys{"external_id", "role_session_name",
                                                    "role_duration"};

// STS's own limits of a session: 15 minutes to 12 hours, in whole seconds.
Parsed<milliseconds> parse_role_duration(std::string_view text) {
  Parsed<milliseconds> parsed = duration_between(15min, 12h)(text);
  if (parsed.value && parsed.value->count() % 1000 != 0)
    return bad<milliseconds>("must be whole seconds");
  return parsed;
}

// [\w+=,.@-]{2,64}, as STS wants it.
Parsed<std::string> parse_session_name(std::string_view text) {
  const bool fit = text.size() >= 2 && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
                     return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') ||
                            std::string_view("_+=,.@-").find(c) != std::string_view::npos;
                   });
  if (!fit) return bad<std::string>("must be 2 to 64 letters, digits and _+=,.@-");
  return good(std::string(text));
}

Parsed<std::string> parse_arn(std::string_view text) {
  Parsed<std::string> parsed = parse_secret(text);
  if (!parsed.value || !text.starts_with("arn:") || text.size() > 2048)
    return bad<std::string>("must be the ARN of a role (arn:aws:iam::123456789012:role/name)");
  return parsed;
}

// "arn:aws:iam::123456789012:role/name", of any partition. A simulator may take others.
bool is_role_arn(std::string_view arn) {
  const std::size_t service = arn.find(":iam::");
  if (service == arn.npos || arn.substr(0, service).rfind(':') != 3) return false;
  arn.remove_prefix(service + 6);
  constexpr std::string_view kRole = ":role/";
  const std::size_t digits = arn.find_first_not_of("0123456789");
  return digits == 12 && arn.substr(digits).starts_with(kRole) &&
         arn.size() > digits + kRole.size();
}

void read_source_keys(Section& section, bool sourced, CredentialsConfig& credentials) {
  const auto goes_only_with = [&section](std::string_view key, Source source) {
    section.problem(key, "goes only with `source: " + std::string(label(source)) + "`");
  };
  for (const SourceKey& row : kSourceKeys) {
    const bool given = section.find(row.key) != nullptr;
    section.read(row.key, credentials.*row.value, parse_secret);
    if (!sourced) continue;
    const bool fits = credentials.source == row.source || credentials.source == row.also;
    if (given && !fits) {
      goes_only_with(row.key, row.source);
    } else if (row.required && credentials.source == row.source) {
      section.require(row.key);
    }
  }
  if (sourced && section.find("command") != nullptr && credentials.source != Source::process)
    goes_only_with("command", Source::process);
  if (sourced && section.find("token_file") != nullptr &&
      credentials.source != Source::web_identity) {
    goes_only_with("token_file", Source::web_identity);
  }
  if (sourced && credentials.source == Source::process) section.require("command");
  const bool one_token =
      (section.find("token") == nullptr) != (section.find("token_env") == nullptr);
  if (sourced && credentials.source == Source::bearer && !one_token) {
    section.problem("token", "`source: bearer` takes either `token` or `token_env`");
  }
}

void read_role(Section& section, bool sourced, CredentialsConfig& credentials) {
  const bool given = section.find("role_arn") != nullptr;
  if (section.read("role_arn", credentials.role_arn, parse_arn) &&
      !is_role_arn(credentials.role_arn)) {
    section.warning("role_arn",
                    "is no role as AWS writes it (arn:aws:iam::123456789012:role/name)");
  }
  section.read("external_id", credentials.external_id, parse_secret);
  section.read("role_session_name", credentials.role_session_name, parse_session_name);
  section.read("role_duration", credentials.role_duration, parse_role_duration);
  if (sourced && given && !signs(credentials.source)) {
    section.problem("role_arn", "needs a source of keys: a token cannot assume a role");
  }
  for (const std::string_view key : kRoleKeys) {
    if (!given && section.find(key) != nullptr) section.problem(key, "goes only with `role_arn`");
  }
}

}  // namespace

bool signs(Source source) noexcept {
  return source != Source::bearer && source != Source::forward_bearer && source != Source::none;
}

std::string_view label(Source source) noexcept {
  const auto* const row =
      std::ranges::find(kSources, source, [](const auto& r) { return r.first; });
  return row == kSources.end() ? std::string_view() : row->second;
}

void read_credentials(Section& upstream, const std::filesystem::path& directory,
                      CredentialsConfig& credentials) {
  const ConfigNode* node = upstream.find("credentials");
  if (node == nullptr) return;
  Section section(*node, upstream.path_of("credentials"), upstream.problems());
  const bool sourced =
      section.require("source") && section.read("source", credentials.source, parse_source);
  section.read("command", credentials.command, parse_text);
  read_path(section, "token_file", directory, credentials.token_file);
  read_source_keys(section, sourced, credentials);
  read_role(section, sourced, credentials);
  section.read("timeout", credentials.timeout, duration_between(100ms, 5min));
  section.read("max_answer_bytes", credentials.max_answer_bytes, size_between(1024, 1u << 20));
  section.finish();
}

}  // namespace understudy::routing
