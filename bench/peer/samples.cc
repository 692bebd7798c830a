#include "bench/peer/samples.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace understudy::bench {
namespace {

double percentile_us(const std::vector<Nanoseconds>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return static_cast<double>(sorted[static_cast<std::size_t>(share * last + 0.5)]) / 1e3;
}

std::string content(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

nlohmann::json Samples::summary() const {
  if (values_.empty()) return {{"count", 0}};
  std::vector<Nanoseconds> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  double sum = 0;
  for (const Nanoseconds value : sorted) sum += static_cast<double>(value);
  return {{"count", sorted.size()},
          {"mean_us", sum / static_cast<double>(sorted.size()) / 1e3},
          {"p50_us", percentile_us(sorted, 0.5)},
          {"p90_us", percentile_us(sorted, 0.9)},
          {"p99_us", percentile_us(sorted, 0.99)},
          {"max_us", static_cast<double>(sorted.back()) / 1e3}};
}

ProcessTimes ProcessTimes::of(int pid) {
  ProcessTimes times;
  if (pid == 0) return times;
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
    Thread thread;
    thread.tid = std::stoi(task.path().filename());
    std::istringstream(content(task.path() / "schedstat")) >> thread.cpu_ns;
    // "tid (name) state ...": the name may hold blanks and brackets, so read from the last bracket
    // on.
    const std::string stat = content(task.path() / "stat");
    const std::size_t open = stat.find('('), close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    thread.name = stat.substr(open + 1, close - open - 1);
    std::istringstream rest(stat.substr(close + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) rest >> skipped;  // state to cmajflt; utime and stime follow
    rest >> thread.user_ticks >> thread.system_ticks;
    times.threads_.push_back(std::move(thread));
  }
  return times;
}

nlohmann::json ProcessTimes::since(const ProcessTimes& earlier) const {
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  nlohmann::json threads = nlohmann::json::array();
  std::int64_t cpu_ns = 0, user = 0, system = 0;
  for (Thread used : threads_) {
    for (const Thread& before : earlier.threads_) {
      if (before.tid != used.tid) continue;
      used.cpu_ns -= before.cpu_ns;
      used.user_ticks -= before.user_ticks;
      used.system_ticks -= before.system_ticks;
    }
    cpu_ns += used.cpu_ns;
    user += used.user_ticks;
    system += used.system_ticks;
    threads.push_back({{"tid", used.tid},
                       {"name", used.name},
                       {"cpu_ns", used.cpu_ns},
                       {"user_s", static_cast<double>(used.user_ticks) / ticks},
                       {"system_s", static_cast<double>(used.system_ticks) / ticks}});
  }
  return {{"cpu_ns", cpu_ns},
          {"user_s", static_cast<double>(user) / ticks},
          {"system_s", static_cast<double>(system) / ticks},
          {"threads", std::move(threads)}};
}

}  // namespace understudy::bench
