#include "proxy/companion_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/support/proxy_under_test.h"
#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::ScratchDirectory;

class CompanionWatchTest : public testing::Test {
 protected:
  std::atomic<int> changes_{0};
  int writes_ = 0;
  ScratchDirectory files_;
};

TEST_F(CompanionWatchTest, TellsOfAFileThatIsReplaced) {
  const fs::path file = files_.write("tls.crt", "one");
  CompanionWatch watch([this] { ++changes_; }, {.settle_time = 20ms, .poll_interval = 1h});
  watch.watch({file});
  for (int turn = 1; turn <= 3; ++turn) {
    EXPECT_TRUE(eventually([&] {
      files_.write("tls.crt", std::to_string(writes_++));
      return changes_ >= turn;
    }));
  }
}

TEST_F(CompanionWatchTest, FollowsTheSwapOfALinkOnTheWay) {
  fs::create_directory(files_.path() / "v1");
  fs::create_directory(files_.path() / "v2");
  files_.write("v1/tls.crt", "one");
  files_.write("v2/tls.crt", "two");
  fs::create_directory_symlink("v1", files_.path() / "..data");
  fs::create_symlink("..data/tls.crt", files_.path() / "tls.crt");
  CompanionWatch watch([this] { ++changes_; }, {.settle_time = 20ms, .poll_interval = 1h});
  watch.watch({files_.path() / "tls.crt"});
  for (int turn = 1; turn <= 4; ++turn) {
    EXPECT_TRUE(eventually([&] {
      // Kubernetes' way: a new link beside, renamed over the old one.
      fs::create_directory_symlink(++writes_ % 2 == 0 ? "v1" : "v2", files_.path() / "..tmp");
      fs::rename(files_.path() / "..tmp", files_.path() / "..data");
      std::this_thread::sleep_for(30ms);  // longer than the watch waits for more
      return changes_ >= turn;
    }));
  }
}

TEST_F(CompanionWatchTest, TellsOnceOfFilesThatChangeTogether) {
  const fs::path certificate = files_.write("tls.crt", "one"), key = files_.write("tls.key", "one");
  CompanionWatch watch([this] { ++changes_; }, {.settle_time = 500ms, .poll_interval = 1h});
  watch.watch({certificate, key});
  ASSERT_TRUE(eventually([&] {  // from here on it watches
    if (changes_ == 0) files_.write("tls.crt", std::to_string(writes_++));
    return changes_ > 0;
  }));
  const int before = changes_;
  for (int turn = 1; turn <= 2; ++turn) {
    files_.write("tls.crt", "together " + std::to_string(turn));
    files_.write("tls.key", "together " + std::to_string(turn));
    EXPECT_TRUE(eventually([&] { return changes_ >= before + turn; }));
  }
  EXPECT_EQ(changes_, before + 2);
}

}  // namespace
}  // namespace understudy::proxy
