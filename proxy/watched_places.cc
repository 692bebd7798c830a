#include "proxy/watched_places.h"

#include <deque>
#include <system_error>
#include <utility>

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as the kernel
constexpr int kMaxComponents = 256;

void prepend(std::deque<fs::path>& remaining, const fs::path& path) {
  remaining.insert(remaining.begin(), path.begin(), path.end());
}

}  // namespace

Places places_of(const fs::path& file) {
  Places places;
  std::error_code error;
  std::deque<fs::path> remaining;
  prepend(remaining, fs::absolute(file, error));
  fs::path here = "/";
  int links = 0;
  for (int steps = 0; !remaining.empty() && steps < kMaxComponents; ++steps) {
    const fs::path part = std::move(remaining.front());
    remaining.pop_front();
    if (part.empty() || part == "." || part == "/") continue;
    if (part == "..") {
      here = here.parent_path();
      continue;
    }
    const fs::path entry = here / part;
    const auto type = fs::symlink_status(entry, error).type();
    const bool linked = type == fs::file_type::symlink;
    if (linked || type != fs::file_type::directory || remaining.empty())
      places[here].insert(part.string());
    if (linked) {
      if (++links > kMaxLinks) break;
      const fs::path target = fs::read_symlink(entry, error);
      if (target.is_absolute()) here = "/";
      prepend(remaining, target);
    } else if (type == fs::file_type::directory) {
      here = entry;
    } else {
      break;  // the file, or nothing
    }
  }
  return places;
}

}  // namespace understudy::proxy
