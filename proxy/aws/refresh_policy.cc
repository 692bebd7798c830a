#include "proxy/aws/refresh_policy.h"

#include <algorithm>

namespace understudy::proxy::aws {

using std::chrono::milliseconds;
using std::chrono::seconds;

WallTime next_refresh(WallTime fetched, WallTime expires) {
  if (expires <= fetched) return fetched;
  return std::max(expires - kAdvisory, fetched + (expires - fetched) / 2);
}

milliseconds retry_delay(unsigned failures, bool urgent, std::uint32_t random) {
  const milliseconds most = urgent ? seconds(10) : seconds(60);
  const milliseconds whole =
      std::min<milliseconds>(most, seconds(1) * (1 << std::min(failures, 10u) >> 1));
  const auto half =
      static_cast<std::uint64_t>(std::max<milliseconds>(whole, seconds(1)).count()) / 2;
  return milliseconds(static_cast<std::int64_t>(half + random % (half + 1)));
}

WallTime extended_expiry(WallTime now, WallTime expires, std::uint32_t random) {
  const auto window = kAdvisory + seconds(120 + random % 481);
  return now >= expires - window ? now + window : expires;
}

}  // namespace understudy::proxy::aws
