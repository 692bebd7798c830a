#include "metrics/records.h"

#include <random>
#include <utility>

#include "metrics/record_files.h"

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
  using Clock = std::chrono::steady_clock;

  Impl(routing::RecordsConfig records_config, Recorder& counter, std::chrono::nanoseconds pause)
      : config(std::move(records_config)),
        recorder(counter),
        retry_after(pause),
        files(config.directory, config.rotate_bytes, config.max_total_bytes,
              config.keep_free_bytes) {}

  bool append(const PairRecord& record) {
    // A disk that failed is left alone for a while: a write that hangs or fails each time helps
    // nobody.
    if (Clock::now() < not_before) return false;
    std::string line = to_json_line(record, config.content, key);
    line.push_back('\n');
    if (line.size() > config.max_total_bytes) return false;  // no fault of the disk
    if (files.append(line)) return true;
    not_before = Clock::now() + std::chrono::duration_cast<Clock::duration>(retry_after);
    return false;
  }

  const routing::RecordsConfig config;
  Recorder& recorder;
  const std::chrono::nanoseconds retry_after;
  const std::string key = random_key();
  RecordFiles files;
  Clock::time_point not_before{};
};

RecordLog::RecordLog(routing::RecordsConfig config, Recorder& recorder,
                     std::chrono::nanoseconds retry_after)
    : impl_(std::make_unique<Impl>(std::move(config), recorder, retry_after)) {}

RecordLog::~RecordLog() = default;

void RecordLog::append(const PairRecord& record) noexcept {
  if (impl_->config.directory.empty()) return;
  bool written = false;
  try {
    written = impl_->append(record);
  } catch (const std::exception&) {
    // Out of memory: the record is lost and counted as such.
  }
  if (written) {
    impl_->recorder.records_written();
  } else {
    impl_->recorder.records_dropped();
  }
}

}  // namespace understudy::metrics
