#include "proxy/watched_places.h"

#include <unistd.h>

#include <array>
#include <cstring>
#include <deque>
#include <system_error>
#include <utility>

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as the kernel
constexpr int kMaxComponents = 256;

constexpr std::uint32_t kPlaceEvents = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                       IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kFileEvents = IN_MODIFY | IN_CLOSE_WRITE;

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

PlaceWatch::PlaceWatch() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

PlaceWatch::~PlaceWatch() {
  if (inotify_ >= 0) ::close(inotify_);
}

void PlaceWatch::follow(Places places) {
  places_ = std::move(places);
  if (inotify_ < 0) return;
  std::map<int, fs::path> watches;
  for (const auto& [directory, names] : places_) {
    const int watch = ::inotify_add_watch(inotify_, directory.c_str(), kPlaceEvents);
    if (watch >= 0) watches.emplace(watch, directory);
  }
  for (const auto& [watch, directory] : watches_) {
    if (!watches.contains(watch)) ::inotify_rm_watch(inotify_, watch);
  }
  watches_ = std::move(watches);
}

int PlaceWatch::follow_file(const fs::path& file) {
  if (inotify_ < 0) return -1;
  const int watch = file.empty() ? -1 : ::inotify_add_watch(inotify_, file.c_str(), kFileEvents);
  if (watch != file_watch_ && file_watch_ >= 0) ::inotify_rm_watch(inotify_, file_watch_);
  file_watch_ = watch;
  return watch;
}

std::vector<PlaceWatch::Event> PlaceWatch::take_events() {
  std::vector<Event> events;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  while (inotify_ >= 0) {
    const ::ssize_t got = ::read(inotify_, buffer.data(), buffer.size());
    if (got <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      events.push_back(event_of(event.wd, event.mask, event.len > 0 ? name : std::string()));
      at += sizeof event + event.len;
    }
  }
  return events;
}

PlaceWatch::Event PlaceWatch::event_of(int watch, std::uint32_t mask, std::string name) const {
  Event event{.watch = watch, .mask = mask, .directory = {}, .name = std::move(name)};
  const auto watched = watches_.find(watch);
  if (watched == watches_.end()) return event;
  event.directory = watched->second;
  const auto place = places_.find(watched->second);
  event.concerns_place = place != places_.end() && place->second.contains(event.name);
  return event;
}

}  // namespace understudy::proxy
