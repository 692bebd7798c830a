#pragma once
// An answer in the bytes of HTTP/1.1: its head, its body as it is, in chunks or left out. Makes a
// list of buffers to be written, copies nothing of the body. Belongs to one connection.

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/downstream.h"

namespace understudy::proxy {

class AnswerEncoder {
 public:
  struct Connection {
    bool http_1_0 = false;  // what the client speaks
    bool keep_alive = true;
  };

  // The head of the next answer. False: only the connection's end can tell the body's, so it ends
  // behind this answer even where `keep_alive` was asked for.
  bool begin(const AnswerHead& head, Connection connection);
  // What comes next of the body, as one chunk where there are chunks. The pieces must stay until
  // written().
  void add(std::span<const std::string_view> pieces, bool last);

  // What is to be written now; stays until written() or begin().
  std::span<const boost::asio::const_buffer> buffers() const noexcept { return buffers_; }
  void written() noexcept { buffers_.clear(); }
  // Between answers: gives its memory back.
  void release() noexcept;

 private:
  enum class BodyCoding : std::uint8_t { plain, chunked, absent };

  BodyCoding coding_ = BodyCoding::plain;
  std::string head_;
  std::array<char, 24> chunk_line_{};
  std::vector<boost::asio::const_buffer> buffers_;
};

}  // namespace understudy::proxy
