#include "metrics/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "metrics/record_files.h"
#include "metrics/redaction.h"
#include "tests/support/scratch_directory.h"

namespace understudy::metrics {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Content = routing::RecordsConfig::Content;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

constexpr std::string_view kCanary = "canary-7f3a";

// A pair with a canary in every place that holds content.
struct Pair {
  Observation served, other;
  Comparison comparison;
  std::string body = R"({"messages":[{"role":"user","content":[{"text":"canary-7f3a"}]}],)"
                     R"("canary-7f3a and more":1,"inferenceConfig":{"maxTokens":4711,"on":true}})";
  PairRecord record;

  Pair() {
    served.operation = routing::Operation::converse;
    served.model_id = "anthropic.claude-sonnet-5";
    served.status = 200;
    served.total = 1500us;
    served.first_token = 300us;
    served.usage.input = 11;
    served.usage.output = 5;
    served.cost_usd = 0.25;
    served.answer = {.text = "Hello canary-7f3a",
                     .tool_calls = {{"weather", R"({"city":"canary-7f3a"})"},
                                    {"canary-7f3a is no name", "canary-7f3a {"}},
                     .stop_reason = "tool_use",
                     .thinking_bytes = 3,
                     .parsed = true};
    other = served;
    other.variant = routing::Variant::candidate;
    other.leg = Leg::shadow;
    other.status = 400;
    other.error_class = ErrorClass::client_error;
    other.error_type = "ValidationException";
    other.error_message = "canary-7f3a: 128001 > 64000";
    other.usage = {};
    other.cost_usd.reset();
    other.answer = {};
    comparison.findings = {{.signal = Signal::verbosity, .diverges = true, .value = 0.5}};
    record.exchange_id = "x-1";
    record.route = "sonnet";
    record.family = "greeting";
    record.request_id_served = "00000000-1111-4222-8333-444444444444";
    record.request_body = body;
    record.served = &served;
    record.other = &other;
    record.comparison = &comparison;
  }
  Pair(const Pair&) = delete;

