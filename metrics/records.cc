#include "metrics/records.h"

#include <random>
#include <utility>

#include "metrics/record_files.h"
#include "metrics/record_writer.h"

namespace understudy::metrics {

namespace {

// Hashes in redacted records hold for one process only.
std::string random_key() {
  std::random_device random;
  std::string key;
  while (key.size() < 32) {
    const std::uint32_t bits = random();
    for (int shift = 0; shift < 32; shift += 8) {
      key.push_back(static_cast<char>(bits >> shift & 0xFF));
    }
  }
  return key;
}

}  // namespace

struct RecordLog::Impl {
  Impl(const routing::RecordsConfig& records, Recorder& counter, std::chrono::nanoseconds pause)
      : content(records.content),
        max_line_bytes(records.max_total_bytes),
        recorder(counter),
        writer(append_to(std::make_shared<RecordFiles>(records.directory, records.rotate_bytes,
                                                       records.max_total_bytes,
                                                       records.keep_free_bytes)),
               {.max_queued_bytes = records.max_queued_bytes, .retry_after = pause}, counter) {}

  static RecordWriter::Write append_to(std::shared_ptr<RecordFiles> files) {
    return [files = std::move(files)](std::string_view line) { return files->append(line); };
  }

  void append(const PairRecord& record) {
    std::string line = to_json_line(record, content, key);
    line.push_back('\n');
    if (line.size() > max_line_bytes) return recorder.records_dropped();
    writer.append(std::move(line));
  }

  const routing::RecordsConfig::Content content;
  const std::size_t max_line_bytes;
  Recorder& recorder;
  const std::string key = random_key();
  RecordWriter writer;
};

RecordLog::RecordLog(const routing::RecordsConfig& config, Recorder& recorder,
                     std::chrono::nanoseconds retry_after) {
  if (!config.directory.empty()) impl_ = std::make_unique<Impl>(config, recorder, retry_after);
}

RecordLog::~RecordLog() = default;

void RecordLog::append(const PairRecord& record) noexcept {
  if (!impl_) return;
  try {
    impl_->append(record);
  } catch (const std::exception&) {  // no memory
    impl_->recorder.records_dropped();
  }
}

void RecordLog::flush() {
  if (impl_) impl_->writer.flush();
}

void RecordLog::finish() noexcept {
  if (impl_) impl_->writer.finish();
}

bool RecordLog::finished() const noexcept {
  return !impl_ || impl_->writer.finished();
}

}  // namespace understudy::metrics
