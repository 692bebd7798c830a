#pragma once
// What the copies of each route cost today, kept in the state directory, so that a restart does not
// begin the day's budget anew. One thread.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "metrics/state_file.h"

namespace understudy::proxy {

// USD by route.
using Spending = std::map<std::string, double, std::less<>>;

class SpendingFile {
 public:
  static constexpr std::size_t kMaxRoutes = 10'000;

  // Without a directory nothing is kept. The store outlives this.
  explicit SpendingFile(const std::string& state_directory,
                        metrics::StateStore& store = metrics::direct_state_store());

  // Of that day; empty where nothing is known of it. A file that is none is set aside.
  Spending load(std::chrono::sys_days day) const;
  // Writes what differs from what was written last. A failure is logged, and tried again next time.
  void save(const Spending& spending, std::chrono::sys_days day);

 private:
  const std::filesystem::path file_;  // empty: nothing is kept
  metrics::StateStore& store_;
  Spending saved_;
};

}  // namespace understudy::proxy