  Json line(Content content) const { return Json::parse(to_json_line(record, content, "key")); }
};

TEST(RecordLine, HoldsWhatIsKnownAndLeavesOutWhatIsNot) {
  const Json line = Pair{}.line(Content::none);
  EXPECT_EQ(line["exchange_id"], "x-1");
  EXPECT_EQ(line["route"], "sonnet");
  EXPECT_EQ(line["family"], "greeting");
  EXPECT_EQ(line["operation"], "converse");
  EXPECT_EQ(line["leg"], "shadow");
  EXPECT_THAT(line["ts"].get<std::string>(), testing::MatchesRegex("20..-..-..T..:..:..\\....Z"));
  const Json& served = line["served"];
  EXPECT_EQ(served["variant"], "primary");
  EXPECT_EQ(served["model"], "anthropic.claude-sonnet-5");
  EXPECT_EQ(served["request_id"], "00000000-1111-4222-8333-444444444444");
  EXPECT_EQ(served["status"], 200);
  EXPECT_EQ(served["stop_reason"], "tool_use");
  EXPECT_DOUBLE_EQ(served["latency_ms"], 1.5);
  EXPECT_DOUBLE_EQ(served["first_token_ms"], 0.3);
  EXPECT_EQ(served["tokens"], Json({{"input", 11}, {"output", 5}}));
  EXPECT_DOUBLE_EQ(served["cost_usd"], 0.25);
  EXPECT_EQ(served["text_bytes"], 17);
  EXPECT_EQ(served["tools"], Json({"weather", "invalid"}));
  const Json& other = line["other"];
  EXPECT_EQ(other["error_type"], "ValidationException");
  EXPECT_EQ(other["tokens"], Json::object());
  for (const char* absent : {"cost_usd", "text_bytes", "tools", "error_message"}) {
    EXPECT_FALSE(other.contains(absent)) << absent;
  }
  EXPECT_EQ(line["signals"]["verbosity"]["diverges"], true);
  EXPECT_DOUBLE_EQ(line["signals"]["verbosity"]["value"], 0.5);
}

TEST(RecordLine, HoldsTheHashOfWhoAskedWhereTheListenerKnows) {
  Pair pair;
  EXPECT_FALSE(pair.line(Content::full).contains("caller"));
  pair.record.caller = "00000000c0ffee00";
  EXPECT_EQ(pair.line(Content::none)["caller"], "00000000c0ffee00");
}

TEST(RecordLine, LeaksNoContentUnlessAskedFor) {
  const Pair pair;
  EXPECT_THAT(to_json_line(pair.record, Content::none, "key"), Not(HasSubstr(kCanary)));
  EXPECT_THAT(to_json_line(pair.record, Content::redacted, "key"), Not(HasSubstr(kCanary)));
  EXPECT_THAT(to_json_line(pair.record, Content::redacted, "key"), Not(HasSubstr("4711")));
  EXPECT_THAT(to_json_line(pair.record, Content::full, "key"), HasSubstr(kCanary));
}

TEST(RecordLine, KeepsTheStructureOfRedactedContent) {
  const Json line = Pair{}.line(Content::redacted);
  const Json& text = line["request"]["messages"][0]["content"][0]["text"];
  EXPECT_EQ(text["type"], "string");
  EXPECT_EQ(text["bytes"], kCanary.size());
  EXPECT_EQ(line["request"]["inferenceConfig"]["maxTokens"]["type"], "number");
  EXPECT_EQ(line["request"]["inferenceConfig"]["on"]["type"], "boolean");
  const Json& tool = line["served"]["tools"][0];
  EXPECT_EQ(tool["name"], "weather");
  EXPECT_EQ(tool["arguments"]["city"]["hash"], text["hash"]) << "equal values, equal hashes";
  EXPECT_EQ(line["served"]["tools"][1]["arguments"]["type"], "text");
  EXPECT_EQ(line["other"]["error_message"]["type"], "string");
}

TEST(RecordLine, HoldsFullContentByteForByteButMasksNumbersInMessages) {
  const Pair pair;
  const Json line = pair.line(Content::full);
  EXPECT_EQ(line["request"], pair.body);
  EXPECT_EQ(line["served"]["text"], pair.served.answer.text);
  EXPECT_EQ(line["served"]["tools"][0]["arguments"], R"({"city":"canary-7f3a"})");
  EXPECT_EQ(line["other"]["error_message"], "canary-#f#a: ###### > #####");
}

TEST(RecordLine, IsOneLineWhateverTheContent) {
  Pair pair;
  pair.served.answer.text = "a\nb\r\xE2\x80\xA8\xFF\xC0" + std::string(1, '\0');
  pair.record.route = "x\ny";
  const std::string line = to_json_line(pair.record, Content::full, "key");
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c < 0x7F; }));
  EXPECT_TRUE(Json::accept(line));
}

TEST(Redactor, HashesWithItsKey) {
  const Redactor one{"one"}, two{"two"};
  EXPECT_EQ(one.text("a")["hash"], Redactor{"one"}.text("a")["hash"]);
  EXPECT_NE(one.text("a")["hash"], two.text("a")["hash"]);
  EXPECT_NE(one.text("a")["hash"], one.text("b")["hash"]);
}

