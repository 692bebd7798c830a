#include "tests/simulator/serving.h"

#include <array>
#include <ctime>
#include <exception>
#include <random>
#include <string_view>

#include "tests/simulator/service_error.h"

namespace understudy::simulator {

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

std::string request_id() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::string id = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
  for (char& c : id) {
    if (c == 'x') c = kDigits[random() & 15u];
  }
  return id;
}

Reply handled(Service& service, const Request& request) {
  try {
    return service.handle(request);
  } catch (const std::exception& problem) {
    return to_reply({.status = 500,
                     .type = "InternalServerException",
                     .message = std::string{"the simulator failed: "} + problem.what(),
                     .resource = {}});
  }
}

}  // namespace understudy::simulator
