#pragma once
// Gathers an answer from whole bodies and from stream events alike. Made for one answer, used on
// one thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/observation.h"

namespace understudy::metrics::families {

// The Converse word for a model's own where they mean the same; else the model's word, shortened.
std::string_view converse_stop_reason(std::string_view word) noexcept;

class AnswerBuilder {
 public:
  void add_text(std::string_view text);
  void add_thinking(std::string_view thinking);
  void add_tool_call(std::string_view name, std::string_view arguments);
  // Streamed calls come in pieces that name their block.
  void begin_tool_call(std::int64_t block, std::string_view name);
  void add_tool_arguments(std::int64_t block, std::string_view piece);
  void add_citations(std::size_t count) noexcept { answer_.citations += count; }
  // A block that says what it is, though it may hold nothing to be seen.
  void note_block(BlockKind kind) noexcept;
  // The steps of a stream, as they come.
  void note_begin() noexcept;
  void note_block_index(std::int64_t block) noexcept;
  void note_end() noexcept;
  void set_stop_reason(std::string_view word);
  // The stream said that it is done.
  void set_finished() noexcept { finished_ = true; }
  void fail(std::string_view type, std::string_view message);

  Usage& body_usage() noexcept { return body_usage_; }
  Usage& billed_usage() noexcept { return billed_usage_; }

  // Whether content came since the last call.
  bool take_content_mark() noexcept { return std::exchange(content_, false); }
  bool in_order() const noexcept { return in_order_; }
  bool finished() const noexcept { return finished_; }
  const std::string& error_type() const noexcept { return error_type_; }
  const std::string& error_message() const noexcept { return error_message_; }
  const Answer& answer() const noexcept { return answer_; }
  Answer take_answer() noexcept { return std::move(answer_); }

 private:
  static constexpr std::size_t kMaxToolCalls = 1024;

  Answer answer_;
  Usage body_usage_, billed_usage_;
  std::vector<std::pair<std::int64_t, std::size_t>> open_calls_;  // block, index into tool_calls
  std::string error_type_, error_message_;
  bool content_ = false;
  bool finished_ = false;
  bool in_order_ = true;
  bool begun_ = false;
  bool ended_ = false;
  std::int64_t last_block_ = 0;
};

}  // namespace understudy::metrics::families
