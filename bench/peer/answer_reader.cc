#include "bench/peer/answer_reader.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace understudy::bench {
namespace {

constexpr std::size_t kMaxHeadBytes = 64u << 10;

std::optional<std::string_view> field(std::string_view head, std::string_view name_and_colon) {
  for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
    const std::string_view rest = head.substr(at + 2);
    if (rest.size() < name_and_colon.size()) break;
    if (::strncasecmp(rest.data(), name_and_colon.data(), name_and_colon.size()) != 0) continue;
    std::string_view value = rest.substr(name_and_colon.size());
    value = value.substr(0, value.find("\r\n"));
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    return value;
  }
  return std::nullopt;
}

}  // namespace

AnswerReader::State AnswerReader::broken(const char* why) {
  why_broken_ = why;
  return state_ = State::broken;
}

AnswerReader::State AnswerReader::feed(std::string_view data, BodySink& sink) {
  while (!data.empty() && state_ != State::broken) {
    std::size_t taken = 0;
    switch (state_) {
      case State::head:
        taken = take_head(data);
        break;
      case State::body:
      case State::chunk_data:
        taken = std::min(left_, data.size());
        sink.on_body(data.substr(0, taken));
        left_ -= taken;
        if (left_ == 0) state_ = state_ == State::body ? State::done : State::chunk_end;
        break;
      case State::chunk_size:
      case State::chunk_end:
      case State::last_chunk:
        taken = take_line(data);
        break;
      case State::done:
        return broken("bytes behind the answer");
      case State::broken:
        break;
    }
    data.remove_prefix(taken);
  }
  return state_;
}

std::size_t AnswerReader::take_head(std::string_view data) {
  const std::size_t before = line_.size();
  std::string_view head = data;
  if (before > 0) head = line_.append(data);
  const std::size_t end = head.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (before == 0) line_ = data;
    if (line_.size() > kMaxHeadBytes) broken("endless head");
    return data.size();
  }
  read_head(head.substr(0, end + 4));
  line_.clear();
  return end + 4 - before;
}

void AnswerReader::read_head(std::string_view head) {
  if (!head.starts_with("HTTP/1.1 200 ")) {
    broken("status is not 200");
    return;
  }
  if (const auto length = field(head, "content-length:")) {
    const bool number = std::from_chars(length->begin(), length->end(), left_).ec == std::errc();
    if (!number) {
      broken("content-length is no number");
      return;
    }
    state_ = left_ > 0 ? State::body : State::done;
  } else if (field(head, "transfer-encoding:") == "chunked") {
    state_ = State::chunk_size;
  } else {
    broken("answer without framing");
  }
}

std::size_t AnswerReader::take_line(std::string_view data) {
  const std::size_t newline = data.find('\n');
  const std::size_t taken = newline == std::string_view::npos ? data.size() : newline + 1;
  line_.append(data.substr(0, taken));
  if (newline != std::string_view::npos) {
    end_of_line();
    line_.clear();
  } else if (line_.size() > 64) {
    broken("endless chunk line");
  }
  return taken;
}

void AnswerReader::end_of_line() {
  if (!line_.ends_with("\r\n")) {
    broken("bare newline in chunk framing");
  } else if (state_ == State::chunk_size) {
    if (std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16).ec != std::errc()) {
      broken("chunk size is no number");
    } else {
      state_ = left_ > 0 ? State::chunk_data : State::last_chunk;
    }
  } else if (line_.size() != 2) {
    broken("garbage in chunk framing");
  } else {
    state_ = state_ == State::chunk_end ? State::chunk_size : State::done;
  }
}

}  // namespace understudy::bench
