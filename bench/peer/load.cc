#include "bench/peer/load.h"

#include <ctime>
#include <deque>
#include <queue>
#include <random>
#include <stdexcept>

namespace understudy::bench {
namespace {

constexpr std::uint64_t kMaxErrors = 20;  // then the run is no measurement and ends
constexpr Nanoseconds kDrainTime = 3 * kSecond;
constexpr std::size_t kMaxWaiting =
    100'000;  // starts of the open loop that found no free connection

// Never repeats within a process: a proxy that knows retries by their invocation id must not know
// ours.
std::uint64_t next_number() {
  static std::uint64_t number = 0;
  return ++number;
}

std::int64_t own_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

Nanoseconds seconds(double value) {
  return static_cast<Nanoseconds>(value * 1e9);
}

Auth auth_of(const Command& command) {
  const std::string auth = command.text("auth", "sigv4");
  if (auth == "sigv4") return Auth::sigv4;
  if (auth == "bearer") return Auth::bearer;
  throw std::invalid_argument("auth=" + auth);
}

StreamPlan plan_of(const Command& command) {
  return {.deltas = static_cast<std::uint32_t>(command.count("deltas", 25)),
          .interval = seconds(command.number("interval_ms", 10) / 1e3)};
}

class ClosedLoop final : public Load {
 public:
  ClosedLoop(Loop& loop, Upstream& upstream, const Command& command)
      : Load(loop, upstream, command), requests_(command.count("requests", 0)) {}
  void start() override {
    for (const auto& client : clients_) ask(*client, now());
  }

 private:
  void after_answer(Client& client) override {
    if (requests_ > 0 && phase_ == Phase::measuring && answers_ >= requests_) end_window(now());
    if (phase_ < Phase::draining) ask(client, now());
  }
  const std::uint64_t requests_;
};

class OpenLoop final : public Load {
 public:
  OpenLoop(Loop& loop, Upstream& upstream, const Command& command)
      : Load(loop, upstream, command), gap_(command.number("rate", 1000)) {}
  void start() override {
    for (const auto& client : clients_) free_.push_back(client.get());
    next_ = now();
  }
  Nanoseconds next_due() const override {
    return phase_ < Phase::draining ? std::min(Load::next_due(), next_) : Load::next_due();
  }
  void on_due(Nanoseconds time) override {
    for (; phase_ < Phase::draining && next_ <= time; next_ += seconds(gap_(random_))) {
      if (waiting_.size() >= kMaxWaiting) throw std::runtime_error("the open loop cannot keep up");
      waiting_.push_back(next_);
    }
    ask_waiting();
    if (Load::next_due() <= time) Load::on_due(time);
  }

 private:
  void after_answer(Client& client) override {
    free_.push_back(&client);
    ask_waiting();
  }
  void ask_waiting() {
    while (!waiting_.empty() && !free_.empty()) {
      Client& client = *free_.front();
      free_.pop_front();
      const Nanoseconds since = waiting_.front();
      waiting_.pop_front();
      ask(client, since);
    }
  }
  std::exponential_distribution<double> gap_;
  std::mt19937_64 random_{1};
  Nanoseconds next_ = 0;
  std::deque<Client*> free_;
  std::deque<Nanoseconds> waiting_;
};

class Streams final : public Load {
 public:
  Streams(Loop& loop, Upstream& upstream, const Command& command)
      : Load(loop, upstream, command), plan_(plan_of(command)) {
    upstream_.set_plan(plan_);
    deltas_ = plan_.deltas;
    request_ = Request::converse_stream(auth_of(command), body_bytes_);
  }
  void start() override {
    const Nanoseconds time = now(), length = plan_.interval * plan_.deltas;
    const auto count = static_cast<Nanoseconds>(clients_.size());
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      starts_.push({time + length * static_cast<Nanoseconds>(i) / count, clients_[i].get()});
    }
  }
  Nanoseconds next_due() const override {
    return phase_ < Phase::draining && !starts_.empty()
               ? std::min(Load::next_due(), starts_.top().first)
               : Load::next_due();
  }
  void on_due(Nanoseconds time) override {
    while (phase_ < Phase::draining && !starts_.empty() && starts_.top().first <= time) {
      Client& client = *starts_.top().second;
      starts_.pop();
      ask(client, now());
    }
    if (Load::next_due() <= time) Load::on_due(time);
  }
  void on_delta(Client& client, Nanoseconds time, Nanoseconds sent) override {
    if (phase_ != Phase::measuring) return;
    if (client.deltas() > 1) {
      age_.add(time - sent);
    } else if (client.since() >= begin_) {
      first_byte_.add(time - client.since());
    }
  }
  nlohmann::json report() const override {
    nlohmann::json report = Load::report();
    report["first_byte"] = first_byte_.summary();
    report["age"] = age_.summary();
    return report;
  }

