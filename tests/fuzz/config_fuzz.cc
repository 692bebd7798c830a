// The config file, half-written or hostile.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "routing/config_loader.h"
#include "routing/route_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy::routing;
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const LoadedConfig loaded = load_config_text(yaml, "/fuzz/config.yaml");
  bool refused = false;
  for (const ConfigProblem& problem : loaded.problems) {
    refused = refused || !problem.warning;
    if (problem.to_string().find('\n') != std::string::npos) std::abort();
  }
  if (refused != (loaded.config == nullptr)) std::abort();
  if (loaded.config) RouteTable(loaded.config).decide({});
  return 0;
}
