#include "routing/percent.h"

#include <array>
#include <cstdio>

namespace understudy::routing {

std::string percent_text(Percent percent) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%u.%02u", percent.hundredths / 100,
                percent.hundredths % 100);
  std::string result = text.data();
  result.erase(result.find_last_not_of('0') + 1);
  if (result.ends_with('.')) result.pop_back();
  return result;
}

}  // namespace understudy::routing
