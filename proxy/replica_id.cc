#include "proxy/replica_id.h"

#include <algorithm>
#include <random>

#include "metrics/state_file.h"
#include "proxy/log.h"
#include "routing/hash.h"

namespace understudy::proxy {
namespace {

constexpr std::size_t kDigits = 16;

std::string new_id() {
  std::random_device device;
  return routing::hex((std::uint64_t{device()} << 32) | device());
}

}  // namespace

bool is_replica_id(std::string_view text) noexcept {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string replica_id(const std::filesystem::path& state_directory) {
  if (state_directory.empty()) return new_id();
  const std::filesystem::path path = state_directory / "replica";
  const metrics::StateText stored = metrics::read_state_file(path, kDigits + 1);
  std::string id = stored.text.value_or("");
  id.erase(std::min(id.size(), id.find('\n')));
  if (is_replica_id(id)) return id;
  id = new_id();
  const std::string problem = metrics::write_state_file(path, id + "\n");
  if (!problem.empty()) log_warn("replica_not_saved", {{"what", problem}});
  return id;
}

}  // namespace understudy::proxy