 private:
  // A random pause, or the streams would step in time.
  void after_answer(Client& client) override {
    starts_.push({now() + seconds(pause_(random_)), &client});
  }

  const StreamPlan plan_;
  Samples first_byte_, age_;
  using Start = std::pair<Nanoseconds, Client*>;
  std::priority_queue<Start, std::vector<Start>, std::greater<>> starts_;
  std::mt19937_64 random_{1};
  std::uniform_real_distribution<double> pause_{0, static_cast<double>(plan_.interval) / 1e9};
};

class Hold final : public Load {
 public:
  Hold(Loop& loop, Upstream& upstream, const Command& command)
      : Load(loop, upstream, command), stream_(command.text("kind", "idle") == "stream") {
    if (!stream_) return;
    upstream_.set_plan(
        {.deltas = 1'000'000, .interval = seconds(command.number("interval_ms", 1000) / 1e3)});
    deltas_ = 1'000'000;
    request_ = Request::converse_stream(auth_of(command), body_bytes_);
  }
  void start() override {
    for (std::size_t i = 0; i < kAtOnce; ++i) open_next();
  }
  void on_delta(Client& client, Nanoseconds, Nanoseconds) override {
    if (client.deltas() == 1) held();
  }
  nlohmann::json report() const override {
    nlohmann::json report = Load::report();
    report["held"] = held_;
    return report;
  }

 private:
  static constexpr std::size_t kAtOnce = 32;
  void after_answer(Client&) override { held(); }
  void held() {
    if (++held_ == clients_.size()) return finish();
    open_next();
  }
  void open_next() {
    if (opened_ < clients_.size()) ask(*clients_[opened_++], now());
  }
  const bool stream_;
  std::size_t opened_ = 0, held_ = 0;
};

class Sequence final : public Load {
 public:
  Sequence(Loop& loop, Upstream& upstream, const Command& command)
      : Load(loop, upstream, command),
        requests_(command.count("requests", 3)),
        timeout_(seconds(command.number("timeout", 3))) {
    clients_.resize(1);
  }
  void start() override { ask_next(); }
  void on_due(Nanoseconds) override {  // nobody answered in time
    times_ms_.push_back(nullptr);
    finish();
  }
  nlohmann::json report() const override {
    nlohmann::json report = Load::report();
    report["times_ms"] = times_ms_;
    return report;
  }

 private:
  void ask_next() {
    edge_ = now() + timeout_;
    ask(*clients_[0], now());
  }
  void after_answer(Client& client) override {
    times_ms_.push_back(static_cast<double>(now() - client.since()) / 1e6);
    if (times_ms_.size() == requests_) return finish();
    ask_next();
  }
  const std::size_t requests_;
  const Nanoseconds timeout_;
  nlohmann::json times_ms_ = nlohmann::json::array();
};

}  // namespace

