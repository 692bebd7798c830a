#include "routing/operation.h"

#include <algorithm>
#include <utility>

namespace understudy::routing {
namespace {

// The service takes no longer model id (bedrock-runtime service model, api 2023-09-30).
constexpr std::size_t kMaxModelIdBytes = 2048;

struct OperationRow {
  Operation operation;
  std::string_view label;
  std::string_view name;
  std::string_view path;  // the last segment of `/model/{modelId}/...`; empty: see kOtherPaths
};

constexpr std::array kRows{
    OperationRow{Operation::converse, "converse", "Converse", "converse"},
    OperationRow{Operation::converse_stream, "converse_stream", "ConverseStream",
                 "converse-stream"},
    OperationRow{Operation::invoke_model, "invoke_model", "InvokeModel", "invoke"},
    OperationRow{Operation::invoke_model_with_response_stream, "invoke_model_with_response_stream",
                 "InvokeModelWithResponseStream", "invoke-with-response-stream"},
    OperationRow{Operation::count_tokens, "count_tokens", "CountTokens", "count-tokens"},
    OperationRow{Operation::messages, "messages", "Messages", ""},
    OperationRow{Operation::messages_count_tokens, "messages_count_tokens", "MessagesCountTokens",
                 ""},
    OperationRow{Operation::chat_completions, "chat_completions", "ChatCompletions", ""},
    OperationRow{Operation::responses, "responses", "Responses", ""},
    OperationRow{Operation::invoke_model_with_bidirectional_stream,
                 "invoke_model_with_bidirectional_stream", "InvokeModelWithBidirectionalStream",
                 "invoke-with-bidirectional-stream"},
    OperationRow{Operation::apply_guardrail, "apply_guardrail", "ApplyGuardrail", ""},
    OperationRow{Operation::invoke_guardrail_checks, "invoke_guardrail_checks",
                 "InvokeGuardrailChecks", ""},
    OperationRow{Operation::start_async_invoke, "start_async_invoke", "StartAsyncInvoke", ""},
    OperationRow{Operation::get_async_invoke, "get_async_invoke", "GetAsyncInvoke", ""},
    OperationRow{Operation::list_async_invokes, "list_async_invokes", "ListAsyncInvokes", ""},
};

// Paths that name no model, whole; `*` stands for one segment. Of the second wire bedrock-mantle
// takes either prefix, depending on the model.
struct OtherPath {
  std::string_view method;
  std::string_view path;
  Operation operation;
};
constexpr std::array kOtherPaths{
    OtherPath{"POST", "/anthropic/v1/messages", Operation::messages},
    OtherPath{"POST", "/anthropic/v1/messages/count_tokens", Operation::messages_count_tokens},
    OtherPath{"POST", "/openai/v1/chat/completions", Operation::chat_completions},
    OtherPath{"POST", "/v1/chat/completions", Operation::chat_completions},
    OtherPath{"POST", "/openai/v1/responses", Operation::responses},
    OtherPath{"POST", "/v1/responses", Operation::responses},
    OtherPath{"POST", "/guardrail/*/version/*/apply", Operation::apply_guardrail},
    OtherPath{"POST", "/guardrail-checks/invoke", Operation::invoke_guardrail_checks},
    OtherPath{"POST", "/async-invoke", Operation::start_async_invoke},
    OtherPath{"GET", "/async-invoke", Operation::list_async_invokes},
    OtherPath{"GET", "/async-invoke/*", Operation::get_async_invoke},
};

// First path segments that `bedrock.{region}` answers (bedrock service model, api 2023-04-20).
constexpr std::array<std::string_view, 37> kControlPlane{
    "automated-reasoning-policies",
    "create-foundation-model-agreement",
    "custom-model-deployments",
    "custom-models",
    "delete-foundation-model-agreement",
    "enforcedGuardrailsConfiguration",
    "evaluation-job",
    "evaluation-jobs",
    "foundation-model-agreement",
    "foundation-model-availability",
    "foundation-models",
    "guardrails",
    "imported-models",
    "inference-profiles",
    "list-foundation-model-agreement-offers",
    "listTagsForResource",
    "logging",
    "marketplace-model",
    "model-copy-job",
    "model-copy-jobs",
    "model-customization",
    "model-customization-job",
    "model-customization-jobs",
    "model-import-job",
    "model-import-jobs",
    "model-invocation-job",
    "model-invocation-jobs",
    "prompt-router",
    "prompt-routers",
    "provisioned-model-throughput",
    "provisioned-model-throughputs",
    "resource-policy",
    "tagResource",
    "untagResource",
    "use-case-for-model-access",
    "usecases",
    "vended-logs",
};
static_assert(std::ranges::is_sorted(kControlPlane));

constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that an escape at `at` stands for, or -1 where it is none.
int decoded_at(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < 3) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Watches one path segment for being "." or "..", also in front of ";parameters", which some
// servers cut off before they resolve dots.
class DotWatch {
 public:
  void take(char c) noexcept {
    if (c == ';') {
      parameters_ = true;
    } else if (!parameters_) {
      ++length_;
      only_dots_ = only_dots_ && c == '.';
    }
  }
  // The same for bytes that are neither '.' nor ';', one or more.
  void take_ordinary() noexcept { only_dots_ = only_dots_ && parameters_; }
  bool is_dots() const noexcept { return only_dots_ && (length_ == 1 || length_ == 2); }
  void restart() noexcept { *this = DotWatch(); }

