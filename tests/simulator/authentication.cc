#include "tests/simulator/authentication.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <utility>
#include <vector>

namespace understudy::simulator {
namespace {

using Clock = std::chrono::system_clock;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr auto kAllowedSkew = std::chrono::minutes{5};

std::string hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15u]);
  }
  return out;
}

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string uri_encode(std::string_view text, std::string_view kept_besides_unreserved) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + 16);
  for (const char c : text) {
    const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved || kept_besides_unreserved.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15u]);
    }
  }
  return out;
}

std::string canonical_query(std::string_view query) {
  if (query.empty()) return {};
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string_view part : split(query, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
    pairs.emplace_back(uri_encode(percent_decode(part.substr(0, equals)), ""),
                       uri_encode(percent_decode(value), ""));
  }
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out.push_back('&');
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : trim(value)) {
    if (c == ' ' && !out.empty() && out.back() == ' ') continue;
    out.push_back(c);
  }
  return out;
}

struct Authorization {
  std::string_view key_id, date, region, service, terminator;
  std::string_view signed_headers, signature;
};

std::optional<Authorization> parse_authorization(std::string_view value) {
  value.remove_prefix(std::min(value.size(), kAlgorithm.size()));
  Authorization out;
  for (std::string_view part : split(value, ',')) {
    part = trim(part);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = part.substr(0, equals);
    const std::string_view text = part.substr(equals + 1);
    if (name == "SignedHeaders") out.signed_headers = text;
    if (name == "Signature") out.signature = text;
    if (name != "Credential") continue;
    const auto scope = split(text, '/');
    if (scope.size() != 5) return std::nullopt;
    out.key_id = scope[0], out.date = scope[1], out.region = scope[2], out.service = scope[3],
    out.terminator = scope[4];
  }
  if (out.key_id.empty() || out.signed_headers.empty() || out.signature.empty())
    return std::nullopt;
  return out;
}

std::optional<Clock::time_point> parse_date(std::string_view text) {  // YYYYMMDDTHHMMSSZ
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (std::size_t i = at; i < at + length; ++i) {
      if (text[i] < '0' || text[i] > '9') return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const int year = number(0, 4), month = number(4, 2), day = number(6, 2);
  const int hour = number(9, 2), minute = number(11, 2), second = number(13, 2);
  if (year < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (month < 0 || day < 0 || !date.ok()) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second};
}

std::string format_date(Clock::time_point when) {
  const std::time_t seconds = Clock::to_time_t(when);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), size};
}

ServiceError incomplete(std::string message) {
  return {.status = 403,
          .type = "IncompleteSignatureException",
          .message = std::move(message),
          .from_front_door = true,
          .resource = {}};
}

ServiceError bearer_error(std::string_view message) {
  return {.status = 403,
          .type = "AccessDeniedException",
          .message = std::string{message},
          .from_front_door = true,
          .capital_message = true,
          .resource = {}};
}

// One line per signed header, or nothing when a signed header is absent from the request.
std::optional<std::string> canonical_headers(const Request& request,
                                             const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) {
    // HTTP/2 clients sign the pseudo-header; behind an HTTP/1.1 hop its value stands in Host.
    const std::string_view wire_name = name == ":authority" ? std::string_view{"host"} : name;
    std::string joined;
    bool found = false;
    for (const auto& [key, value] : request.headers) {
      if (!equal_ignoring_case(key, wire_name)) continue;
      if (found) joined.push_back(',');
      joined += canonical_value(value);
      found = true;
    }
    if (!found) return std::nullopt;
    out.append(name).append(":").append(joined).append("\n");
  }
  return out;
}

std::string signature_of(const AccessKey& key, const Authorization& scope, std::string_view date,
                         const std::string& canonical_request) {
  const std::string credential_scope = std::string{scope.date} + "/" + std::string{scope.region} +
                                       "/" + std::string{scope.service} + "/aws4_request";
  const std::string string_to_sign = std::string{kAlgorithm} + "\n" + std::string{date} + "\n" +
                                     credential_scope + "\n" + sha256_hex(canonical_request);
  const std::string signing_key =
      hmac(hmac(hmac(hmac("AWS4" + key.secret, scope.date), scope.region), scope.service),
           "aws4_request");
  return hex(hmac(signing_key, string_to_sign));
}

// Date, region, service: what can be refused without the key.
std::optional<ServiceError> check_scope(const Auth& auth, const Authorization& scope,
                                        std::string_view date, Clock::time_point now) {
  const auto signed_at = parse_date(date);
  if (!signed_at)
    return incomplete("Date must be in ISO-8601 'basic format'. Got '" + std::string{date} + "'.");
  if (scope.terminator != "aws4_request") {
    return invalid_signature(
        "Credential should be scoped with a valid terminator: 'aws4_request'.");
  }
  if (scope.region != auth.region)
    return invalid_signature("Credential should be scoped to a valid region. ");
  const auto& more = auth.more_services;
  if (scope.service != auth.service &&
      std::find(more.begin(), more.end(), scope.service) == more.end()) {
    return invalid_signature("Credential should be scoped to correct service: '" + auth.service +
                             "'. ");
  }
  if (scope.date != date.substr(0, 8)) {
    return invalid_signature(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'" +
        std::string{scope.date} + "' != '" + std::string{date.substr(0, 8)} + "', from '" +
        std::string{date} + "'.");
  }
  if (*signed_at < now - kAllowedSkew) {
    return invalid_signature("Signature expired: " + std::string{date} + " is now earlier than " +
                             format_date(now - kAllowedSkew) + " (" + format_date(now) +
                             " - 5 min.)");
  }
  if (*signed_at > now + kAllowedSkew) {
    return invalid_signature("Signature not yet current: " + std::string{date} +
                             " is still later than " + format_date(now + kAllowedSkew) + " (" +
                             format_date(now) + " + 5 min.)");
  }
  return std::nullopt;
}

