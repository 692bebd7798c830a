#include "metrics/prompt_text.h"

#include <string_view>

#include "metrics/json_reader.h"

namespace understudy::metrics {
namespace {

void append_bounded(std::string& to, std::string_view text) {
  constexpr std::size_t kHalf = PromptTextLimits::kMaxBytes / 2;
  if (to.size() >= PromptTextLimits::kMaxBytes) return;
  if (!to.empty()) to.push_back('\n');
  if (text.size() <= 2 * kHalf) {
    to.append(text);
  } else {
    to.append(text.substr(0, kHalf)).append("\n").append(text.substr(text.size() - kHalf));
  }
}

// A string, or blocks with text in them.
void append_content(Json holder, std::string_view key, std::string& to) {
  if (const auto text = string_at(holder, key)) return append_bounded(to, *text);
  for_each_at(holder, key, [&](Json block) {
    if (const auto text = string_at(block, "text")) append_bounded(to, *text);
  });
}

bool is_role(Json message, std::string_view wanted) {
  return string_at(message, "role") == wanted;
}

void read_messages(Json body, PromptText& into) {
  bool seen_user = false;
  for (const std::string_view key : {"messages", "input"}) {
    for_each_at(body, key, [&](Json message) {
      if (is_role(message, "system") || is_role(message, "developer")) {
        append_content(message, "content", into.system);
      } else if (is_role(message, "user") && !seen_user) {
        seen_user = true;
        append_content(message, "content", into.user);
      }
    });
  }
}

}  // namespace

PromptText prompt_text(Json body) {
  PromptText found;
  for (const std::string_view key : {"system", "instructions", "preamble"})
    append_content(body, key, found.system);
  read_messages(body, found);
  if (!found.user.empty()) return found;
  for (const std::string_view key : {"prompt", "inputText", "message", "input"}) {
    if (const auto text = string_at(body, key)) {
      append_bounded(found.user, *text);
      break;
    }
  }
  return found;
}

}  // namespace understudy::metrics