 private:
  std::size_t length_ = 0;
  bool only_dots_ = true;
  bool parameters_ = false;
};

// Visible bytes that mean nothing in a path by themselves: nearly all there are.
constexpr std::array<bool, 256> kOrdinary = [] {
  std::array<bool, 256> table{};
  for (unsigned char c = 0x21; c < 0x7f; ++c) table[c] = true;
  for (const char c : std::string_view("#\\?%/.;")) table[static_cast<unsigned char>(c)] = false;
  return table;
}();

// Null where the target may pass; otherwise what is wrong with it. Fills in where the path ends.
const char* check_bytes(std::string_view target, std::size_t& path_end) noexcept {
  DotWatch dots;
  bool in_path = true;
  path_end = target.size();
  for (std::size_t i = 0; i < target.size(); ++i) {
    const std::size_t ordinary = i;
    while (i < target.size() && kOrdinary[static_cast<unsigned char>(target[i])]) ++i;
    if (i > ordinary) dots.take_ordinary();  // behind the path nobody asks for dots any more
    if (i == target.size()) break;
    const char raw = target[i];
    if (raw <= 0x20 || raw >= 0x7f) return "The target has a byte outside visible ASCII.";
    if (raw == '#') return "The target has a fragment.";
    if (raw == '\\') return "The target has a backslash.";
    if (in_path && raw == '?') {
      if (dots.is_dots()) break;
      in_path = false;
      path_end = i;
    }
    int byte = static_cast<unsigned char>(raw);
    if (raw == '%') {
      byte = decoded_at(target, i);
      if (byte < 0) return "The target has a broken percent escape.";
      i += 2;
    }
    if (!in_path) continue;
    if (byte == '\\') return "The target has a backslash.";
    if (byte == 0) return "The target has an encoded zero byte.";
    if (byte != '/') {
      dots.take(static_cast<char>(byte));
      continue;
    }
    if (dots.is_dots()) break;
    dots.restart();
    if (raw == '/' && i > 0 && target[i - 1] == '/') return "The path has an empty segment.";
  }
  return dots.is_dots() ? "The path has a dot segment." : nullptr;
}

// Null where the id is fine. An escaped '%' would be decoded a second time by somebody, and what is
// no visible ASCII stands in no model id and would travel on into logs and records.
const char* decode_model(std::string_view raw, std::string& id) {
  if (raw.size() > 3 * kMaxModelIdBytes) return "The model id is too long.";
  id.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const std::size_t escape = std::min(raw.find('%', i), raw.size());
    id.append(raw, i, escape - i);
    i = escape;
    if (i == raw.size()) break;
    const int byte = decoded_at(raw, i);
    if (byte == '%') return "The model id is percent-encoded twice.";
    if (byte <= 0x20 || byte >= 0x7f) return "The model id has a byte that no model id has.";
    id.push_back(static_cast<char>(byte));
    i += 2;
  }
  return id.size() > kMaxModelIdBytes ? "The model id is too long." : nullptr;
}

Operation operation_of(std::string_view method, std::string_view segment) noexcept {
  if (method != "POST") return Operation::other;
  for (const OperationRow& row : kRows) {
    if (!segment.empty() && segment == row.path) return row.operation;
  }
  return Operation::other;
}

bool fits(std::string_view path, std::string_view pattern) noexcept {
  while (!pattern.empty()) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return path == pattern;
    if (path.substr(0, star) != pattern.substr(0, star)) return false;
    path.remove_prefix(star);
    pattern.remove_prefix(star + 1);
    const std::size_t segment = std::min(path.find('/'), path.size());
    if (segment == 0) return false;
    path.remove_prefix(segment);
  }
  return path.empty();
}

