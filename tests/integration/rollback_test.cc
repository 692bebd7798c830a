// The way back as an operator takes it: the config file is replaced while clients ask one request
// after the other. Nothing fails, a bad file changes nothing, and what begins after the proxy says
// that a rollback is in force is the primary's alone, however slow the machine is. How soon it says
// so is measured by bench/rollback.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_bedrock.h"
#include "tests/support/plain_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/serve_process.h"

namespace understudy::testing_support {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;
using Time = steady_clock::time_point;
using nlohmann::json;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Puts a text in the place of the config file.
class ConfigFile {
 public:
  virtual ~ConfigFile() = default;
  virtual void replace(const std::string& text) = 0;
  std::string path() const { return (directory_.path() / "config.yaml").string(); }

 protected:
  const ScratchDirectory directory_;
};

class RenamedFile final : public ConfigFile {
 public:
  void replace(const std::string& text) override { directory_.write("config.yaml", text); }
};

// A ConfigMap's volume: config.yaml is a link into ..data, itself a link to a dated directory, and
// it is ..data that is swapped.
class MountedConfigMap final : public ConfigFile {
 public:
  void replace(const std::string& text) override {
    const fs::path& root = directory_.path();
    const std::string before = version_ == 0 ? "" : name();
    ++version_;
    fs::create_directory(root / name());
    std::ofstream(root / name() / "config.yaml") << text;
    fs::create_directory_symlink(name(), root / "..data_tmp");
    fs::rename(root / "..data_tmp", root / "..data");
    if (before.empty()) {
      fs::create_symlink("..data/config.yaml", root / "config.yaml");
    } else {
      fs::remove_all(root / before);
    }
  }

 private:
  std::string name() const { return "..version_" + std::to_string(version_); }
  int version_ = 0;
};

// Clients that ask one request after the other on connections of their own, each with a text that
// no other request has.
class Clients {
 public:
  struct Asked {
    Time begun;
    std::string text;
    std::string variant;
  };

  Clients(std::uint16_t port, int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, port, i] { ask(port, i); });
  }
  ~Clients() { stop(); }

  void stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  std::vector<Asked> begun_since(Time moment) const {
    const std::lock_guard lock(mutex_);
    std::vector<Asked> found;
    std::ranges::copy_if(asked_, std::back_inserter(found),
                         [moment](const Asked& each) { return each.begun >= moment; });
    return found;
  }
  bool served_by(std::string_view variant, Time from) const {
    return std::ranges::any_of(begun_since(from),
                               [variant](const Asked& each) { return each.variant == variant; });
  }
  std::uint64_t failed() const { return failed_; }

 private:
  void ask(std::uint16_t port, int number) {
    RawClient client(port);
    for (int turn = 0; !stopping_; ++turn) {
      const std::string text = "<" + std::to_string(number) + "." + std::to_string(turn) + ">";
      const Time begun = steady_clock::now();
      const Answer got = client.ask(converse(text));
      if (got.status != 200 || got.end != Answer::End::complete) ++failed_;
      if (got.end != Answer::End::complete) return;
      const std::lock_guard lock(mutex_);
      asked_.push_back({begun, text, got.field("x-understudy-variant")});
    }
  }

  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> failed_{0};
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

template <typename File>
class Rollback : public testing::Test {
 protected:
  void start() {
    file_.replace(text("50", "100"));
    process_.emplace(file_.path());
    const json listening = process_->wait_for_event("listening");
    ASSERT_FALSE(listening.is_null());
    admin_port_ = port_of(listening["admin"]);
    clients_.emplace(port_of(listening["addresses"]), 4);
  }

  std::string text(const std::string& canary_percent, const std::string& shadow_percent) const {
    return ProxySetup{.primary_port = primary_->port(),
                      .candidate_port = candidate_->port(),
                      .shadow = "percent: " + shadow_percent,
                      .canary = "percent: " + canary_percent,
                      .top = "drain: {lame_duck: 0s}\n"}
        .text();
  }

  void put_the_candidate_on() {
    file_.replace(text("50", "100"));
    ASSERT_TRUE(eventually([&] { return percent() == 50.0; }));
    const Time now = steady_clock::now();
    ASSERT_TRUE(eventually([&] { return clients_->served_by("candidate", now); }));
  }

