#include "metrics/record_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace understudy::metrics {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class RecordWriterTest : public testing::Test {
 protected:
  // A disk that hangs at the first line until it is told to go on.
  RecordWriter::Write hanging_disk() {
    return [this](std::string_view line) {
      if (lines_.empty()) {
        asked_.set_value();
        answer_.get_future().wait();
      }
      lines_.emplace_back(line);
      return true;
    };
  }
  bool counted(std::string_view result, int number) const {
    return recorder_->render().find("understudy_records_total{result=\"" + std::string{result} +
                                    "\"} " + std::to_string(number) + "\n") != std::string::npos;
  }

  std::vector<std::string> lines_;  // written; read once the writer rests
  std::promise<void> asked_, answer_;
  std::unique_ptr<Recorder> recorder_ = make_prometheus_recorder();
};

TEST_F(RecordWriterTest, HoldsNobodyUpWhileTheDiskHangsAndWritesInOrderThen) {
  RecordWriter writer(hanging_disk(), {}, *recorder_);
  for (const char* line : {"one", "two", "three"}) writer.append(line);
  asked_.get_future().wait();
  EXPECT_TRUE(counted("written", 0) && counted("dropped", 0));
  EXPECT_THAT(recorder_->render(), HasSubstr("understudy_records_queued_bytes 11\n"));
  answer_.set_value();
  writer.flush();
  EXPECT_THAT(lines_, ElementsAre("one", "two", "three"));
  EXPECT_THAT(recorder_->render(), HasSubstr("understudy_records_queued_bytes 0\n"));
  EXPECT_TRUE(counted("written", 3) && counted("dropped", 0));
}

TEST_F(RecordWriterTest, DropsAndCountsWhatHasNoRoomWhileTheDiskHangs) {
  RecordWriter writer(hanging_disk(), {.max_queued_bytes = 10}, *recorder_);
  writer.append("1111");
  asked_.get_future().wait();
  for (const char* line : {"2222", "no room", "33"}) writer.append(line);
  EXPECT_TRUE(counted("dropped", 1));
  answer_.set_value();
  writer.flush();
  EXPECT_THAT(lines_, ElementsAre("1111", "2222", "33"));
  writer.append("room now");
  writer.flush();
  EXPECT_TRUE(counted("written", 4) && counted("dropped", 1));
}

TEST_F(RecordWriterTest, TakesALongLineWhenNoneWaitsAndNoOtherBehindIt) {
  RecordWriter writer(hanging_disk(), {.max_queued_bytes = 10}, *recorder_);
  const std::string longer(1'000, 'x');
  writer.append(longer);
  asked_.get_future().wait();
  writer.append("x");
  answer_.set_value();
  writer.flush();
  EXPECT_THAT(lines_, ElementsAre(longer));
  EXPECT_TRUE(counted("written", 1) && counted("dropped", 1));
}

TEST_F(RecordWriterTest, WritesWhatWaitsWhenItEnds) {
  std::optional<RecordWriter> writer(std::in_place, hanging_disk(), RecordWriter::Limits{},
                                     *recorder_);
  writer->append("one");
  writer->append("two");
  asked_.get_future().wait();
  writer->finish();
  EXPECT_FALSE(writer->finished()) << "and did not wait for the disk";
  answer_.set_value();
  writer.reset();
  EXPECT_THAT(lines_, ElementsAre("one", "two"));
}

TEST_F(RecordWriterTest, LetsGoOfItsFilesWhenItHasWrittenItsLast) {
  const auto files = std::make_shared<int>();
  RecordWriter writer([files](std::string_view) { return true; }, {}, *recorder_);
  writer.append("one");
  writer.finish();
  writer.append("too late");
  while (!writer.finished()) std::this_thread::yield();
  EXPECT_EQ(files.use_count(), 1);
  EXPECT_TRUE(counted("written", 1) && counted("dropped", 1));
}

TEST_F(RecordWriterTest, LeavesADiskThatFailsAloneForAWhile) {
  int tries = 0;
  RecordWriter writer(
      [&](std::string_view) {
        ++tries;
        return false;
      },
      {.retry_after = 1h}, *recorder_);
  for (int line = 0; line < 3; ++line) writer.append("x");
  writer.flush();
  EXPECT_EQ(tries, 1);
  EXPECT_TRUE(counted("written", 0) && counted("dropped", 3));
}

TEST_F(RecordWriterTest, SurvivesThatThereIsNoMemory) {
  bool first = true;
  RecordWriter writer(
      [&](std::string_view line) {
        if (std::exchange(first, false)) throw std::bad_alloc();
        lines_.emplace_back(line);
        return true;
      },
      {.retry_after = 0ns}, *recorder_);
  writer.append("lost");
  writer.append("kept");
  writer.flush();
  EXPECT_THAT(lines_, ElementsAre("kept"));
  EXPECT_TRUE(counted("written", 1) && counted("dropped", 1));
}

}  // namespace
}  // namespace understudy::metrics