Load::Load(Loop& loop, Upstream& upstream, const Command& command)
    : loop_(loop),
      upstream_(upstream),
      edge_(now() + seconds(command.number("warmup", 0.5))),
      body_bytes_(command.count("body", 2048)),
      request_(Request::converse(auth_of(command), body_bytes_)),
      window_(seconds(command.number("seconds", 3))),
      pid_(static_cast<int>(command.count("pid", 0))) {
  const std::size_t target = command.count("target", 0);
  if (target == 0 || target > UINT16_MAX) throw std::invalid_argument("target=PORT is missing");
  const std::size_t connections =
      std::clamp<std::size_t>(command.count("connections", 32), 1, 10'000);
  for (std::size_t i = 0; i < connections; ++i) {
    clients_.push_back(std::make_unique<Client>(loop, *this, static_cast<std::uint16_t>(target)));
  }
  loop_.schedule(this);
}

Load::~Load() {
  loop_.unschedule(this);
  for (auto& client : clients_) {
    client->close();
    loop_.bury(std::move(client));
  }
}

void Load::ask(Client& client, Nanoseconds since) {
  const Expected expected{.body = upstream_.expected_body(body_bytes_), .deltas = deltas_};
  client.ask(request_, next_number(), expected, since);
}

void Load::on_answer(Client& client, Nanoseconds time) {
  if (phase_ == Phase::measuring) {
    ++answers_;
    latency_.add(time - client.since());
  }
  after_answer(client);
}

void Load::on_failure(Client& client, std::string_view why) {
  if (finished()) return;  // held connections of a proxy that is gone
  note_error(why);
  if (errors_ >= kMaxErrors) return finish();
  after_answer(client);
}

void Load::note_error(std::string_view why) {
  if (first_error_.empty()) first_error_ = why;
  ++errors_;
}

void Load::on_due(Nanoseconds time) {
  switch (phase_) {
    case Phase::warming:
      return begin_window(time);
    case Phase::measuring:
      return end_window(time);
    case Phase::draining:
      if (time >= end_ + kDrainTime && !idle()) note_error("no answer by the end of the run");
      if (idle() || time >= end_ + kDrainTime) return finish();
      edge_ = time + kSecond / 100;
      return;
    case Phase::finished:
      return;
  }
}

void Load::begin_window(Nanoseconds time) {
  phase_ = Phase::measuring;
  counters_at_begin_ = upstream_.counters();
  times_at_begin_ = ProcessTimes::of(pid_);
  own_cpu_at_begin_ = own_cpu_ns();
  begin_ = now();
  edge_ = time + window_;
}

void Load::end_window(Nanoseconds) {
  phase_ = Phase::draining;
  end_ = now();
  times_ = ProcessTimes::of(pid_).since(times_at_begin_);
  own_cpu_ns_ = own_cpu_ns() - own_cpu_at_begin_;
  counters_at_end_ = upstream_.counters();
  edge_ = end_ + kSecond / 100;
}

bool Load::idle() const {
  return std::none_of(clients_.begin(), clients_.end(),
                      [](const auto& client) { return client->busy(); });
}

nlohmann::json Load::report() const {
  const double length = static_cast<double>(end_ - begin_) / 1e9;
  nlohmann::json report = {{"seconds", length},          {"requests", answers_},
                           {"errors", errors_},          {"latency", latency_.summary()},
                           {"peer_cpu_ns", own_cpu_ns_}, {"process", times_}};
  if (length > 0) report["rps"] = static_cast<double>(answers_) / length;
  if (errors_ > 0) report["first_error"] = first_error_;
  report["upstream"] = counters_at_end_.since(counters_at_begin_);
  return report;
}

std::unique_ptr<Load> closed_loop(Loop& loop, Upstream& upstream, const Command& command) {
  return std::make_unique<ClosedLoop>(loop, upstream, command);
}
std::unique_ptr<Load> open_loop(Loop& loop, Upstream& upstream, const Command& command) {
  return std::make_unique<OpenLoop>(loop, upstream, command);
}
std::unique_ptr<Load> streams(Loop& loop, Upstream& upstream, const Command& command) {
  return std::make_unique<Streams>(loop, upstream, command);
}
std::unique_ptr<Load> hold(Loop& loop, Upstream& upstream, const Command& command) {
  return std::make_unique<Hold>(loop, upstream, command);
}
std::unique_ptr<Load> sequence(Loop& loop, Upstream& upstream, const Command& command) {
  return std::make_unique<Sequence>(loop, upstream, command);
}

}  // namespace understudy::bench
