#include "routing/json_scan.h"

#include "routing/byte_set.h"

namespace understudy::routing {

namespace {

constexpr ByteSet kSpace{" \t\r\n"};
constexpr ByteSet kEndOfScalar{",]} \t\r\n"};
constexpr ByteSet kStructure{"\"[]{}"};

}  // namespace

void JsonScan::fail() noexcept {
  failed_ = true;
  at_ = text_.size();
}

bool JsonScan::step() noexcept {
  if (steps_left_ > 0 && --steps_left_ > 0) return true;
  fail();
  return false;
}

char JsonScan::peek() noexcept {
  at_ = kSpace.skip_in(text_, at_);
  return at_ < text_.size() ? text_[at_] : '\0';
}

JsonScan::Kind JsonScan::next_kind() noexcept {
  switch (peek()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
    case 'n':
      return Kind::literal;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      return Kind::number;
    default:
      return Kind::end;
  }
}

bool JsonScan::take(char expected) noexcept {
  if (peek() != expected) {
    fail();
    return false;
  }
  ++at_;
  return true;
}

std::string_view JsonScan::take_string() noexcept {
  if (!take('"')) return {};
  const std::size_t begin = at_;
  for (std::size_t quote = text_.find('"', begin); quote != text_.npos;
       quote = text_.find('"', quote + 1)) {
    if (!step()) return {};
    std::size_t backslashes = 0;
    while (quote - backslashes > begin && text_[quote - backslashes - 1] == '\\') ++backslashes;
    if (backslashes % 2 == 1) continue;
    at_ = quote + 1;
    return text_.substr(begin, quote - begin);
  }
  fail();
  return {};
}

std::string_view JsonScan::take_scalar() noexcept {
  const Kind kind = next_kind();
  if (kind == Kind::string) return take_string();
  if (kind != Kind::number && kind != Kind::literal) {
    fail();
    return {};
  }
  const std::size_t begin = at_;
  at_ = kEndOfScalar.find_in(text_, begin);
  // A number that the text ends in may be cut short, so it counts as unread.
  if (at_ == text_.size()) {
    fail();
    return {};
  }
  return text_.substr(begin, at_ - begin);
}

std::string_view JsonScan::skip() noexcept {
  const Kind kind = next_kind();
  const std::size_t begin = at_;
  if (kind == Kind::object || kind == Kind::array) {
    skip_nested();
  } else {
    take_scalar();
  }
  return failed_ ? std::string_view{} : text_.substr(begin, at_ - begin);
}

void JsonScan::skip_nested() noexcept {
  const int outside = depth_;
  do {
    at_ = kStructure.find_in(text_, at_);
    if (at_ == text_.size()) return fail();
    const char c = text_[at_];
    if (c == '"') {
      take_string();
      if (failed_) return;
      continue;
    }
    if (!step()) return;
    ++at_;
    depth_ += c == '{' || c == '[' ? 1 : -1;
    if (depth_ > kMaxDepth) return fail();
  } while (depth_ > outside);
}

bool JsonScan::enter(char bracket) noexcept {
  if (!take(bracket)) return false;
  if (++depth_ > kMaxDepth) {
    fail();
    return false;
  }
  fresh_ = true;
  return true;
}

bool JsonScan::at_item(char closing) noexcept {
  if (!step()) return false;
  const char c = peek();
  const bool fresh = fresh_;
  fresh_ = false;
  if (c == closing) {
    ++at_;
    --depth_;
    return false;
  }
  return fresh ? !failed_ : take(',');
}

bool JsonScan::next_member(std::string_view& key) noexcept {
  if (!at_item('}')) return false;
  key = take_string();
  return !failed_ && take(':');
}

bool JsonScan::next_element() noexcept {
  if (!at_item(']')) return false;
  if (next_kind() == Kind::end) fail();
  return !failed_;
}

}  // namespace understudy::routing
