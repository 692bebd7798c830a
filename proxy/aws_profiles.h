#pragma once
// The shared config and credentials files of the AWS SDKs (INI with profiles), read as botocore
// reads them. Main thread, when a config is loaded.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

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

}  // namespace understudy::proxy
