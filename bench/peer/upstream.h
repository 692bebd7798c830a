#pragma once
// The fake Bedrock: three loopback ports with keep-alive and canned answers. `primary` and
// `candidate` answer every Converse at once and every ConverseStream by the plan; `hung` accepts
// and never reads nor answers.

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/peer/canned.h"
#include "bench/peer/loop.h"

namespace understudy::bench {

// How a ConverseStream is answered from now on: the first delta leaves at once with the head.
struct StreamPlan {
  std::uint32_t deltas = 50;
  Nanoseconds interval = kSecond / 100;
};

struct UpstreamCounters {
  std::uint64_t primary = 0;  // requests answered (streams: begun)
  std::uint64_t candidate = 0;
  std::uint64_t hung_connections = 0;
  std::uint64_t sigv4 = 0;  // by the Authorization that arrived
  std::uint64_t bearer = 0;
  std::uint64_t malformed = 0;  // requests that no client of ours sent

  nlohmann::json since(const UpstreamCounters& earlier) const;
};

class Upstream final : public Scheduled {
 public:
  // Small answers go to requests up to 16 KiB, large ones to what is beyond.
  Upstream(Loop& loop, std::size_t small_answer_bytes, std::size_t large_answer_bytes);
  ~Upstream();

  std::uint16_t primary_port() const;
  std::uint16_t candidate_port() const;
  std::uint16_t hung_port() const;

  void set_plan(StreamPlan plan) { plan_ = plan; }
  const UpstreamCounters& counters() const { return counters_; }
  // What a client must get for a request with such a body.
  std::string_view expected_body(std::size_t request_body_bytes) const;

  Nanoseconds next_due() const override;
  void on_due(Nanoseconds now) override;

 private:
  class Port;
  class Connection;
  class HungConnection;
  struct Due {
    Nanoseconds when;
    std::uint64_t stream;
    friend bool operator>(const Due& a, const Due& b) { return a.when > b.when; }
  };

  const Answer& answer(Model model, std::size_t request_body_bytes) const;
  void adopt(std::unique_ptr<Watcher> connection, std::size_t& place);
  void drop(std::size_t place);

  Loop& loop_;
  const Answer answers_[2][2];  // by model, by size
  const std::string stream_begin_ = stream_begin(), stream_end_ = stream_end();
  DeltaChunk delta_;
  StreamPlan plan_;
  UpstreamCounters counters_;
  std::vector<std::unique_ptr<Watcher>> connections_;  // null: a free place
  std::vector<std::size_t> free_places_;
  std::unordered_map<std::uint64_t, Connection*> streams_;
  std::uint64_t next_stream_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::unique_ptr<Port> primary_, candidate_, hung_;
};

}  // namespace understudy::bench
