#pragma once
// What a path depends on, for those who watch files by inotify. A watch on the file alone goes
// silent for good when the file is replaced by a rename or by the swap of a symbolic link on the
// way to it (Kubernetes swaps `..data`).

#include <sys/inotify.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace understudy::proxy {

// The directory entries that the meaning of a path depends on: each link on the way, and the file
// or what is missing. Directory to names in it.
using Places = std::map<std::filesystem::path, std::set<std::string>>;
Places places_of(const std::filesystem::path& file);

// Watches over such places by inotify. One thread's, once it is made.
class PlaceWatch {
 public:
  PlaceWatch();
  ~PlaceWatch();
  PlaceWatch(const PlaceWatch&) = delete;
  PlaceWatch& operator=(const PlaceWatch&) = delete;

  // For poll(); -1: the system has none left, so that only looking again helps.
  int descriptor() const noexcept { return inotify_; }

  // These places and no others from now on.
  void follow(Places places);
  const Places& places() const noexcept { return places_; }
  // A file's content beside them; an empty path: none. Returns the number that its events bear, -1
  // where there is nothing to watch.
  int follow_file(const std::filesystem::path& file);

  struct Event {
    int watch = -1;
    std::uint32_t mask = 0;           // inotify's
    std::filesystem::path directory;  // empty where it is of no place
    std::string name;                 // in the directory; empty: of the directory itself
    bool concerns_place = false;      // the name is one that a place depends on
  };
  // Whatever has happened since; does not wait.
  std::vector<Event> take_events();

 private:
  Event event_of(int watch, std::uint32_t mask, std::string name) const;

  const int inotify_;
  Places places_;
  std::map<int, std::filesystem::path> watches_;
  int file_watch_ = -1;
};

}  // namespace understudy::proxy
