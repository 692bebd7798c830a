#pragma once
// Notices that the config file may have changed, on a thread of its own. The directory is watched,
// not the file: files are replaced by renames and by swaps of a symbolic link (Kubernetes swaps
// `..data`), after which a watch on the old file stays silent for good. Every link on the way and
// its directory count, and a poll of the content is the net under it for file systems without
// events.
//
// A file that is being written in place is left alone until its writer closes it. A missing file is
// no change at first: many editors remove before they write.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace understudy::proxy {

class ConfigWatch {
 public:
  struct Options {
    std::chrono::milliseconds poll_interval{5000};
    // A content that only the poll noticed is reported when it is still the same after this.
    std::chrono::milliseconds settle_time{1000};
  };

  // `on_change` runs on the watch's thread, never twice at once; what happens while it runs leads
  // to one more call. It is called at once where the content's hash (16 hex digits, see
  // routing/hash.h) is not `loaded_hash`.
  ConfigWatch(std::filesystem::path file, std::string loaded_hash, std::function<void()> on_change,
              Options options);
  // Waits for a call of `on_change` under way.
  ~ConfigWatch();
  ConfigWatch(const ConfigWatch&) = delete;
  ConfigWatch& operator=(const ConfigWatch&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy
