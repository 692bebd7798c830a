#pragma once
// The loads of the bench. Each warms up, measures a window, lets what is under way finish, and
// reports. Latencies of the open loop count from the scheduled start, so that a stall is felt by
// every request it delays.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/peer/client.h"
#include "bench/peer/command.h"
#include "bench/peer/samples.h"
#include "bench/peer/upstream.h"

namespace understudy::bench {

class Load : public ClientUser, public Scheduled {
 public:
  // Reads target=PORT connections= warmup= seconds= body= auth= pid= from the command.
  Load(Loop& loop, Upstream& upstream, const Command& command);
  virtual ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  virtual void start() = 0;
  bool finished() const { return phase_ == Phase::finished; }
  virtual nlohmann::json report() const;

  Nanoseconds next_due() const override { return edge_; }
  void on_due(Nanoseconds time) override;
  void on_answer(Client& client, Nanoseconds time) override;
  void on_delta(Client&, Nanoseconds, Nanoseconds) override {}
  void on_failure(Client& client, std::string_view why) override;

 protected:
  enum class Phase : std::uint8_t { warming, measuring, draining, finished };

  virtual void after_answer(Client& client) = 0;  // also after a failure: the client is free
  void ask(Client& client, Nanoseconds since);
  void end_window(Nanoseconds time);
  void finish() {
    phase_ = Phase::finished;
    edge_ = kNever;
  }

  Loop& loop_;
  Upstream& upstream_;
  std::vector<std::unique_ptr<Client>> clients_;
  Phase phase_ = Phase::warming;
  Nanoseconds edge_;  // when the phase ends
  Nanoseconds begin_ = 0;
  std::uint64_t answers_ = 0;  // in the window
  Samples latency_;            // of answers in the window
  std::size_t body_bytes_;
  Request request_;
  std::uint32_t deltas_ = 0;

 private:
  void begin_window(Nanoseconds time);
  bool idle() const;
  void note_error(std::string_view why);

  const Nanoseconds window_;
  const int pid_;
  Nanoseconds end_ = 0;
  std::uint64_t errors_ = 0;
  std::string first_error_;
  ProcessTimes times_at_begin_;
  UpstreamCounters counters_at_begin_, counters_at_end_;
  nlohmann::json times_;
  std::int64_t own_cpu_at_begin_ = 0, own_cpu_ns_ = 0;
};

// Every connection asks again as soon as it is answered: throughput. requests=N ends the window
// after N answers.
std::unique_ptr<Load> closed_loop(Loop& loop, Upstream& upstream, const Command& command);
// rate=R requests a second at random (Poisson) times: latency.
std::unique_ptr<Load> open_loop(Loop& loop, Upstream& upstream, const Command& command);
// Every connection asks for one stream after the other, deltas=N each, interval_ms=X apart.
std::unique_ptr<Load> streams(Loop& loop, Upstream& upstream, const Command& command);
// Opens the connections, one exchange each (kind=idle) or the beginning of a stream (kind=stream),
// and keeps them.
std::unique_ptr<Load> hold(Loop& loop, Upstream& upstream, const Command& command);
// requests=N one after the other on one connection, each with timeout=S; reports every time.
std::unique_ptr<Load> sequence(Loop& loop, Upstream& upstream, const Command& command);

}  // namespace understudy::bench
