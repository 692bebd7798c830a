#pragma once
// Where an upstream's credentials come from. Sources of this version: environment, shared config
// and credentials files, keys or a token in the config, the client's own bearer token, none.
// Loading reads files: main thread, when a config is loaded. What was loaded is immutable and
// shared.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/error.h"
#include "routing/config.h"

namespace understudy::proxy {

// Text that must not leave the process but in an Authorization header. Has no operator<<, on
// purpose.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

 private:
  std::string text_;
};

struct AwsKeys {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;  // may be empty
};

struct Credentials {
  enum class Kind : std::uint8_t { sigv4, bearer, forward_bearer, none };
  Kind kind = Kind::none;
  AwsKeys keys;        // sigv4
  Secret token;        // bearer
  std::string origin;  // "environment", "profile prod", ... for people
};

// `environment` looks a variable up (std::getenv in production, a map in tests).
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
Environment process_environment();

// The error names what was looked at and what to do; it contains no secret.
Result<std::shared_ptr<const Credentials>> load_credentials(
    const routing::CredentialsConfig& config, const Environment& environment);

}  // namespace understudy::proxy
