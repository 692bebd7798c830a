#include "proxy/config_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/log.h"
#include "proxy/read_file.h"
#include "proxy/watched_places.h"
#include "routing/hash.h"

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kMaxConfigBytes = std::size_t{2}
                                        << 20;  // above what the loader takes, so that it says why
// A writer that has been silent for this long has forgotten to close.
constexpr auto kWriterPatience = 60s;
constexpr auto kSoon = 100ms;

bool is_new_regular_file(const fs::path& entry) {
  struct stat status {};
  // A hard link to a finished file has two names.
  return ::lstat(entry.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1;
}

bool is_link(const fs::path& entry) {
  std::error_code error;
  return fs::is_symlink(fs::symlink_status(entry, error));
}

}  // namespace

struct ConfigWatch::Impl {
  Impl(fs::path file, std::string loaded_hash, std::function<void()> on_change, Options options)
      : file_(std::move(file)),
        on_change_(std::move(on_change)),
        options_(options),
        stop_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        reported_(std::move(loaded_hash)) {
    if (stop_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    if (places_.descriptor() < 0)
      log_warn("config_watch_degraded",
               {{"why", std::strerror(errno)}, {"effect", "the config is only polled"}});
    // Before the constructor returns, so that whatever is written after it is seen as an event.
    arm();
    changed_before_ = content().value_or(reported_) != reported_;
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_, &one, sizeof one);
    thread_.join();
    ::close(stop_);
  }

 private:
  // What the events since the last look ask for.
  struct Asked {
    bool report = false;  // something complete is in place
    bool arm = false;     // what we watch may be another directory now
  };

  void run() {
    if (changed_before_) report();
    next_poll_ = Clock::now() + options_.poll_interval;
    while (wait()) {
      const Asked asked = drain_events();
      if (asked.report || asked.arm) arm();
      if (asked.arm) next_poll_ = std::min(next_poll_, Clock::now() + kSoon);
      if (asked.report && content()) report();
      if (Clock::now() >= next_poll_) poll_content();
    }
  }

  // False when we are to stop.
  bool wait() {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_poll_ - Clock::now());
    std::array<pollfd, 2> ready{{{stop_, POLLIN, 0}, {places_.descriptor(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), static_cast<int>(std::clamp(left, 0ms, 60'000ms).count()));
    return ready[0].revents == 0;
  }

  Asked drain_events() {
    Asked asked;
    for (const PlaceWatch::Event& event : places_.take_events()) take(event, asked);
    return asked;
  }

  void take(const PlaceWatch::Event& event, Asked& asked) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      asked.arm = true;
    } else if (event.watch == file_watch_) {
      take_file_event(event.mask, asked);
    } else if (!event.directory.empty()) {
      take_directory_event(event, asked);
    }
  }

  void take_file_event(std::uint32_t mask, Asked& asked) {
    if ((mask & IN_MODIFY) != 0) written_at_ = Clock::now();
    if ((mask & IN_CLOSE_WRITE) != 0) writer_finished(asked);
  }

  void take_directory_event(const PlaceWatch::Event& event, Asked& asked) {
    const std::uint32_t mask = event.mask;
    if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
      asked.arm = true;
      return;
    }
    if (!event.concerns_place) return;
    const fs::path entry = event.directory / event.name;
    if ((mask & IN_CLOSE_WRITE) != 0 || (mask & IN_MOVED_TO) != 0) {
      writer_finished(asked);
    } else if ((mask & IN_CREATE) != 0 && is_link(entry)) {
      asked.report = true;
    } else {
      // A file that was just created is empty yet; the writer's close or the poll brings it.
      if ((mask & IN_CREATE) != 0 && is_new_regular_file(entry)) written_at_ = Clock::now();
      asked.arm = true;
    }
  }

  void writer_finished(Asked& asked) {
    written_at_.reset();
    asked.report = true;
  }

  // Watches what the path depends on now. Looks again afterwards: the path may have changed before
  // a watch was set.
  void arm() {
    std::error_code error;
    for (int tries = 0; tries < 4; ++tries) {
      places_.follow(places_of(file_));
      file_watch_ = places_.follow_file(fs::is_regular_file(file_, error) ? file_ : fs::path());
      if (places_of(file_) == places_.places()) return;
    }
  }

  bool being_written() const {
    return written_at_ && Clock::now() - *written_at_ < kWriterPatience;
  }

  // None where there is no readable file; too large a file has a name of its own, so that it is
  // reported once.
  std::optional<std::string> content() const {
    std::error_code error;
    if (!fs::exists(file_, error)) return std::nullopt;
    const auto text = read_file(file_, kMaxConfigBytes);
    return text ? routing::hex(routing::hash64(*text)) : "unreadable";
  }

  void poll_content() {
    next_poll_ = Clock::now() + options_.poll_interval;
    arm();
    const std::string seen = content().value_or("missing");
    if (seen == reported_ || being_written()) {
      unsettled_.reset();
    } else if (seen == unsettled_) {
      report();
    } else {
      unsettled_ = seen;
      next_poll_ = Clock::now() + options_.settle_time;
    }
  }

  void report() {
    // Read first: what comes later than this is another change.
    reported_ = content().value_or("missing");
    unsettled_.reset();
    try {
      on_change_();
    } catch (const std::exception& failure) {
      log_error("config_watch_failed", {{"why", failure.what()}});
    }
  }

  // Constant after construction:
  const fs::path file_;
  const std::function<void()> on_change_;
  const Options options_;
  const int stop_;
  // The watch's thread (the constructor before it starts):
  PlaceWatch places_;
  int file_watch_ = -1;
  std::optional<Clock::time_point> written_at_;  // set while somebody writes in place
  bool changed_before_ = false;                  // between the load and the first watch
  std::string reported_;                         // hash of what on_change was last called for
  std::optional<std::string> unsettled_;         // what the last poll saw, if it was new
  Clock::time_point next_poll_;

  std::thread thread_;
};

ConfigWatch::ConfigWatch(fs::path file, std::string loaded_hash, std::function<void()> on_change,
                         Options options)
    : impl_(std::make_unique<Impl>(std::move(file), std::move(loaded_hash), std::move(on_change),
                                   options)) {}

ConfigWatch::~ConfigWatch() = default;

}  // namespace understudy::proxy
