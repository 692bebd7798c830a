#pragma once
// Reads the simulator's YAML. Every problem is reported at once as `file:line:column: key: what`.
// Pure but for load_config_file.

#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/config.h"

namespace understudy::simulator {

struct LoadResult {
  Config config;
  std::vector<std::string> problems;  // empty when the config may be used
};

LoadResult load_config(std::string_view yaml, const std::string& file_name);
LoadResult load_config_file(const std::string& path);

}  // namespace understudy::simulator