TEST(Redactor, IsBoundedOnWideAndDeepDocuments) {
  const Redactor redactor{"key"};
  std::string wide = "[";
  for (std::size_t i = 0; i < Redactor::kMaxValues + 10; ++i) wide += "1,";
  wide.back() = ']';
  EXPECT_EQ(redactor.document(wide)["type"], "array");
  EXPECT_EQ(redactor.document(std::string(10'000, '['))["type"], "text");
}

class RecordLogTest : public testing::Test {
 protected:
  void SetUp() override {
    config_.directory = (root_ / "records").string();
    config_.keep_free_bytes = 0;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator{config_.directory}) all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    return all;
  }
  static std::string content(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  // The lines of all files; fails where one is no JSON.
  std::size_t lines() const {
    std::size_t count = 0;
    for (const fs::path& file : files()) {
      if (fs::is_symlink(file) || !is_record_file_name(file.filename().string())) continue;
      std::ifstream in{file};
      for (std::string line; std::getline(in, line); ++count) {
        EXPECT_TRUE(Json::accept(line)) << line;
        EXPECT_FALSE(in.eof()) << "a line without its end";
      }
    }
    return count;
  }
  void append(RecordLog& log) const {
    log.append(pair_.record);
    log.flush();
  }
  bool counted(std::string_view result, int number) const {
    return recorder_->render().find("understudy_records_total{result=\"" + std::string{result} +
                                    "\"} " + std::to_string(number) + "\n") != std::string::npos;
  }

  testing_support::ScratchDirectory root_;
  routing::RecordsConfig config_;
  std::unique_ptr<Recorder> recorder_ = make_prometheus_recorder();
  Pair pair_;
};

TEST_F(RecordLogTest, WritesOneLinePerPairForItsOwnerOnly) {
  const mode_t before = umask(0);
  RecordLog log{config_, *recorder_};
  EXPECT_FALSE(fs::exists(config_.directory)) << "opened lazily";
  append(log);
  append(log);
  umask(before);
  ASSERT_EQ(files().size(), 1u);
  EXPECT_TRUE(is_record_file_name(files()[0].filename().string()));
  EXPECT_EQ(lines(), 2u);
  EXPECT_EQ(fs::status(config_.directory).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(files()[0]).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(counted("written", 2) && counted("dropped", 0));
}

TEST_F(RecordLogTest, WritesNothingWithoutADirectory) {
  config_.directory.clear();
  RecordLog{config_, *recorder_}.append(pair_.record);
  EXPECT_TRUE(counted("written", 0) && counted("dropped", 0));
}

TEST_F(RecordLogTest, BeginsAnotherFileWhenOneIsFull) {
  const std::size_t line = to_json_line(pair_.record, Content::none, "").size() + 1;
  config_.rotate_bytes = line * 3 + line / 2;
  RecordLog log{config_, *recorder_};
  for (int i = 0; i < 10; ++i) append(log);
  EXPECT_EQ(files().size(), 4u);
  EXPECT_EQ(lines(), 10u);
  for (const fs::path& file : files()) EXPECT_LE(fs::file_size(file), config_.rotate_bytes);
}

TEST_F(RecordLogTest, RemovesItsOldestFilesAndNothingElse) {
  fs::create_directory(config_.directory);
  const fs::path foreign = fs::path{config_.directory} / "understudy-records-mine.jsonl";
  const fs::path linked =
      fs::path{config_.directory} / "understudy-records-20000101T000000Z-000000.jsonl";
  std::ofstream{foreign} << std::string(100'000, 'x');
  std::ofstream{root_ / "precious"} << "keep";
  fs::create_symlink(root_ / "precious", linked);
  const std::size_t line = to_json_line(pair_.record, Content::none, "").size() + 1;
  config_.rotate_bytes = line * 2 + line / 2;
  config_.max_total_bytes = line * 8;
  RecordLog log{config_, *recorder_};
  for (int i = 0; i < 40; ++i) append(log);
  std::size_t total = 0;
  for (const fs::path& file : files()) {
    if (file != foreign && file != linked) total += fs::file_size(file);
  }
  EXPECT_LE(total, config_.max_total_bytes);
  EXPECT_GE(lines(), 4u);
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_EQ(content(root_ / "precious"), "keep");
  EXPECT_TRUE(fs::is_symlink(linked));
  EXPECT_TRUE(counted("written", 40));
}

TEST_F(RecordLogTest, CutsOffTheLineThatAKilledProcessLeftBehind) {
  { RecordLog{config_, *recorder_}.append(pair_.record); }
  ASSERT_EQ(files().size(), 1u);
  std::ofstream{files()[0], std::ios::app} << R"({"ts":"2026-)";
  RecordLog log{config_, *recorder_};
  append(log);
  EXPECT_EQ(files().size(), 1u) << "the newest file is continued";
  EXPECT_EQ(lines(), 2u);
}

TEST_F(RecordLogTest, LeavesAFileAloneThatAnotherLogWrites) {
  RecordLog one{config_, *recorder_};
  append(one);
  RecordLog two{config_, *recorder_};
  append(two);
  append(one);
  EXPECT_EQ(files().size(), 2u);
  EXPECT_EQ(lines(), 3u);
}

TEST_F(RecordLogTest, FollowsNoSymbolicLink) {
  fs::create_directory(root_ / "elsewhere");
  fs::create_directory_symlink(root_ / "elsewhere", config_.directory);
  RecordLog{config_, *recorder_}.append(pair_.record);
  EXPECT_TRUE(fs::is_empty(root_ / "elsewhere"));
  EXPECT_TRUE(counted("dropped", 1));
}

TEST_F(RecordLogTest, DropsAndCountsWhenTheDiskIsNearlyFull) {
  config_.keep_free_bytes = std::numeric_limits<std::size_t>::max();
  RecordLog log{config_, *recorder_};
  append(log);
  EXPECT_TRUE(counted("dropped", 1) && counted("written", 0));
  EXPECT_TRUE(files().empty());
}

// A limit on file sizes fails a write in its middle, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(RecordLogTest, LeavesNoPartOfALineWhenTheDiskFills) {
  const std::size_t line = to_json_line(pair_.record, Content::none, "").size() + 1;
  RecordLog log{config_, *recorder_, 0ns};
  {
    const FileSizeLimit limit{line * 2 + line / 2};
    for (int i = 0; i < 5; ++i) append(log);
    EXPECT_EQ(lines(), 2u);
    EXPECT_TRUE(counted("written", 2) && counted("dropped", 3));
  }
  append(log);
  EXPECT_EQ(lines(), 3u) << "written again once there is room";
}

TEST_F(RecordLogTest, LeavesAFailedDiskAloneForAWhile) {
  const std::size_t line = to_json_line(pair_.record, Content::none, "").size() + 1;
  RecordLog log{config_, *recorder_, 1h};
  {
    const FileSizeLimit limit{line / 2};
    append(log);
  }
  append(log);
  EXPECT_EQ(lines(), 0u);
  EXPECT_TRUE(counted("dropped", 2));
}

TEST_F(RecordLogTest, WritesOnWhenSomebodyRemovesTheFile) {
  RecordLog log{config_, *recorder_};
  append(log);
  fs::remove(files()[0]);
  append(log);
  EXPECT_EQ(lines(), 1u);
}

TEST_F(RecordLogTest, KeepsHostileNamesOutOfPaths) {
  pair_.record.exchange_id = "../../../tmp/evil" + std::string(4096, 'x') + std::string(1, '\0');
  pair_.record.request_id_served = "../../etc/passwd";
  RecordLog{config_, *recorder_}.append(pair_.record);
  ASSERT_EQ(files().size(), 1u);
  EXPECT_TRUE(is_record_file_name(files()[0].filename().string()));
  EXPECT_LT(content(files()[0]).size(), 4096u);
}

TEST(RecordFileName, IsRecognisedExactly) {
  EXPECT_TRUE(is_record_file_name("understudy-records-20261121T004632Z-000000.jsonl"));
  for (const std::string_view name :
       {"understudy-records-20261121T004632Z-000000.jsonl.gz", "understudy-records-.jsonl", "",
        "understudy-records-2026112XT004632Z-000000.jsonl",
        "../understudy-records-20261121T004632Z-000000.jsonl"}) {
    EXPECT_FALSE(is_record_file_name(name)) << name;
  }
}

}  // namespace
}  // namespace understudy::metrics