  // A file that is refused: by its line, and with the one before it in force.
  void put_a_bad_one() {
    file_.replace(text("0", "1000"));
    const json problem = process_->wait_for_event("config_problem");
    ASSERT_FALSE(problem.is_null());
    // The twelfth line of ProxySetup::text() is the route's shadow.
    EXPECT_THAT(problem["problem"].get<std::string>(), HasSubstr("config.yaml:12:"));
    EXPECT_THAT(problem["problem"].get<std::string>(), HasSubstr("routes[0].shadow.percent"));
    const Time now = steady_clock::now();
    EXPECT_TRUE(eventually([&] { return clients_->served_by("candidate", now); }));
  }

  // Returns when enough requests have begun after it is in force.
  void roll_back() {
    file_.replace(text("0", "0"));
    ASSERT_TRUE(eventually([&] { return percent() == 0.0; }));
    const Time in_force = steady_clock::now();
    ASSERT_TRUE(eventually([&] { return clients_->begun_since(in_force).size() >= 40; }));
    // What is answered by now began before anybody asks for the candidate again.
    for (const auto& asked : clients_->begun_since(in_force)) {
      EXPECT_EQ(asked.variant, "primary") << asked.text;
      to_the_primary_alone_.insert(converse_body(asked.text));
    }
  }

  double percent() const { return metric("understudy_canary_percent{route=\"route\"}"); }
  double metric(const std::string& series) const {
    PlainClient client(admin_port_);
    client.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(admin_port_) +
                "\r\n\r\n");
    const std::string page = client.receive().body;
    const std::size_t at = page.find("\n" + series + " ");
    return at == std::string::npos ? 0.0 : std::stod(page.substr(at + series.size() + 2));
  }

  std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies(converse_answer("primary"));
  std::unique_ptr<FakeBedrock> candidate_ = FakeBedrock::replies(converse_answer("candidate"));
  File file_;
  std::optional<ServeProcess> process_;
  std::uint16_t admin_port_ = 0;
  std::optional<Clients> clients_;
  std::set<std::string> to_the_primary_alone_;  // bodies
};

using Files = testing::Types<RenamedFile, MountedConfigMap>;
struct FileNames {
  template <typename File>
  static std::string GetName(int) {
    return std::is_same_v<File, RenamedFile> ? "ByRename" : "BySwapOfALink";
  }
};
TYPED_TEST_SUITE(Rollback, Files, FileNames);

TYPED_TEST(Rollback, IsInForceOnceTheProxySaysSoAndLosesNoRequest) {
  constexpr int kRounds = 12;
  int bad = 0;
  this->start();
  for (int round = 0; round < kRounds && !this->HasFatalFailure(); ++round) {
    this->put_the_candidate_on();
    for (int i = 0; i < round % 3; ++i, ++bad) this->put_a_bad_one();
    // Every fourth time a bad file is replaced by the good one before anybody need have read it.
    if (round % 4 == 3) this->file_.replace(this->text("0", "1000"));
    this->roll_back();
  }
  this->clients_->stop();
  EXPECT_EQ(this->clients_->failed(), 0U);
  EXPECT_GE(this->metric("understudy_config_reloads_total{result=\"refused\"}"), bad);
  EXPECT_GE(this->metric("understudy_config_reloads_total{result=\"applied\"}"), 2 * kRounds - 1);

  // No copy either, whatever way it would have gone.
  ASSERT_GE(this->to_the_primary_alone_.size(), 40U * kRounds);
  for (const FakeRequest& request : this->candidate_->requests())
    EXPECT_FALSE(this->to_the_primary_alone_.contains(request.body)) << request.head;
  for (const FakeRequest& request : this->primary_->requests()) {
    EXPECT_FALSE(request.has("x-understudy-shadow") &&
                 this->to_the_primary_alone_.contains(request.body))
        << request.head;
  }
}

// --- Every way back, with streams under way

enum class Way : std::uint8_t { file, signal, order, gate };

class WayBack : public Rollback<RenamedFile>, public testing::WithParamInterface<Way> {
 protected:
  WayBack() {
    candidate_ = std::make_unique<FakeBedrock>([this](const FakeRequest& request, FakePeer& peer) {
      if (!request.target().ends_with("-stream")) {
        return (void)peer.send(fails_ ? answer("{}", "500 Internal Server Error")
                                      : answer(converse_answer("candidate")));
      }
      peer.send(
          "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
          "transfer-encoding: chunked\r\n\r\n" +
          as_chunk("first half"));
      rolled_back_.wait();
      peer.send(as_chunk("second half") + "0\r\n\r\n");
    });
  }
  ~WayBack() override { rolled_back_.open(); }

