#pragma once
// The shared config and credentials files of the AWS SDKs (INI with profiles), read as botocore
// reads them. Any thread that may read files: the main thread, when a config is loaded.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "proxy/error.h"

namespace understudy::proxy {

using IniSection = std::map<std::string, std::string, std::less<>>;  // key in lower case -> value
using IniFile = std::map<std::string, IniSection, std::less<>>;      // section as written -> keys

// "key = value" or "key: value"; '#' and ';' begin a comment line; an indented line continues the
// value before it. A section or key that stands twice is an error. `name` is for messages, which
// hold line numbers and never a line's text.
Result<IniFile> parse_ini(std::string_view text, const std::string& name);

// An absent file is an empty one, as for every SDK. At most 1 MiB is accepted.
Result<IniFile> read_ini(const std::filesystem::path& path);

// The name in a config file's header "[default]" or "[profile NAME]" (NAME may be quoted); empty
// for other sections.
std::string profile_of_section(std::string_view section);
// The same for "[sso-session NAME]".
std::string sso_session_of_section(std::string_view section);

// The value, empty where there is none.
std::string value_of(const IniSection& section, std::string_view key);

// One profile out of both files.
struct AwsProfile {
  std::string name;
  IniSection config, credentials;  // its section in each file

  // As botocore merges them: the credentials file's value before the config file's.
  std::string value(std::string_view key) const;
  bool has(std::string_view key) const { return !value(key).empty(); }
  std::string origin() const { return "profile \"" + name + "\""; }
};

// Both files, as the variables AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE or HOME say where
// they are.
struct AwsFiles {
  std::filesystem::path config_path, credentials_path;
  IniFile config, credentials;

  std::string names() const { return config_path.string() + " and " + credentials_path.string(); }
  std::optional<AwsProfile> profile(std::string_view name) const;
  std::optional<IniSection> sso_session(std::string_view name) const;
};
Result<AwsFiles> read_aws_files(const Environment& environment);

// `path` with "~" at its front replaced by the home directory.
std::filesystem::path expand_home(std::string path, const Environment& environment);

}  // namespace understudy::proxy
