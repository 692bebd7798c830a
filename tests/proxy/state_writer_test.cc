#include "proxy/state_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/scratch_directory.h"

namespace understudy::proxy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing_support::ScratchDirectory;

constexpr std::uintmax_t kEnough = 1'000;

// A disk that answers when it is told to.
class Disk {
 public:
  StateWriter::Options options(std::chrono::milliseconds patience = 10s) {
    return {.write = [this](const auto& file, std::string_view text) { return write(file, text); },
            .retry_every = 1ms,
            .patience = patience};
  }
  void fail_with(const std::string& problem, int times) {
    problem_ = problem;
    failures_ = times;
  }
  void recover() { failures_ = 0; }
  void hang() { answers_ = answer_.get_future().share(); }
  void wait_until_asked() { asked_.get_future().wait(); }
  void answer() { answer_.set_value(); }
  const std::vector<std::string>& written() const { return written_; }  // when the writer is gone

 private:
  std::string write(const std::filesystem::path& file, std::string_view text) {
    if (answers_.valid()) {
      if (!std::exchange(was_asked_, true)) asked_.set_value();
      answers_.wait();
    }
    if (failures_ > 0 && failures_-- > 0) return problem_;
    written_.emplace_back(text);
    return metrics::write_state_file(file, text);
  }

  std::string problem_;
  std::atomic<int> failures_ = 0;
  std::promise<void> answer_, asked_;
  std::shared_future<void> answers_;
  bool was_asked_ = false;
  std::vector<std::string> written_;
};

class StateWriterTest : public testing::Test {
 protected:
  std::string on_disk() const {
    return metrics::read_state_file(file, kEnough).text.value_or("nothing");
  }
  ScratchDirectory directory;
  const std::filesystem::path file = directory / "state.json";
  Disk disk;
};

TEST_F(StateWriterTest, HasWrittenWhatItWasGivenWhenItTellsOfNoProblem) {
  StateWriter writer;
  EXPECT_EQ(writer.problem_after_try(file), "") << "nothing was given";
  for (const char* text : {"one", "two", ""}) {
    writer.write(file, text);
    EXPECT_EQ(writer.problem_after_try(file), "");
    EXPECT_EQ(on_disk(), text);
  }
}

TEST_F(StateWriterTest, HasWrittenAllWhenItEnds) {
  std::optional<StateWriter> writer(std::in_place);
  const auto other = directory / "other.json";
  writer->write(file, "one");
  writer->write(other, "two");
  writer.reset();
  EXPECT_EQ(on_disk(), "one");
  EXPECT_EQ(metrics::read_state_file(other, kEnough).text, "two");
}

TEST_F(StateWriterTest, ReadsWhatIsGoingToBeThere) {
  disk.hang();
  StateWriter writer(disk.options());
  EXPECT_FALSE(writer.read(file, kEnough).text);
  writer.write(file, "one");
  writer.write(file, "two");
  EXPECT_EQ(writer.read(file, kEnough).text, "two");
  disk.answer();
  EXPECT_EQ(writer.problem_after_try(file), "");
  EXPECT_EQ(writer.read(file, kEnough).text, "two");
}

TEST_F(StateWriterTest, WritesOnlyTheLastOfWhatCameWhileTheDiskHung) {
  disk.hang();
  std::optional<StateWriter> writer(std::in_place, disk.options(1ms));
  writer->write(file, "one");
  disk.wait_until_asked();
  for (const char* text : {"two", "three", "four"}) writer->write(file, text);
  EXPECT_THAT(writer->problem_after_try(file), HasSubstr("the disk has not answered for"));
  EXPECT_EQ(writer->problem_after_try(directory / "other.json"), "");
  disk.answer();
  writer.reset();
  EXPECT_THAT(disk.written(), ElementsAre("one", "four"));
}

TEST_F(StateWriterTest, CountsOnTheMetricsPageWhatARestartWouldForget) {
  disk.fail_with("no space", 1'000'000);
  StateWriter writer(disk.options());
  EXPECT_THAT(writer.exposition(), HasSubstr("\nunderstudy_state_unwritten_files 0\n"));
  writer.write(file, "one");
  writer.write(directory / "other.json", "two");
  for (const auto& each : {file, directory / "other.json"})
    EXPECT_EQ(writer.problem_after_try(each), "no space");
  EXPECT_THAT(writer.exposition(), HasSubstr("\nunderstudy_state_unwritten_files 2\n"));
  EXPECT_THAT(writer.exposition(), HasSubstr("{result=\"ok\"} 0\n"));
  EXPECT_THAT(writer.exposition(), Not(HasSubstr("{result=\"failed\"} 0\n")));

  disk.recover();
  for (const auto& each : {file, directory / "other.json"}) {
    writer.write(each, "newer");
    EXPECT_EQ(writer.problem_after_try(each), "");
  }
  EXPECT_THAT(writer.exposition(), HasSubstr("\nunderstudy_state_unwritten_files 0\n"));
  EXPECT_THAT(writer.exposition(), Not(HasSubstr("{result=\"ok\"} 0\n")));
}

TEST_F(StateWriterTest, TriesAgainWhatFailedAndTellsOfItUntilThen) {
  disk.fail_with("the disk is full", 1'000'000);
  StateWriter writer(disk.options());
  writer.write(file, "one");
  EXPECT_EQ(writer.problem_after_try(file), "the disk is full");
  EXPECT_EQ(writer.problem(file), "the disk is full");
  EXPECT_EQ(writer.read(file, kEnough).text, "one");
  disk.recover();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!writer.problem(file).empty() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(on_disk(), "one");
}

