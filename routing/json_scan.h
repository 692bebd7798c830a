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

  static constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

  // A step is a quotation mark, a bracket or an item that is looked at: what a look costs, since
  // plain text between them is passed over fast. Text that takes more of them is a fault.
  explicit JsonScan(std::string_view text, std::size_t max_steps = kNoLimit) noexcept
      : text_(text), steps_left_(max_steps) {}

  // What stands next; `end` behind the text or a fault.
  Kind next_kind() noexcept;

  // The string (its escapes as they are), number or literal that stands next.
  std::string_view take_scalar() noexcept;

  // Steps over the value that stands next, whatever it is. Its text; empty after a fault.
  std::string_view skip() noexcept;

  // Steps into the object or array that stands next; false where there is none.
  bool enter_object() noexcept { return enter('{'); }
  bool enter_array() noexcept { return enter('['); }

  // To the next member's value, its key in `key` (escapes as they are), or to the next element.
  // False once the closing bracket is behind us, and after a fault. The value must be taken,
  // skipped or entered and left before the next call.
  bool next_member(std::string_view& key) noexcept;
  bool next_element() noexcept;

  bool failed() const noexcept { return failed_; }
  bool out_of_steps() const noexcept { return steps_left_ == 0; }
  // Nothing but white space is left, and there was no fault.
  bool at_end() noexcept { return peek() == '\0' && at_ == text_.size() && !failed_; }

 private:
  char peek() noexcept;  // the next byte that is no white space; 0 at the end or after a fault
  bool enter(char bracket) noexcept;
  bool at_item(char closing) noexcept;
  bool take(char expected) noexcept;
  std::string_view take_string() noexcept;
  void skip_nested() noexcept;
  void fail() noexcept;
  bool step() noexcept;  // false, and a fault, where no step is left

  std::string_view text_;
  std::size_t steps_left_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool fresh_ = false;  // just behind an opening bracket, where no comma stands
  bool failed_ = false;
};

}  // namespace understudy::routing