  std::string config(const std::string& percent) const {
    return ProxySetup{.primary_port = primary_->port(),
                      .candidate_port = candidate_->port(),
                      .shadow = "percent: 0",
                      .canary = "percent: " + percent +
                                ", gates: {evidence: off, error_rate: off, latency: off, "
                                "first_token: off, cost: off, fallback_rate: {threshold: 20, "
                                "interval: 100ms, patience: 1, min_requests: 5}}",
                      .top = "drain: {lame_duck: 0s}\n"}
        .text();
  }
  void begin() {
    file_.replace(config("50"));
    process_.emplace(file_.path());
    const json listening = process_->wait_for_event("listening");
    ASSERT_FALSE(listening.is_null());
    admin_port_ = port_of(listening["admin"]);
    proxy_port_ = port_of(listening["addresses"]);
    clients_.emplace(proxy_port_, 8);
  }
  // Conversations of which about half are the candidate's, which holds its streams back.
  void begin_streams() {
    for (int i = 0; i < 12; ++i) {
      RawClient& stream = streams_.emplace_back(proxy_port_);
      stream.send(post("/model/anthropic.claude-a/converse-stream",
                       converse_body("stream " + std::to_string(i))));
    }
    // One answers with its first half, or the primary with a whole answer.
    for (RawClient& stream : streams_) ASSERT_TRUE(stream.receive_until("\r\n\r\n"));
  }
  int finish_streams() {
    rolled_back_.open();
    int by_candidate = 0;
    for (RawClient& stream : streams_) {
      const Answer got = stream.receive();
      EXPECT_EQ(got.status, 200);
      EXPECT_EQ(got.end, Answer::End::complete);
      if (got.field("x-understudy-variant") != "candidate") continue;
      ++by_candidate;
      EXPECT_EQ(got.body, "first halfsecond half");
    }
    return by_candidate;
  }
  // Returns when it is in force, by what the proxy itself says.
  void take_it_back() {
    std::ofstream in_place;
    switch (GetParam()) {
      case Way::file:
        file_.replace(config("0"));
        break;
      case Way::signal:
        // Written in place and not closed, which the watch leaves alone: the signal alone tells.
        in_place.open(file_.path());
        in_place << config("0") << std::flush;
        process_->signal(SIGHUP);
        break;
      case Way::order: {
        PlainClient client(admin_port_);
        client.send("POST /api/routes/route/rollback HTTP/1.1\r\nHost: 127.0.0.1:" +
                    std::to_string(admin_port_) + "\r\nContent-Length: 0\r\n\r\n");
        ASSERT_EQ(client.receive().status, 200);  // that is the proxy's word
        return;
      }
      case Way::gate:
        fails_ = true;
        break;
    }
    ASSERT_TRUE(eventually([&] { return percent() == 0.0; }));
  }

  std::atomic<bool> fails_{false};
  Gate rolled_back_;
  std::uint16_t proxy_port_ = 0;
  std::list<RawClient> streams_;
};

TEST_P(WayBack, UnderLoadFailsNoRequestAndLetsStreamsFinish) {
  begin();
  ASSERT_EQ(percent(), 50.0);
  begin_streams();
  ASSERT_TRUE(eventually([&] { return clients_->served_by("candidate", Time::min()); }));
  take_it_back();
  const Time in_force = steady_clock::now();
  EXPECT_TRUE(eventually([&] { return clients_->begun_since(in_force).size() >= 500; }));
  EXPECT_GT(finish_streams(), 0) << "none was the candidate's: chance of one in four thousand";
  clients_->stop();
  EXPECT_EQ(clients_->failed(), 0U);
  for (const auto& asked : clients_->begun_since(in_force))
    EXPECT_EQ(asked.variant, "primary") << asked.text;
}

std::string name_of(const testing::TestParamInfo<Way>& way) {
  constexpr std::array kNames{"File", "Signal", "Order", "Gate"};
  return kNames[static_cast<std::size_t>(way.param)];
}
INSTANTIATE_TEST_SUITE_P(By, WayBack,
                         testing::Values(Way::file, Way::signal, Way::order, Way::gate), name_of);

}  // namespace
}  // namespace understudy::testing_support
