#include "proxy/aws/profiles.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "proxy/read_file.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::string_view kBlanks = " \t\r\f\v";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

class IniParser {
 public:
  // Empty when the line was understood, else what is wrong with it.
  std::string_view line(std::string_view raw) {
    const std::string_view text = trim(raw);
    if (text.empty() || text.front() == '#' || text.front() == ';') return {};
    const std::size_t indent = raw.find_first_not_of(kBlanks);
    if (value_ != nullptr && indent > key_indent_) {
      value_->append("\n").append(text);
      return {};
    }
    if (text.front() == '[') return section(text);
    return key(text, indent);
  }

  IniFile take() { return std::move(file_); }

 private:
  std::string_view section(std::string_view text) {
    const std::size_t end = text.rfind(']');
    if (end == std::string_view::npos || end == 1) return "a section without a name";
    const auto [entry, is_new] = file_.try_emplace(std::string(text.substr(1, end - 1)));
    if (!is_new) return "this section stands twice";
    section_ = &entry->second;
    value_ = nullptr;
    return {};
  }

  std::string_view key(std::string_view text, std::size_t indent) {
    if (section_ == nullptr) return "a key before the first section";
    const std::size_t delimiter = text.find_first_of("=:");
    if (delimiter == std::string_view::npos || delimiter == 0) return "not \"key = value\"";
    const auto [entry, is_new] = section_->try_emplace(lower(trim(text.substr(0, delimiter))),
                                                       trim(text.substr(delimiter + 1)));
    if (!is_new) return "this key stands twice in its section";
    value_ = &entry->second;
    key_indent_ = indent;
    return {};
  }

  IniFile file_;
  IniSection* section_ = nullptr;
  std::string* value_ = nullptr;  // of the last key, which an indented line continues
  std::size_t key_indent_ = 0;
};

// NAME of "word NAME"; NAME may be quoted.
std::string name_behind(std::string_view word, std::string_view section) {
  if (section.substr(0, word.size()) != word) return {};
  section.remove_prefix(word.size());
  const std::string_view name = trim(section);
  if (name.empty() || name.size() == section.size()) return {};  // "profile" or "profilex"
  const char quote = name.front();
  if (quote != '"' && quote != '\'') {
    return name.find_first_of(kBlanks) == std::string_view::npos ? std::string(name)
                                                                 : std::string();
  }
  const bool is_closed = name.size() > 2 && name.find(quote, 1) == name.size() - 1;
  return is_closed ? std::string(name.substr(1, name.size() - 2)) : std::string();
}

}  // namespace

Result<IniFile> parse_ini(std::string_view text, const std::string& name) {
  IniParser parser;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view trouble = parser.line(text.substr(0, end));
    ++number;
    if (!trouble.empty()) {
      return credentials_error(name + ":" + std::to_string(number) + ": " + std::string(trouble));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parser.take();
}

Result<IniFile> read_ini(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::exists(path, code) && !code) return IniFile{};
  const std::optional<std::string> text = read_file(path, kMaxFileBytes);
  if (!text) return credentials_error(path.string() + ": not a readable file of at most 1 MiB");
  return parse_ini(*text, path.string());
}

std::string profile_of_section(std::string_view section) {
  section = trim(section);
  return section == "default" ? std::string(section) : name_behind("profile", section);
}

std::string sso_session_of_section(std::string_view section) {
  return name_behind("sso-session", trim(section));
}

std::string value_of(const IniSection& section, std::string_view key) {
  const auto entry = section.find(key);
  return entry == section.end() ? std::string() : entry->second;
}

std::string AwsProfile::value(std::string_view key) const {
  std::string value = value_of(credentials, key);
  return value.empty() ? value_of(config, key) : value;
}

std::optional<AwsProfile> AwsFiles::profile(std::string_view name) const {
  AwsProfile profile{.name = std::string(name), .config = {}, .credentials = {}};
  bool exists = false;
  for (const auto& [header, section] : config) {
    if (profile_of_section(header) != name) continue;
    profile.config = section;
    exists = true;
  }
  if (const auto found = credentials.find(name); found != credentials.end()) {
    profile.credentials = found->second;
    exists = true;
  }
  return exists ? std::optional(std::move(profile)) : std::nullopt;
}

std::optional<IniSection> AwsFiles::sso_session(std::string_view name) const {
  for (const auto& [header, section] : config) {
    if (!name.empty() && sso_session_of_section(header) == name) return section;
  }
  return std::nullopt;
}

Result<AwsFiles> read_aws_files(const Environment& environment) {
  const auto path = [&](std::string_view name, std::string_view standard) {
    std::string chosen = variable(environment, name);
    return expand_home(chosen.empty() ? std::string(standard) : std::move(chosen), environment);
  };
  AwsFiles files{.config_path = path("AWS_CONFIG_FILE", "~/.aws/config"),
                 .credentials_path = path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
                 .config = {},
                 .credentials = {}};
  Result<IniFile> config = read_ini(files.config_path);
  if (!config) return config.error();
  Result<IniFile> credentials = read_ini(files.credentials_path);
  if (!credentials) return credentials.error();
  files.config = std::move(*config);
  files.credentials = std::move(*credentials);
  return files;
}

std::filesystem::path expand_home(std::string path, const Environment& environment) {
  if (path == "~" || path.starts_with("~/")) path.replace(0, 1, variable(environment, "HOME"));
  return path;
}

}  // namespace understudy::proxy