TEST_F(StateWriterTest, KeepsTellingOfAProblemWhileNewerTextWaits) {
  disk.fail_with("the disk is full", 2);
  StateWriter writer([this] {
    StateWriter::Options options = disk.options();
    options.retry_every = 1h;
    return options;
  }());
  writer.write(file, "one");
  EXPECT_EQ(writer.problem_after_try(file), "the disk is full");
  writer.write(file, "two");
  EXPECT_EQ(writer.problem_after_try(file), "the disk is full") << "newer text is tried at once";
  writer.write(file, "three");
  EXPECT_EQ(writer.problem_after_try(file), "");
  EXPECT_EQ(on_disk(), "three");
}

TEST_F(StateWriterTest, SaysOfADiskThatFailsThatItFailsAndNotThatItHangs) {
  testing::internal::CaptureStderr();
  disk.fail_with("the disk is full", 1'000'000);
  std::optional<StateWriter> writer(std::in_place, disk.options(1ms));
  for (const char* text : {"one", "two"}) {
    writer->write(file, text);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (writer->problem(file) != "the disk is full" &&
           std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    std::this_thread::sleep_for(5ms);  // longer than anybody has patience for
  }
  writer.reset();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("the disk is full"));
  EXPECT_THAT(said, Not(HasSubstr("has not answered")));
}

// The text before may come to an end in time; that says nothing of this one.
TEST_F(StateWriterTest, TellsThatATextIsNotWrittenThoughTheOneBeforeWas) {
  std::promise<void> first, second;
  std::atomic<int> tries = 0;
  StateWriter writer({.write =
                          [&](const auto& path, std::string_view text) {
                            (++tries == 1 ? first : second).get_future().wait();
                            return metrics::write_state_file(path, text);
                          },
                      .patience = 200ms});
  writer.write(file, "one");
  while (tries < 1) std::this_thread::yield();
  writer.write(file, "two");
  first.set_value();
  EXPECT_THAT(writer.problem_after_try(file), HasSubstr("the disk has not answered for"));
  second.set_value();
}

TEST_F(StateWriterTest, TriesAtOnceWhatCameWhileTheTextBeforeFailed) {
  disk.hang();
  disk.fail_with("the disk is full", 1);
  StateWriter::Options options = disk.options();
  options.retry_every = 1h;
  StateWriter writer(std::move(options));
  writer.write(file, "one");
  disk.wait_until_asked();
  writer.write(file, "two");
  disk.answer();
  EXPECT_EQ(writer.problem_after_try(file), "");
  EXPECT_EQ(on_disk(), "two");
}

TEST_F(StateWriterTest, NamesTheFileThatTheDiskHangsAt) {
  disk.hang();
  StateWriter writer(disk.options(1ms));
  writer.write(file, "one");
  disk.wait_until_asked();
  const auto other = directory / "other.json";
  writer.write(other, "two");
  EXPECT_THAT(writer.problem_after_try(other),
              StartsWith("write " + other.string() + ": waits behind " + file.string()));
  disk.answer();
}

TEST_F(StateWriterTest, WritesNothingMoreOfAFileThatIsForgotten) {
  disk.hang();
  std::optional<StateWriter> writer(std::in_place, disk.options(1ms));
  const auto waits = directory / "waits.json";
  writer->write(file, "under way");
  disk.wait_until_asked();
  writer->write(file, "newer");
  writer->write(waits, "waits");
  writer->forget(file);
  writer->forget(waits);
  EXPECT_EQ(writer->problem_after_try(file), "");
  EXPECT_FALSE(writer->read(waits, kEnough).text);
  disk.answer();
  writer.reset();
  EXPECT_THAT(disk.written(), ElementsAre("under way"));
}

TEST_F(StateWriterTest, SetsAsideWhatWasWrittenLast) {
  StateWriter writer;
  EXPECT_FALSE(writer.set_aside(file, "old")) << "there is none";
  writer.write(file, "one");
  EXPECT_TRUE(writer.set_aside(file, "old"));
  EXPECT_EQ(on_disk(), "nothing");
  EXPECT_EQ(metrics::read_state_file(file.string() + ".old", kEnough).text, "one");
}

TEST_F(StateWriterTest, KeepsWhatIsSetAsideWhileTheDiskHangs) {
  disk.hang();
  std::optional<StateWriter> writer(std::in_place, disk.options(1ms));
  writer->write(file, "of before");
  disk.wait_until_asked();
  writer->write(file, "of before, newer");
  EXPECT_TRUE(writer->set_aside(file, "old"));
  writer->write(file, "anew");
  disk.answer();
  writer.reset();
  EXPECT_EQ(on_disk(), "anew");
  EXPECT_EQ(metrics::read_state_file(file.string() + ".old", kEnough).text, "of before, newer");
}

TEST_F(StateWriterTest, TakesAnExceptionForAFailure) {
  StateWriter writer({.write = [](const auto&, std::string_view) -> std::string {
    throw std::runtime_error("no memory");
  }});
  writer.write(file, "one");
  EXPECT_THAT(writer.problem_after_try(file), StartsWith("write " + file.string()));
}

}  // namespace
}  // namespace understudy::proxy
