#pragma once
// An answer in the bytes of HTTP/1.1: its head, its body as it is, in chunks or left out. Makes one
// buffer of what is small, and a list of buffers with no copy of what is not. Belongs to one
// connection.

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
  void written() noexcept {
    buffers_.clear();
    std::string{}.swap(joined_);  // what a thousand connections kept, each until it rests, adds up
  }
  // Between answers: gives its memory back.
  void release() noexcept;

 private:
  enum class BodyCoding : std::uint8_t { plain, chunked, absent };

  std::string_view chunk_line(std::size_t size);
  std::string_view chunk_ending(std::size_t size, bool last) const;
  void show(const std::string& text) { buffers_.assign(1, {text.data(), text.size()}); }
  bool shows(const std::string& text) const noexcept {
    return buffers_.size() == 1 && buffers_.front().data() == text.data();
  }

  BodyCoding coding_ = BodyCoding::plain;
  std::string own_;     // the head, and what there is room for behind it
  std::string joined_;  // both, where there is none; only while it is written
  std::array<char, 24> chunk_line_{};
  std::vector<boost::asio::const_buffer> buffers_;
};

}  // namespace understudy::proxy
