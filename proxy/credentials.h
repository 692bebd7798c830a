#pragma once
// Credentials as values. How they are found is the concern of proxy/aws/plan.h, how they are
// fetched and renewed that of proxy/aws/keeper.h.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/error.h"

namespace understudy::proxy {

// Text that must not leave the process but in a header that authorizes. Has no operator<<, on
// purpose.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string text_;
};

struct AwsKeys {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;  // may be empty
  friend bool operator==(const AwsKeys&, const AwsKeys&) = default;
};

using WallTime = std::chrono::system_clock::time_point;

struct Credentials {
  enum class Kind : std::uint8_t { sigv4, bearer, forward_bearer, none };
  Kind kind = Kind::none;
  AwsKeys keys{};                     // sigv4
  Secret token{};                     // bearer
  std::optional<WallTime> expires{};  // none: they last
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// Checks what came from outside: the parts stand in header fields later. `origin` ("profile prod
// of ~/.aws/config") is for the error, which contains no secret.
Result<Credentials> make_keys(std::string id, std::string secret, std::string session_token,
                              const std::string& origin);
Result<Credentials> make_bearer(std::string token, const std::string& origin);

// When a short-term Bedrock API key ends, as it says itself: behind "bedrock-api-key-" stands, in
// base64, a presigned query. None for long-term keys and what cannot be read.
std::optional<WallTime> bearer_expiry(std::string_view token);

Error credentials_error(std::string context);

// `environment` looks a variable up (std::getenv in production, a map in tests).
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
Environment process_environment();
// Empty where it is not set: a variable that is set to nothing counts as not set, as in the SDKs.
std::string variable(const Environment& environment, std::string_view name);

}  // namespace understudy::proxy
