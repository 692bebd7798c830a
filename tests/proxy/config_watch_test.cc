#include "proxy/config_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "routing/hash.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

void write_file(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Collects what the file held at each report.
class Reports {
 public:
  explicit Reports(const fs::path& file) : file_(file) {}

  void add() {
    const std::lock_guard lock(mutex_);
    seen_.push_back(read_text(file_));
    changed_.notify_all();
  }

  // How long it took until a report saw `text`; none when it took more than 10 s.
  std::optional<Clock::duration> wait_for(const std::string& text) {
    const auto begin = Clock::now();
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, 10s, [&] { return !seen_.empty() && seen_.back() == text; });
    return came ? std::optional(Clock::now() - begin) : std::nullopt;
  }

  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  const fs::path& file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> seen_;
};

class ConfigWatchTest : public testing::Test {
 protected:
  void watch(ConfigWatch::Options options = {.poll_interval = 1h, .settle_time = 1h}) {
    watch_ = std::make_unique<ConfigWatch>(
        file_, routing::hex(routing::hash64(read_text(file_))), [this] { reports_.add(); },
        options);
  }
  static constexpr ConfigWatch::Options kQuickPoll{.poll_interval = 20ms, .settle_time = 20ms};

  void expect_report(const std::string& text) {
    const auto took = reports_.wait_for(text);
    ASSERT_TRUE(took) << "never reported: " << text;
    waits_.push_back(*took);
  }

  // The middle one: a busy machine may delay a few.
  void expect_within_100_ms() {
    ASSERT_FALSE(waits_.empty());
    std::sort(waits_.begin(), waits_.end());
    EXPECT_LT(waits_[waits_.size() / 2], 100ms);
  }

  testing_support::ScratchDirectory directory_;
  fs::path file_ = directory_ / "config.yaml";
  Reports reports_{file_};
  std::vector<Clock::duration> waits_;
  std::unique_ptr<ConfigWatch> watch_;
};

TEST_F(ConfigWatchTest, ReportsARename) {
  write_file(file_, "old");
  watch();
  for (const char* text : {"new", "newer", "newest"}) {
    write_file(directory_ / "config.yaml.tmp", text);
    fs::rename(directory_ / "config.yaml.tmp", file_);
    expect_report(text);
  }
  expect_within_100_ms();
}

TEST_F(ConfigWatchTest, ReportsAWriteInPlaceWhenItIsClosedAndNotBefore) {
  write_file(file_, "old");
  watch(kQuickPoll);
  const int writer = ::open(file_.c_str(), O_WRONLY | O_TRUNC);
  ASSERT_EQ(::write(writer, "half", 4), 4);
  // Many polls go by with a half-written file in place; only a report would end this wait early.
  std::this_thread::sleep_for(300ms);
  EXPECT_TRUE(reports_.seen().empty());
  ASSERT_EQ(::write(writer, " and whole", 10), 10);
  ::close(writer);
  EXPECT_TRUE(reports_.wait_for("half and whole"));
  EXPECT_EQ(reports_.seen().front(), "half and whole");
}

TEST_F(ConfigWatchTest, LeavesAFileAloneThatIsBeingCreated) {
  write_file(file_, "old");
  watch(kQuickPoll);
  fs::remove(file_);
  const int writer = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  ASSERT_EQ(::write(writer, "half", 4), 4);
  std::this_thread::sleep_for(300ms);
  for (const std::string& seen : reports_.seen())
    EXPECT_EQ(seen, "") << "only the missing file may have been reported";
  ASSERT_EQ(::write(writer, " and whole", 10), 10);
  ::close(writer);
  EXPECT_TRUE(reports_.wait_for("half and whole"));
}

TEST_F(ConfigWatchTest, FollowsOneHundredKubernetesSwaps) {
  const auto publish = [this](int version) {
    const fs::path data = directory_ / ("..version_" + std::to_string(version));
    fs::create_directory(data);
    write_file(data / "config.yaml", "version " + std::to_string(version));
    fs::create_directory_symlink(data.filename(), directory_ / "..data_tmp");
    fs::rename(directory_ / "..data_tmp", directory_ / "..data");
    if (version > 0) fs::remove_all(directory_ / ("..version_" + std::to_string(version - 1)));
  };
  publish(0);
  fs::create_symlink("..data/config.yaml", file_);
  watch();
  for (int version = 1; version <= 100; ++version) {
    publish(version);
    expect_report("version " + std::to_string(version));
  }
  expect_within_100_ms();
  EXPECT_EQ(reports_.seen().size(), 100U) << "one report per swap";
}

