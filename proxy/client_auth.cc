#include "proxy/client_auth.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proxy/digest.h"
#include "proxy/read_file.h"
#include "proxy/stream_auth.h"
#include "routing/fields.h"

namespace understudy::proxy {
namespace {

using routing::equals_ignoring_case;
using routing::Field;
using std::chrono::system_clock;

constexpr std::string_view kScheme = "AWS4-HMAC-SHA256";
constexpr std::size_t kMaxSignedHeaders = 100;

constexpr HeadProblem kNoCredentials{403, "no_credentials", "Missing Authentication Token",
                                     "MissingAuthenticationTokenException"};
constexpr HeadProblem kBadApiKey{403, "api_key",
                                 "Authentication failed: Please make sure your API Key is valid.",
                                 "AccessDeniedException"};
constexpr HeadProblem kBadCertificate{403, "certificate",
                                      "The client certificate's name may not use this listener.",
                                      "AccessDeniedException"};
constexpr HeadProblem kUnknownAccessKey{403, "access_key",
                                        "The security token included in the request is invalid.",
                                        "UnrecognizedClientException"};
constexpr HeadProblem kIncomplete{
    403, "signature",
    "The Authorization header must name Credential, SignedHeaders (with host and x-amz-date) and "
    "Signature, and x-amz-date must be the credential's day.",
    "IncompleteSignatureException"};
constexpr HeadProblem kBadSignature{
    403, "signature",
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.",
    "InvalidSignatureException"};
constexpr HeadProblem kBadClock{
    403, "clock_skew",
    "Signature expired or not yet current: x-amz-date is too far from the time of the proxy.",
    "InvalidSignatureException"};

ClientAuth::Verdict refused(const HeadProblem& problem) {
  return {.refusal = problem, .caller = {}, .signed_with = nullptr};
}

bool is_signature(std::string_view authorization) {
  return equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme);
}

// The key that a client brings, as Bedrock takes it; empty where it brings none.
std::string_view api_key_of(const RequestHead& head) {
  constexpr std::string_view kBearer = "bearer ";
  if (equals_ignoring_case(head.authorization.substr(0, kBearer.size()), kBearer)) {
    std::string_view key = head.authorization.substr(kBearer.size());
    while (!key.empty() && key.front() == ' ') key.remove_prefix(1);
    return key;
  }
  return head.api_key;
}

std::string_view part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view first = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return first;
}

// What an Authorization header of the scheme claims.
struct Claim {
  std::string_view access_key_id, day, region, service;
  std::string_view signed_headers, signature;
};

std::optional<Claim> parse_claim(std::string_view authorization) {
  Claim claim;
  std::string_view rest = authorization.substr(kScheme.size());
  while (!rest.empty()) {
    std::string_view item = part(rest, ',');
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    const std::string_view name = part(item, '=');
    if (name == "SignedHeaders") claim.signed_headers = item;
    if (name == "Signature") claim.signature = item;
    if (name != "Credential") continue;
    claim.access_key_id = part(item, '/');
    claim.day = part(item, '/');
    claim.region = part(item, '/');
    claim.service = part(item, '/');
    if (item != "aws4_request") return std::nullopt;
  }
  const bool whole = !claim.access_key_id.empty() && !claim.region.empty() &&
                     !claim.service.empty() && !claim.signed_headers.empty() &&
                     claim.signature.size() == 64 && claim.day.size() == 8;
  return whole ? std::optional(claim) : std::nullopt;
}

bool names(std::string_view signed_headers, std::string_view wanted) {
  while (!signed_headers.empty()) {
    if (part(signed_headers, ';') == wanted) return true;
  }
  return false;
}

// "20260131T235959Z"
std::optional<system_clock::time_point> parse_stamp(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) {
    unsigned value = 0;
    const char* const end = text.data() + at + size;
    const auto [stopped, error] = std::from_chars(text.data() + at, end, value);
    return error == std::errc{} && stopped == end ? std::optional(value) : std::nullopt;
  };
  const auto year = number(0, 4), month = number(4, 2), day = number(6, 2);
  const auto hour = number(9, 2), minute = number(11, 2), second = number(13, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                         std::chrono::month{*month}, std::chrono::day{*day}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         std::chrono::seconds{*second};
}

