#pragma once
// The most that each route was asked within a minute, in requests and in tokens as the candidate's
// quota would count them. Fed on the analysis thread, read by anyone; saved to the state directory
// now and then and at the end, and taken up again from there.

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/state_file.h"
#include "metrics/token_quota.h"

namespace understudy::proxy {

struct VolumePeak {
  std::uint64_t requests = 0;  // in the fullest 60 seconds
  std::uint64_t tokens = 0;    // the same, though not of the same 60 seconds
  friend bool operator==(const VolumePeak&, const VolumePeak&) = default;
};

// Of one route. Any 60 seconds count, not only minutes of the clock: a burst across the turn of one
// would look half as high.
class VolumeMeter {
 public:
  static constexpr std::int64_t kDays = 7;  // a peak is forgotten after as many
  struct Day {
    std::chrono::sys_days day{};
    VolumePeak peak{};
  };

  void add(std::chrono::sys_seconds when, std::uint64_t tokens) noexcept;
  // A day of an earlier run.
  void add_day(const Day& day) noexcept;
  // None without a request in the last seven days.
  std::optional<VolumePeak> peak(std::chrono::sys_days today) const noexcept;
  std::vector<Day> days() const;

 private:
  // The 60 seconds that end with `second`.
  struct Window {
    std::int64_t second = -1;
    VolumePeak sum{};
  };
  // Longer than an answer may well take: a request counts where it began, told when it has ended.
  static constexpr std::size_t kWindows = 1024;
  Day& day_of(std::int64_t second) noexcept;

  std::array<Window, kWindows> windows_{};
  std::array<Day, static_cast<std::size_t>(kDays)> days_{};
};

class VolumeBook {
 public:
  using Clock = std::chrono::system_clock;

  // The store outlives this.
  explicit VolumeBook(const std::string& state_directory,
                      metrics::StateStore& store = metrics::direct_state_store());
  ~VolumeBook();  // saves what was not

  struct Request {
    bool by_candidate = false;  // that served it
    const metrics::Usage& usage;
    std::optional<std::uint64_t> max_output;  // that it asked for
    metrics::QuotaRule rule;                  // the candidate's
    Clock::time_point begun;
  };
  // A request that was answered. Where another rule held before, the route's peaks begin anew.
  void note(std::string_view route, const Request& request);
  // How many input tokens both variants counted for one request: what the primary served is scaled
  // by that.
  void note_pair(std::string_view route, std::uint64_t by_primary, std::uint64_t by_candidate);
  // Saves what is new, when it is time. Call it now and then, on one thread.
  void save_when_due();

  // None where nothing was asked in the last seven days.
  std::optional<VolumePeak> peak(std::string_view route);

 private:
  struct Route {
    metrics::QuotaRule rule{};
    VolumeMeter meter{};
    double primary_input = 0.0, candidate_input = 0.0;  // of requests that both answered
    double input = 0.0, inputs = 0.0;                   // the candidate's tokens, of how many
    bool unsaved = false;

    double scale() const noexcept {
      return primary_input > 0.0 ? candidate_input / primary_input : 1.0;
    }
    std::uint64_t input_of(const Request& request) noexcept;
  };
  Route& route(std::string_view name);
  std::filesystem::path path_of(std::string_view name) const;
  void load(std::string_view name, Route& route) const;
  static std::string to_json_text(const Route& route);
  void save_new();

  const std::filesystem::path directory_;  // empty: nothing is kept
  metrics::StateStore& store_;
  std::chrono::steady_clock::time_point saved_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::map<std::string, Route, std::less<>> routes_;  // guarded by mutex_
};

}  // namespace understudy::proxy
