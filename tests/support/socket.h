#pragma once
// A blocking TCP socket of 127.0.0.1 that gives up after a generous time. One reader and one writer
// thread at a time.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace understudy::testing_support {

// Long enough for a loaded machine; a test that waits this long has failed.
inline constexpr std::chrono::seconds kPatience{30};

class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  static Socket connect(std::uint16_t port, int receive_buffer_bytes = 0);  // throws
  static Socket listen(std::uint16_t& port);  // throws; tells the port

  enum class Read : std::uint8_t { data, end, reset, timeout };
  // Appends what there is to `to`.
  Read read(std::string& to, std::size_t at_most = 65'536);
  bool write(std::string_view bytes);  // all of them, or the other side is gone

  void set_patience(std::chrono::milliseconds patience);
  void shut_down();    // wakes whoever reads or writes; nothing more can be
  void end_writing();  // half close
  void reset();        // closes with a reset
  void close();
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

}  // namespace understudy::testing_support