// The fields that a signature covers, in its order, each with the bytes that came.
class SignedFields {
 public:
  explicit SignedFields(const RequestHead& head) : head_(head) {}

  // False where one of them did not come.
  bool collect(std::string_view signed_headers) {
    while (!signed_headers.empty()) {
      if (fields_.size() >= kMaxSignedHeaders || !add(part(signed_headers, ';'))) return false;
    }
    return true;
  }
  std::span<const Field> fields() const { return fields_; }

 private:
  bool add(std::string_view name) {
    const std::size_t before = fields_.size();
    if (name == "host" || name == ":authority") {
      fields_.push_back({name, head_.host});
    } else if (name == "content-length") {
      char* const end = length_.data() + length_.size();
      char* const stop = std::to_chars(length_.data(), end, head_.content_length).ptr;
      fields_.push_back({name, {length_.data(), static_cast<std::size_t>(stop - length_.data())}});
    } else if (name == "x-api-key") {
      fields_.push_back({name, head_.api_key});
    } else if (name == "x-understudy-family") {
      fields_.push_back({name, head_.family});
    } else {
      for (const auto& all : {std::span<const Field>(head_.fields), std::span(head_.ended)}) {
        for (const Field& field : all) {
          if (equals_ignoring_case(field.name, name)) fields_.push_back({name, field.value});
        }
      }
    }
    return fields_.size() > before;
  }

  const RequestHead& head_;
  std::vector<Field> fields_;
  std::array<char, 20> length_{};
};

// Whether `claim` is what the key's holder makes of the request and that payload.
bool is_signature_of(const AccessKey& key, const Claim& claim, const RequestHead& head,
                     std::string_view payload, Signer& verifier) {
  const auto told = routing::find_field(head.ended, "x-amz-content-sha256");
  if (told && *told != payload) return false;
  SignedFields fields(head);
  if (!fields.collect(claim.signed_headers)) return false;
  const std::string wanted =
      verifier.signature_of({.method = head.method,
                             .target = head.target,
                             .fields = fields.fields(),
                             .signed_names = claim.signed_headers,
                             .payload_hash = payload,
                             .stamp = routing::find_field(head.ended, "x-amz-date").value_or(""),
                             .region = claim.region,
                             .service = claim.service},
                            key.secret);
  return equal_in_constant_time(wanted, claim.signature);
}

// Reads a file of keys; the problems get the file's name.
template <typename Keys>
std::optional<Keys> load_keys(const std::string& file, const std::string& key,
                              std::vector<std::string>& problems) {
  const auto text = read_file(file, kMaxClientKeysBytes);
  if (!text) {
    problems.push_back(key + ": cannot read " + file + " (or it is larger than 4 MiB)");
    return std::nullopt;
  }
  std::vector<std::string> found;
  Keys keys = Keys::parse(*text, found);
  for (const std::string& problem : found) problems.push_back(key + ": " + file + ": " + problem);
  return keys;
}

}  // namespace

ClientAuth::Loaded ClientAuth::load(const routing::ListenerConfig& listener) {
  const routing::ClientsConfig& clients = listener.clients;
  const bool shows_certificates = listener.tls && !listener.tls->client_ca.empty();
  Loaded loaded;
  if (!clients.any() && !shows_certificates) return loaded;
  auto auth = std::make_shared<ClientAuth>();
  if (!clients.api_keys_file.empty())
    auth->api_keys_ =
        load_keys<ApiKeys>(clients.api_keys_file, "clients.api_keys_file", loaded.problems);
  if (!clients.sigv4_keys_file.empty())
    auth->access_keys_ =
        load_keys<AccessKeys>(clients.sigv4_keys_file, "clients.sigv4.keys_file", loaded.problems);
  for (const std::string& name : clients.certificate_names)
    auth->certificate_names_.emplace_back(name);
  auth->by_certificate_alone_ = !clients.any();
  auth->max_skew_ = clients.sigv4_max_skew;
  if (loaded.problems.empty()) loaded.auth = std::move(auth);
  return loaded;
}

