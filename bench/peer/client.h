#pragma once
// One keep-alive connection of the load. Sends a request, checks every byte of the answer, tells
// its user.

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/peer/answer_reader.h"
#include "bench/peer/canned.h"
#include "bench/peer/loop.h"

namespace understudy::bench {

class Client;

class ClientUser {
 public:
  virtual void on_answer(Client& client, Nanoseconds time) = 0;
  // A delta frame of a stream, with the time that the upstream stamped on it.
  virtual void on_delta(Client& client, Nanoseconds time, Nanoseconds sent) = 0;
  // The connection is closed by now; ask() opens a new one.
  virtual void on_failure(Client& client, std::string_view why) = 0;

 protected:
  ~ClientUser() = default;
};

// What a right answer is.
struct Expected {
  std::string_view body;     // unary: these bytes exactly
  std::uint32_t deltas = 0;  // stream: so many of them, all in order; 0 means unary
};

class Client final : public Watcher, private BodySink {
 public:
  Client(Loop& loop, ClientUser& user, std::uint16_t port)
      : loop_(loop), user_(user), port_(port) {}
  ~Client() override { close(); }

  // Sends `request` under this number; connects where needed. Not while busy. `since` is when the
  // wait began for whom it concerns: now, or the scheduled start of an open loop.
  void ask(Request& request, std::uint64_t number, Expected expected, Nanoseconds since);
  bool busy() const { return busy_; }
  Nanoseconds since() const { return since_; }
  std::uint32_t deltas() const { return deltas_; }
  void close();

  void on_ready(std::uint32_t events) override;

 private:
  void send_rest();
  void receive();
  void on_body(std::string_view piece) override;
  void read_deltas(std::string_view piece);
  void finish();
  void fail(std::string_view why);

  Loop& loop_;
  ClientUser& user_;
  const std::uint16_t port_;
  int fd_ = -1;
  bool busy_ = false;
  bool waits_for_room_ = false;
  Request* request_ = nullptr;
  std::uint64_t number_ = 0;
  Nanoseconds since_ = 0;
  std::size_t sent_ = 0;
  Expected expected_;
  AnswerReader reader_;
  std::size_t body_bytes_ = 0;
  bool body_differs_ = false;
  std::uint32_t deltas_ = 0;
  Nanoseconds received_ = 0, last_sent_ = 0;
  std::string carry_;  // the end of what was read, where a mark may begin
};

}  // namespace understudy::bench
