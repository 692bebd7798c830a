#pragma once
// One small HTTP request and its whole answer, for services that hand out credentials.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/aws/fetch.h"
#include "proxy/task.h"

namespace understudy::proxy::aws {

struct Question {
  routing::Endpoint endpoint;
  std::string_view method = "GET";
  std::string target;                                              // behind the endpoint's path
  std::vector<std::pair<std::string_view, std::string>> fields{};  // besides Host and the framing
  std::string content_type{};
  std::string body{};
  std::optional<AwsKeys> sts_keys{};  // signed with them, for STS in the plan's region
};

struct WholeAnswer {
  int status = 0;
  std::string body;
};

// Within the plan's time-out as a whole and its bound of bytes. Redirects are answers like others:
// they are not followed. No error quotes an answer.
Task<Result<WholeAnswer>> ask(FetchThread& thread, const CredentialPlan& plan, Question question);

// What an answer that is not 200 comes to; names the host and the status.
Error refused(const routing::Endpoint& endpoint, const WholeAnswer& answer,
              std::string_view code = {});

// The file's text without the white space at its end, where it may stand in a header field.
Result<std::string> read_token_file(const std::filesystem::path& file);

// Percent-encoded but for A-Za-z0-9-._~
std::string encoded(std::string_view text);

}  // namespace understudy::proxy::aws
