#pragma once
// An answer in the bytes of HTTP/1.1: its head, its body as it is, in chunks or left out. Makes one
// buffer of what is small, and a list of buffers with no copy of what is not. Belongs to one
// connection.

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/downstream.h"
#include "proxy/text_pool.h"

namespace understudy::proxy {

class AnswerEncoder {
 public:
  struct Connection {
    bool http_1_0 = false;  // what the client speaks
    bool keep_alive = true;
  };

  explicit AnswerEncoder(TextPool& texts) noexcept : texts_(texts) {}

  // The head of the next answer. False: only the connection's end can tell the body's, so it ends
  // behind this answer even where `keep_alive` was asked for.
  bool begin(const AnswerHead& head, Connection connection);
  // What comes next of the body, as one chunk where there are chunks. The pieces must stay until
  // written().
  void add(std::span<const std::string_view> pieces, bool last);

  // What is to be written now; stays until written() or begin().
  std::span<const boost::asio::const_buffer> buffers() const noexcept { return buffers_; }
  void written() noexcept;
  // Between answers: gives its memory back.
  void release() noexcept;

 private:
  enum class BodyCoding : std::uint8_t { plain, chunked, absent };

  std::string_view chunk_line(std::size_t size);
  std::string_view chunk_ending(std::size_t size, bool last) const;
  std::string& text();
  bool is_joined() const noexcept;

  BodyCoding coding_ = BodyCoding::plain;
  TextPool& texts_;
  std::optional<std::string> text_;  // the head and what is small behind it, until it is written
  std::array<char, 24> chunk_line_{};
  std::vector<boost::asio::const_buffer> buffers_;
};

}  // namespace understudy::proxy