std::optional<ServiceError> check_key(const Auth& auth, const Authorization& scope,
                                      std::string_view token, const AccessKey*& key) {
  const auto found = std::find_if(auth.keys.begin(), auth.keys.end(),
                                  [&](const AccessKey& k) { return k.id == scope.key_id; });
  if (found == auth.keys.end()) return unrecognized_client();
  if (found->expired) return expired_token();
  if (token != found->session_token) return unrecognized_client();
  key = &*found;
  return std::nullopt;
}

std::optional<ServiceError> check_signed_names(const std::vector<std::string_view>& names,
                                               bool has_token) {
  const auto is_signed = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!is_signed("host") && !is_signed(":authority")) {
    return invalid_signature(
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (!is_signed("x-amz-date")) {
    return invalid_signature("'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (has_token && !is_signed("x-amz-security-token")) {
    return invalid_signature(
        "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (!std::is_sorted(names.begin(), names.end())) return bad_signature();
  return std::nullopt;
}

std::optional<ServiceError> check_sigv4(const Auth& auth, const Request& request,
                                        std::string_view authorization,
                                        std::string_view body_sha256, Clock::time_point now) {
  const auto scope = parse_authorization(authorization);
  if (!scope) {
    return incomplete(
        "Authorization header requires 'Credential' parameter. Authorization header requires "
        "'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter.");
  }
  const std::string_view date = request.header("x-amz-date");
  if (date.empty()) {
    return incomplete(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  const std::string_view token = request.header("x-amz-security-token");
  const AccessKey* key = nullptr;
  if (auto error = check_key(auth, *scope, token, key)) return error;
  if (auto error = check_scope(auth, *scope, date, now)) return error;
  const auto names = split(scope->signed_headers, ';');
  if (auto error = check_signed_names(names, !token.empty())) return error;

  const std::string_view declared = request.header("x-amz-content-sha256");
  if (!declared.empty() && declared != body_sha256) return bad_signature();
  const auto headers = canonical_headers(request, names);
  if (!headers) return bad_signature();
  // The path as it came, encoded once more: what was %3A on the wire is %253A here.
  const std::string canonical_request = request.method + "\n" + uri_encode(request.path(), "/") +
                                        "\n" + canonical_query(request.query()) + "\n" + *headers +
                                        "\n" + std::string{scope->signed_headers} + "\n" +
                                        std::string{body_sha256};
  if (!equal_in_constant_time(signature_of(*key, *scope, date, canonical_request),
                              scope->signature)) {
    return bad_signature();
  }
  return std::nullopt;
}

std::optional<ServiceError> check_bearer(const Auth& auth, std::string_view token) {
  const auto holds = [&](const std::vector<std::string>& list) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& known) {
      return equal_in_constant_time(known, token);
    });
  };
  if (holds(auth.bearer_tokens)) return std::nullopt;
  if (holds(auth.expired_bearer_tokens)) return bearer_error("Bearer Token has expired");
  if (!token.starts_with("bedrock-api-key-") && !token.starts_with("ABSK")) {
    return bearer_error("Invalid API Key format: Must start with pre-defined prefix");
  }
  return bearer_error("Authentication failed: Please make sure your API Key is valid.");
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex({reinterpret_cast<const char*>(digest.data()), size});
}

std::optional<ServiceError> authenticate(const Auth& auth, const Request& request,
                                         std::string_view body_sha256, Clock::time_point now) {
  if (auth.mode == AuthMode::none) return std::nullopt;
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view authorization = request.header("authorization");
  const bool bearer = authorization.size() > kBearer.size() &&
                      equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer);
  if (bearer && auth.mode != AuthMode::sigv4)
    return check_bearer(auth, trim(authorization.substr(kBearer.size())));
  const std::string_view api_key = request.header("x-api-key");
  if (authorization.empty() && !api_key.empty() && auth.mode != AuthMode::sigv4 &&
      wire_of(parse_operation(request.method, request.path()).operation) != Wire::bedrock) {
    return check_bearer(auth, api_key);
  }
  if (authorization.starts_with(kAlgorithm) && auth.mode != AuthMode::bearer) {
    return check_sigv4(auth, request, authorization, body_sha256, now);
  }
  return ServiceError{.status = 403,
                      .type = "MissingAuthenticationTokenException",
                      .message = "Missing Authentication Token",
                      .from_front_door = true,
                      .resource = {}};
}

}  // namespace understudy::simulator
