#pragma once
// What a socket did not take yet. Almost always empty: the bench writes at once and whole.

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy::bench {

class Outbox {
 public:
  // Writes now what it can, keeps the rest. False when the connection is broken.
  bool send(int fd, std::string_view bytes);
  bool flush(int fd);
  bool empty() const { return rest_.empty(); }

 private:
  std::string rest_;
};

}  // namespace understudy::bench