ClientAuth::Verdict ClientAuth::judge_head(const RequestHead& head,
                                           std::span<const std::string> names, Signer& verifier,
                                           system_clock::time_point now) const {
  if (const auto caller = caller_by_certificate(names); !caller.empty())
    return {.refusal = {}, .caller = caller, .signed_with = nullptr};
  const std::string_view api_key = api_key_of(head);
  if (access_keys_ && is_signature(head.authorization)) return judge_claim(head, now);
  if (api_keys_ && !api_key.empty()) return judge_api_key(api_key, verifier);
  const bool only_certificates = !access_keys_ && !api_keys_;
  return refused(only_certificates ? kBadCertificate : kNoCredentials);
}

std::string_view ClientAuth::caller_by_certificate(
    std::span<const std::string> names) const noexcept {
  if (by_certificate_alone_ && !names.empty()) return names.front();
  for (const std::string& name : names) {
    const auto matches = [&](const routing::Glob& glob) { return glob.matches(name); };
    if (std::any_of(certificate_names_.begin(), certificate_names_.end(), matches)) return name;
  }
  return {};
}

ClientAuth::Verdict ClientAuth::judge_api_key(std::string_view key, Signer& verifier) const {
  const std::string_view owner = api_keys_->owner_of(verifier.hash(key));
  if (owner.empty()) return refused(kBadApiKey);
  return {.refusal = {}, .caller = owner, .signed_with = nullptr};
}

// What the head alone tells of a signature: a stranger's body is not worth reading.
ClientAuth::Verdict ClientAuth::judge_claim(const RequestHead& head,
                                            system_clock::time_point now) const {
  const auto claim = parse_claim(head.authorization);
  if (!claim) return refused(kIncomplete);
  const AccessKey* key = access_keys_->find(claim->access_key_id);
  if (key == nullptr) return refused(kUnknownAccessKey);
  const std::string_view stamp = routing::find_field(head.ended, "x-amz-date").value_or("");
  const auto signed_at = parse_stamp(stamp);
  const bool covers_host =
      names(claim->signed_headers, "host") || names(claim->signed_headers, ":authority");
  if (!signed_at || stamp.substr(0, 8) != claim->day || !covers_host ||
      !names(claim->signed_headers, "x-amz-date"))
    return refused(kIncomplete);
  const auto apart = now > *signed_at ? now - *signed_at : *signed_at - now;
  if (apart > max_skew_) return refused(kBadClock);
  return {.refusal = {}, .caller = key->id, .signed_with = key};
}

std::optional<HeadProblem> ClientAuth::judge_signature(const AccessKey& key,
                                                       const RequestHead& head,
                                                       const Sha256& body_hash, Signer& verifier) {
  const auto claim = parse_claim(head.authorization);
  if (!claim) return kIncomplete;
  if (!is_signature_of(key, *claim, head, hex(body_hash), verifier)) return kBadSignature;
  return std::nullopt;
}

std::optional<HeadProblem> check_stream(const ClientAuth& auth, const RequestHead& head,
                                        std::span<const std::string> names, Signer& verifier,
                                        std::optional<EventChainSeed>& seed) {
  const auto verdict = auth.judge_head(head, names, verifier, system_clock::now());
  if (verdict.refusal || verdict.signed_with == nullptr) return verdict.refusal;
  const auto claim = parse_claim(head.authorization);
  if (!claim) return kIncomplete;
  const AccessKey& key = *verdict.signed_with;
  // The SDK for Rust signs such a head as if an empty body came with it; the events have signatures
  // of their own either way, which go on from this one.
  if (!is_signature_of(key, *claim, head, kStreamedPayload, verifier) &&
      !is_signature_of(key, *claim, head, hex(verifier.hash("")), verifier))
    return kBadSignature;
  seed = EventChainSeed{.secret = key.secret,
                        .region = std::string{claim->region},
                        .service = std::string{claim->service},
                        .signature = std::string{claim->signature}};
  return std::nullopt;
}

}  // namespace understudy::proxy
