#pragma once
// A forward-only look into JSON text: no tree, no allocation, no recursion, and it may stop
// anywhere. It is lenient (a look, not a validator): what it cannot read is a fault, after which
// all is `end`.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace understudy::routing {

class JsonScan {
 public:
  enum class Kind : std::uint8_t { object, array, string, number, literal, end };

  // Deeper text is a fault.
  static constexpr int kMaxDepth = 128;

  explicit JsonScan(std::string_view text) noexcept : text_(text) {}

  // What stands next; `end` behind the text or a fault.
  Kind next_kind() noexcept;

  // The string (its escapes as they are), number or literal that stands next.
  std::string_view take_scalar() noexcept;

  // Steps over the value that stands next, whatever it is.
  void skip() noexcept;

  // Steps into the object or array that stands next; false where there is none.
  bool enter_object() noexcept { return enter('{'); }
  bool enter_array() noexcept { return enter('['); }

  // To the next member's value, its key in `key` (escapes as they are), or to the next element.
  // False once the closing bracket is behind us, and after a fault. The value must be taken,
  // skipped or entered and left before the next call.
  bool next_member(std::string_view& key) noexcept;
  bool next_element() noexcept;

  bool failed() const noexcept { return failed_; }

 private:
  char peek() noexcept;  // the next byte that is no white space; 0 at the end or after a fault
  bool enter(char bracket) noexcept;
  bool at_item(char closing) noexcept;
  bool take(char expected) noexcept;
  std::string_view take_string() noexcept;
  void fail() noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool fresh_ = false;  // just behind an opening bracket, where no comma stands
  bool failed_ = false;
};

}  // namespace understudy::routing
