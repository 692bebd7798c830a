#pragma once
// Notices that a file which the config names has changed: certificates, private keys, lists of
// clients' keys. On a thread of its own. Files of one change often come one after the other (a
// certificate, then its key), so a change is told when nothing has happened for `settle_time`.
// Content counts, not dates; a poll is the net for file systems without events.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace understudy::proxy {

class CompanionWatch {
 public:
  struct Options {
    std::chrono::milliseconds settle_time{300};
    std::chrono::milliseconds poll_interval{5000};
  };

  // `on_change` runs on the watch's thread, never twice at once.
  CompanionWatch(std::function<void()> on_change, Options options);
  // Waits for a call of `on_change` under way.
  ~CompanionWatch();
  CompanionWatch(const CompanionWatch&) = delete;
  CompanionWatch& operator=(const CompanionWatch&) = delete;

  // Any thread, also within `on_change`. What is new is taken as it is when this is called; what
  // was watched before is still told if it has changed.
  void watch(const std::vector<std::filesystem::path>& files);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy
