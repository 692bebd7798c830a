#pragma once
// Strings in which something is put together to be written, taken and given back by one connection
// after the other: the one that was used last is in the processor's cache, and a connection at rest
// holds none. One thread.

#include <string>
#include <utility>
#include <vector>

namespace understudy::proxy {

class TextPool {
 public:
  // As many as are being written at once in ordinary times, and none of an unusual size.
  static constexpr std::size_t kMaxKept = 64;
  static constexpr std::size_t kOrdinaryBytes = 8u << 10;

  TextPool() { unused_.reserve(kMaxKept); }
  TextPool(const TextPool&) = delete;
  TextPool& operator=(const TextPool&) = delete;

  // Empty.
  std::string take() noexcept {
    if (unused_.empty()) return {};
    std::string text = std::move(unused_.back());
    unused_.pop_back();
    return text;
  }
  void give_back(std::string text) noexcept {
    if (text.capacity() > kOrdinaryBytes || unused_.size() >= kMaxKept) return;
    text.clear();
    unused_.push_back(std::move(text));
  }

 private:
  std::vector<std::string> unused_;
};

}  // namespace understudy::proxy
