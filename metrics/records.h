#pragma once
// The comparison log: one JSON line per finished pair, in files that rotate. Owned and used by the
// analysis thread. A disk that is full, fails or hangs drops records and counts them; it blocks
// nothing but the log's own end, and no partial line stays in a file.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "metrics/comparison.h"
#include "metrics/observation.h"
#include "metrics/recorder.h"
#include "routing/config.h"

namespace understudy::metrics {

struct PairRecord {
  std::string exchange_id;  // ours: generated, safe in file names and logs
  std::string route;
  std::string family;                               // of x-understudy-family; empty: not named
  std::string caller;                               // a hash; empty: the listener asked nobody
  std::string request_id_served, request_id_other;  // x-amzn-RequestId of both answers
  Leg leg = Leg::shadow;                            // shadow or control
  std::string_view request_body;                    // of the client; used as `content` allows
  const Observation* served = nullptr;
  const Observation* other = nullptr;
  const Comparison* comparison = nullptr;
};

class RecordLog {
 public:
  // Opens lazily, in a directory of mode 0700 with files of mode 0600, never through a symbolic
  // link. Without a directory in the config nothing is written or counted. After a failure nothing
  // is tried for `retry_after`.
  RecordLog(const routing::RecordsConfig& config, Recorder& recorder,
            std::chrono::nanoseconds retry_after = std::chrono::seconds{30});
  ~RecordLog();  // what waits is written first

  // Never waits for the disk.
  void append(const PairRecord& record) noexcept;
  // Returns when all that was appended is written or dropped.
  void flush();
  // As RecordWriter's: how a log is ended without waiting for a disk that hangs.
  void finish() noexcept;
  bool finished() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The line as written, without its newline (for the log and for tests); its fields are listed in
// record_line.cc. `redacted` keeps keys, tool names, types, lengths and stop reasons; every other
// leaf becomes its type, length and a hash keyed by `key`, error messages too (their digits masked
// first, so that equal ones stay equal).
std::string to_json_line(const PairRecord& record, routing::RecordsConfig::Content content,
                         std::string_view key);

}  // namespace understudy::metrics
