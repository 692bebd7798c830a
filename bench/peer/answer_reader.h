#pragma once
// Reads one HTTP/1.1 answer as it comes, with Content-Length or chunked, and hands the body on
// without framing. Strict: whatever a proxy should not have made of our answers is broken.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::bench {

class BodySink {
 public:
  virtual void on_body(std::string_view piece) = 0;

 protected:
  ~BodySink() = default;
};

class AnswerReader {
 public:
  enum class State : std::uint8_t {
    head,
    body,
    chunk_size,
    chunk_data,
    chunk_end,
    last_chunk,
    done,
    broken
  };

  // Takes all of `data`; bytes behind the answer make it broken, the bench never pipelines.
  State feed(std::string_view data, BodySink& sink);
  State state() const { return state_; }
  const char* why_broken() const { return why_broken_; }

 private:
  State broken(const char* why);
  void read_head(std::string_view head);
  std::size_t take_head(std::string_view data);
  std::size_t take_line(std::string_view data);
  void end_of_line();

  State state_ = State::head;
  const char* why_broken_ = "";
  std::string line_;  // a head or chunk line that came in parts
  std::size_t left_ = 0;
};

}  // namespace understudy::bench
