#pragma once
// An upstream on 127.0.0.1 that does what a script says, byte for byte: for faults that a
// well-built server cannot have. One blocking thread per connection. It remembers every request
// that it read. Any thread may ask it; a script runs on its connection's thread.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/socket.h"

namespace understudy::testing_support {

struct FakeRequest {
  std::string head;  // as it came, with the empty line
  std::string body;
  std::size_t connection = 0;  // from 1, in the order of acceptance

  std::string method() const;
  std::string target() const;
  std::string field(std::string_view name) const;  // empty where there is none
  bool has(std::string_view name) const;
};

// The connection that a script answers on.
class FakePeer {
 public:
  explicit FakePeer(Socket& socket) : socket_(socket) {}
  // False once the other side is gone.
  bool send(std::string_view bytes);
  // Ends the connection after what was sent: a clean end of TCP, whatever the framing promised.
  void close();
  // Ends it with a reset.
  void reset();
  // Sends nothing more until the other side goes away or the fake ends.
  void hang();

 private:
  Socket& socket_;
};

class FakeBedrock {
 public:
  using Script = std::function<void(const FakeRequest&, FakePeer&)>;

  explicit FakeBedrock(Script script);
  ~FakeBedrock();  // cuts every connection
  FakeBedrock(const FakeBedrock&) = delete;
  FakeBedrock& operator=(const FakeBedrock&) = delete;

  static std::unique_ptr<FakeBedrock> replies(std::string body);  // 200, JSON, every time
  static std::unique_ptr<FakeBedrock> sends(std::string bytes);   // these very bytes, every time
  static std::unique_ptr<FakeBedrock> never_replies();

  std::uint16_t port() const { return port_; }
  std::vector<FakeRequest> requests() const;
  FakeRequest request(std::size_t index) const;  // waits for it; throws where it does not come
  std::size_t count() const;
  bool wait_for_requests(std::size_t count) const;
  std::size_t connections() const;       // ever accepted
  std::size_t open_connections() const;  // that the other side has not closed
  bool wait_for_open_connections(std::size_t count) const;
  // Closes those on which no request is under way, as servers do with idle ones; waits until it is
  // done.
  void close_idle_connections();

 private:
  struct Line {
    Socket socket;
    bool busy = false;  // a request is being read or answered
    std::thread thread;
  };

  void accept_loop();
  void serve(Line& line, std::size_t number);

  const Script script_;
  std::uint16_t port_ = 0;  // stands before the listener, which tells it
  Socket listener_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_:
  std::list<Line> lines_;
  std::vector<FakeRequest> requests_;
  std::size_t open_ = 0;
  bool stopping_ = false;

  std::thread acceptor_;
};

// A port of 127.0.0.1 that refuses connections.
std::uint16_t refusing_port();

// --- What to reply
// --------------------------------------------------------------------------------------------------

// A whole answer with a content-length.
std::string answer(std::string_view body, std::string_view status = "200 OK",
                   std::string_view more_fields = "");
// The same in chunks of at most `chunk` bytes.
std::string chunked_answer(std::string_view body, std::size_t chunk);
std::string as_chunk(std::string_view data);
// The body of a Converse answer.
std::string converse_answer(std::string_view text);
// Bytes that repeat in no small period, so that a lost or doubled piece shows.
std::string noise(std::size_t size, std::uint32_t seed = 1);

// Something one thread waits for and another lets happen.
class Gate {
 public:
  void open();
  bool wait();  // false after kPatience: a test then fails instead of hanging

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace understudy::testing_support