TEST_F(ConfigWatchTest, FollowsALinkedDirectoryOnTheWay) {
  constexpr int kReleases = 5;
  for (int release = 0; release <= kReleases; ++release) {
    const fs::path home = directory_ / std::to_string(release);
    fs::create_directory(home);
    write_file(home / "config.yaml", std::to_string(release));
  }
  fs::create_directory_symlink("0", directory_ / "current");
  file_ = directory_ / "current" / "config.yaml";
  watch();
  for (int release = 1; release <= kReleases; ++release) {
    fs::create_directory_symlink(std::to_string(release), directory_ / "next");
    fs::rename(directory_ / "next", directory_ / "current");
    expect_report(std::to_string(release));
  }
  expect_within_100_ms();
}

TEST_F(ConfigWatchTest, RecoversWhenFileAndDirectoryWereDeleted) {
  const fs::path home = directory_ / "home";
  const fs::path file = home / "config.yaml";
  fs::create_directory(home);
  write_file(file, "old");
  Reports reports(file);
  const ConfigWatch watch(
      file, routing::hex(routing::hash64("old")), [&] { reports.add(); }, kQuickPoll);
  fs::remove_all(home);
  EXPECT_TRUE(reports.wait_for("")) << "a config that stays away is reported";
  fs::create_directory(home);
  write_file(file, "back");
  EXPECT_TRUE(reports.wait_for("back"));
  write_file(home / "next", "and watched again");
  fs::rename(home / "next", file);
  EXPECT_TRUE(reports.wait_for("and watched again"));
}

TEST_F(ConfigWatchTest, SaysNothingOfAnEditorThatRemovesFirst) {
  write_file(file_, "old");
  watch();
  fs::rename(file_, directory_ / "config.yaml~");
  write_file(file_, "new");
  EXPECT_TRUE(reports_.wait_for("new"));
  for (const std::string& seen : reports_.seen()) EXPECT_EQ(seen, "new");
}

TEST_F(ConfigWatchTest, IgnoresItsNeighbours) {
  write_file(file_, "old");
  watch();
  for (int i = 0; i < 200; ++i) write_file(directory_ / "access.log", std::to_string(i));
  write_file(file_, "new");
  EXPECT_TRUE(reports_.wait_for("new"));
  for (const std::string& seen : reports_.seen()) EXPECT_EQ(seen, "new");
}

TEST_F(ConfigWatchTest, ReportsWhatChangedBeforeItBegan) {
  write_file(file_, "newer than what was loaded");
  const ConfigWatch watch(file_, routing::hex(routing::hash64("loaded")),
                          [this] { reports_.add(); }, {.poll_interval = 1h, .settle_time = 1h});
  EXPECT_TRUE(reports_.wait_for("newer than what was loaded"));
}

TEST_F(ConfigWatchTest, CollapsesChangesDuringALoadIntoOneFurther) {
  write_file(file_, "0");
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  bool released = false;
  const ConfigWatch watch(file_, routing::hex(routing::hash64("0")),
                          [&] {
                            std::unique_lock lock(mutex);
                            ++calls;
                            changed.notify_all();
                            changed.wait_for(lock, 10s, [&] { return released; });
                          },
                          {.poll_interval = 1h, .settle_time = 1h});
  const auto replace = [&](int version) {
    write_file(directory_ / "next", std::to_string(version));
    fs::rename(directory_ / "next", file_);
  };
  replace(1);
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, 10s, [&] { return calls == 1; }));
  lock.unlock();
  for (int version = 2; version <= 200; ++version) replace(version);
  lock.lock();
  released = true;
  changed.notify_all();
  EXPECT_TRUE(changed.wait_for(lock, 10s, [&] { return calls == 2; }));
  EXPECT_FALSE(changed.wait_for(lock, 200ms, [&] { return calls > 2; })) << "199 changes are one";
}

TEST_F(ConfigWatchTest, FindsByThePollWhatNoEventTold) {
  // A hard link from elsewhere: the write through it reaches the file but no watched directory
  // entry.
  testing_support::ScratchDirectory elsewhere;
  write_file(file_, "old");
  watch(kQuickPoll);
  fs::create_hard_link(file_, elsewhere / "alias");
  write_file(elsewhere / "alias", "new");
  EXPECT_TRUE(reports_.wait_for("new"));
}

}  // namespace
}  // namespace understudy::proxy
