// The shared AWS files as a hostile or half-finished editor leaves them, and the plans that they
// lead to.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/aws/command_split.h"
#include "proxy/aws/plan_sources.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace understudy::proxy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Environment none = [](std::string_view) { return std::optional<std::string>(); };
  auto ini = parse_ini(text, "config");
  if (ini) {
    AwsFiles files{.config_path = "config",
                   .credentials_path = "credentials",
                   .config = *ini,
                   .credentials = *ini};
    for (const auto& [header, section] : files.config) {
      const std::string name = profile_of_section(header);
      const auto profile = files.profile(name.empty() ? header : name);
      if (!profile) continue;
      const auto found = aws::of_profile(*profile, files, none, true);
      if (!found || !*found) continue;
      if ((*found)->origin.empty() || (*found)->roles.size() > 8) std::abort();
    }
  } else if (ini.error().context.find('\n') != std::string::npos) {
    std::abort();
  }
  const auto words = aws::split_command(text);
  if (words && (words->empty() || words->front().empty())) std::abort();
  return 0;
}
