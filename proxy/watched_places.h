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

namespace understudy::proxy {

// The directory entries that the meaning of a path depends on: each link on the way, and the file
// or what is missing. Directory to names in it.
using Places = std::map<std::filesystem::path, std::set<std::string>>;
Places places_of(const std::filesystem::path& file);

// What is to be heard of in those directories.
inline constexpr std::uint32_t kPlaceEvents = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                              IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |
                                              IN_ONLYDIR;

}  // namespace understudy::proxy