Operation other_operation_of(std::string_view method, std::string_view path) noexcept {
  for (const OtherPath& row : kOtherPaths) {
    if (method == row.method && fits(path, row.path)) return row.operation;
  }
  return Operation::other;
}

Surface surface_of(std::string_view path) noexcept {
  const std::string_view first = path.substr(1, path.find('/', 1) - 1);
  return std::ranges::binary_search(kControlPlane, first) ? Surface::control_plane
                                                          : Surface::runtime;
}

}  // namespace

std::string_view label(Operation operation) noexcept {
  for (const OperationRow& row : kRows) {
    if (row.operation == operation) return row.label;
  }
  return "other";
}

std::optional<Operation> operation_from_name(std::string_view name) noexcept {
  for (const OperationRow& row : kRows) {
    if (row.name == name) return row.operation;
  }
  return std::nullopt;
}

bool is_understood(Operation operation) noexcept {
  return operation < Operation::invoke_model_with_bidirectional_stream;
}

bool only_counts_tokens(Operation operation) noexcept {
  return operation == Operation::count_tokens || operation == Operation::messages_count_tokens;
}

bool names_model_in_body(Operation operation) noexcept {
  return operation == Operation::messages || operation == Operation::messages_count_tokens ||
         operation == Operation::chat_completions || operation == Operation::responses;
}

Wire wire_of(std::string_view raw_target, std::string_view base_path) noexcept {
  if (raw_target.starts_with(base_path)) raw_target.remove_prefix(base_path.size());
  if (raw_target.starts_with("//")) raw_target.remove_prefix(1);
  if (raw_target.starts_with("/anthropic/")) return Wire::anthropic;
  if (raw_target.starts_with("/openai/") || raw_target.starts_with("/v1/")) return Wire::openai;
  return Wire::bedrock;
}

std::variant<RequestTarget, TargetProblem> parse_target(std::string_view method,
                                                        std::string_view raw_target,
                                                        std::string_view base_path) {
  if (raw_target.empty() || raw_target.front() != '/') {
    return TargetProblem{"The target is not in origin form."};
  }
  if (!raw_target.starts_with(base_path)) {
    return TargetProblem{"The path is outside this listener's base path."};
  }
  std::string_view target = raw_target.substr(base_path.size());
  if (!target.starts_with('/')) {
    return TargetProblem{"The path is outside this listener's base path."};
  }
  // An SDK given an endpoint with a trailing slash doubles the slash that follows it.
  if (target.starts_with("//")) target.remove_prefix(1);

  std::size_t path_end = 0;
  if (const char* problem = check_bytes(target, path_end)) return TargetProblem{problem};

  RequestTarget parsed;
  parsed.forwarded = target;
  const std::string_view path = target.substr(0, path_end);
  parsed.path = path;
  constexpr std::string_view kModel = "/model/";
  if (!path.starts_with(kModel)) {
    parsed.surface = surface_of(path);
    parsed.wire = wire_of(path, "");
    parsed.operation = other_operation_of(method, path);
    return parsed;
  }
  const std::size_t last_slash = path.rfind('/');
  if (last_slash < kModel.size()) return parsed;
  const std::string_view raw_model = path.substr(kModel.size(), last_slash - kModel.size());
  if (const char* problem = decode_model(raw_model, parsed.model_id)) return TargetProblem{problem};
  if (raw_model.find('/') != raw_model.npos && !parsed.model_id.starts_with("arn:")) {
    parsed.model_id.clear();  // only an ARN has slashes: this is some other, unknown path
    return parsed;
  }
  parsed.raw_model = raw_model;
  parsed.operation = operation_of(method, path.substr(last_slash + 1));
  return parsed;
}

}  // namespace understudy::routing
