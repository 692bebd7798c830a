#pragma once
// YAML to Config. The only unit that knows yaml-cpp. Every problem is reported, not only the first.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "routing/config.h"

namespace understudy::routing {

struct ConfigProblem {
  std::string file;
  int line = 0;     // from 1; 0 where the file as a whole is meant
  int column = 0;   // from 1
  std::string key;  // "routes[0].shadow.percent"
  std::string what;
  bool warning = false;  // does not keep the config from taking effect

  // "config.yaml:12:5: routes[0].shadow.percent: must be between 0 and 100, got 150"
  std::string to_string() const;
};

struct LoadedConfig {
  std::shared_ptr<const Config> config;  // null when any problem is not a warning
  std::vector<ConfigProblem> problems;   // in the order of the file
};

// Reads and checks a file. Relative paths inside resolve against the file's directory. Never
// throws.
LoadedConfig load_config_file(const std::filesystem::path& file);
// The same for text at hand; `file` is what problems are reported under.
LoadedConfig load_config_text(std::string_view yaml, const std::filesystem::path& file);

}  // namespace understudy::routing
