#include "proxy/companion_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "proxy/log.h"
#include "proxy/read_file.h"
#include "proxy/watched_places.h"
#include "routing/hash.h"

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int kMostSettleTimes = 10;
constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

std::string fingerprint(const fs::path& file) {
  const auto text = read_file(file, kMaxFileBytes);
  return text ? routing::hex(routing::hash64(*text)) : "unreadable";
}

// A change between the two looks is still to be told.
void keep_what_was_seen(const std::map<fs::path, std::string>& before,
                        std::map<fs::path, std::string>& now) {
  for (auto& [file, seen] : now) {
    if (const auto known = before.find(file); known != before.end()) seen = known->second;
  }
}

}  // namespace

struct CompanionWatch::Impl {
  Impl(std::function<void()> on_change, Options options)
      : on_change_(std::move(on_change)),
        options_(options),
        wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    if (places_.descriptor() < 0)
      log_warn("companion_watch_degraded", {{"why", std::strerror(errno)},
                                            {"effect", "certificates and keys are only polled"}});
    next_look_ = Clock::now() + options_.poll_interval;
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
    ::close(wake_);
  }

  // Looked at here and not on the watch's thread, which may be busy with a reload: whoever reads
  // the files after this call misses no change.
  void watch(const std::vector<fs::path>& files) {
    std::map<fs::path, std::string> now;
    for (const fs::path& file : files) now.emplace(file, fingerprint(file));
    {
      const std::lock_guard lock(mutex_);
      if (wanted_) keep_what_was_seen(*wanted_, now);
      wanted_ = std::move(now);
    }
    wake();
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  void run() {
    while (wait()) {
      take_wanted();
      if (heard_of_change()) look_when_settled();
      if (Clock::now() >= next_look_) look();
    }
  }

  // A writer that never rests puts the look off a few times, not for ever.
  void look_when_settled() {
    const auto now = Clock::now();
    if (!heard_since_) heard_since_ = now;
    next_look_ = std::min(now + options_.settle_time,
                          *heard_since_ + kMostSettleTimes * options_.settle_time);
  }

  // False when we are to stop.
  bool wait() {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - Clock::now());
    std::array<pollfd, 2> ready{{{wake_, POLLIN, 0}, {places_.descriptor(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), static_cast<int>(std::clamp(left, 0ms, 60'000ms).count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_, &count, sizeof count);
    const std::lock_guard lock(mutex_);
    return !stopping_;
  }

  void take_wanted() {
    std::optional<std::map<fs::path, std::string>> wanted;
    {
      const std::lock_guard lock(mutex_);
      wanted = std::exchange(wanted_, std::nullopt);
    }
    if (!wanted) return;
    keep_what_was_seen(known_, *wanted);
    known_ = std::move(*wanted);
    arm();
  }

  void arm() {
    Places places;
    for (const auto& [file, seen] : known_) {
      for (auto& [directory, names] : places_of(file)) places[directory].merge(names);
    }
    places_.follow(std::move(places));
  }

  bool heard_of_change() {
    const auto events = places_.take_events();
    return std::any_of(events.begin(), events.end(), [](const PlaceWatch::Event& event) {
      return event.concerns_place ||
             (event.mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
    });
  }

  void look() {
    next_look_ = Clock::now() + options_.poll_interval;
    heard_since_.reset();
    arm();
    bool changed = false;
    for (auto& [file, seen] : known_) {
      std::string now = fingerprint(file);
      changed = changed || now != seen;
      seen = std::move(now);
    }
    if (!changed) return;
    try {
      on_change_();
    } catch (const std::exception& failure) {
      log_error("companion_watch_failed", {{"why", failure.what()}});
    }
  }

  // Constant after construction:
  const std::function<void()> on_change_;
  const Options options_;
  const int wake_;
  // Guarded by mutex_:
  std::mutex mutex_;
  std::optional<std::map<fs::path, std::string>> wanted_;  // what known_ is to be
  bool stopping_ = false;
  // The watch's thread:
  std::map<fs::path, std::string> known_;  // what each file held when it was last looked at
  PlaceWatch places_;
  Clock::time_point next_look_;
  std::optional<Clock::time_point> heard_since_;

  std::thread thread_;
};

CompanionWatch::CompanionWatch(std::function<void()> on_change, Options options)
    : impl_(std::make_unique<Impl>(std::move(on_change), options)) {}

CompanionWatch::~CompanionWatch() = default;

void CompanionWatch::watch(const std::vector<fs::path>& files) {
  impl_->watch(files);
}

}  // namespace understudy::proxy
