#include "proxy/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "proxy/field_text.h"
#include "proxy/http_head.h"
#include "proxy/sigv4_canonical.h"
#include "proxy/sigv4_stamp.h"

namespace understudy::proxy {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kDateField = "x-amz-date";
constexpr std::string_view kTokenField = "x-amz-security-token";
constexpr std::string_view kAuthorizationField = "authorization";
constexpr std::size_t kBlockBytes = 64;  // of SHA-256, for HMAC (RFC 2104)

// OpenSSL's digests fail only when memory is gone or the library has no SHA-256.
void check(int outcome) {
  if (outcome != 1) throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

// Looked up once per process and kept to its end: a look-up by name costs more than a small hash.
const EVP_MD* sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest;
}

class DigestContext {
 public:
  DigestContext() : context_(EVP_MD_CTX_new()) {
    if (!context_) throw std::bad_alloc();
    start();
  }
  void start() { check(EVP_DigestInit_ex2(context_.get(), sha256(), nullptr)); }
  void copy_from(const DigestContext& other) {
    check(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()));
  }
  void update(const void* data, std::size_t size) {
    check(EVP_DigestUpdate(context_.get(), data, size));
  }
  void update(std::string_view data) { update(data.data(), data.size()); }
  Sha256 finish() {
    Sha256 hash;
    check(EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr));
    return hash;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// HMAC-SHA256 with the key already hashed in: a message costs two copies and its own blocks.
class Hmac {
 public:
  void set_key(std::string_view key) {
    std::array<unsigned char, kBlockBytes> block{};
    if (key.size() > block.size()) {
      inner_.start();
      inner_.update(key);
      Sha256 hashed = inner_.finish();
      std::copy(hashed.begin(), hashed.end(), block.begin());
      OPENSSL_cleanse(hashed.data(), hashed.size());
    } else {
      std::copy(key.begin(), key.end(), block.begin());
    }
    prepare(inner_, block, 0x36);
    prepare(outer_, block, 0x36 ^ 0x5c);
    OPENSSL_cleanse(block.data(), block.size());
  }

  Sha256 of(std::string_view message, DigestContext& scratch) const {
    scratch.copy_from(inner_);
    scratch.update(message);
    const Sha256 inner = scratch.finish();
    scratch.copy_from(outer_);
    scratch.update(inner.data(), inner.size());
    return scratch.finish();
  }

 private:
  static void prepare(DigestContext& context, std::array<unsigned char, kBlockBytes>& block,
                      unsigned char mask) {
    for (unsigned char& byte : block) byte = static_cast<unsigned char>(byte ^ mask);
    context.start();
    context.update(block.data(), block.size());
  }

  DigestContext inner_, outer_;
};

std::string_view as_text(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// Both digits of a byte at once.
constexpr auto kHex = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte)
    table[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
  return table;
}();

void append_hex(const Sha256& hash, std::string& out) {
  std::array<char, 2 * std::tuple_size_v<Sha256>> text;
  for (std::size_t i = 0; i < hash.size(); ++i)
    std::memcpy(text.data() + 2 * i, kHex[hash[i]].data(), 2);
  out.append(text.data(), text.size());
}

// The key of one day, region and service, and the names it was derived from.
struct SigningKey {
  std::string secret, day, region, service;
  Hmac hmac;

  ~SigningKey() { forget(); }
  bool is_for(std::string_view of_secret, std::string_view of_day, std::string_view of_region,
              std::string_view of_service) const {
    return day == of_day && secret == of_secret && region == of_region && service == of_service;
  }
  void forget() { OPENSSL_cleanse(secret.data(), secret.size()); }
};

}  // namespace

struct Signer::Impl {
  struct SignedField {
    std::size_t name_at, name_size;  // in `names`
    std::string_view value;
  };

  DigestContext context;
  // One slot for each pair of credentials and region that a config can reasonably hold; the oldest
  // one goes.
  std::array<SigningKey, 8> keys;
  std::size_t oldest_key = 0;
  // Memory of the last signature, reused by the next.
  std::string names, signed_names, scope, canonical, to_sign;
  std::vector<SignedField> fields;
  std::vector<QueryPair> query;

  std::string_view name(const SignedField& field) const {
    return std::string_view(names).substr(field.name_at, field.name_size);
  }

  void add_field(std::string_view field_name, std::string_view value) {
    fields.push_back({names.size(), field_name.size(), value});
    for (const char c : field_name) {
      names.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    const std::string_view added = name(fields.back());
    // An earlier signature's fields are replaced, not signed.
    if (added == kDateField || added == kTokenField || added == kAuthorizationField) {
      fields.pop_back();
    }
  }

  void collect_fields(const SigningInput& input, std::string_view date, std::string_view token) {
    names.clear();
    fields.clear();
    for (const routing::Field& field : input.fields) add_field(field.name, field.value);
    const auto add_own = [this](std::string_view own, std::string_view value) {
      fields.push_back({names.size(), own.size(), value});
      names.append(own);
    };
    add_own(kDateField, date);
    if (!token.empty()) add_own(kTokenField, token);
    // Fields of one name keep their order; `name_at` grows with it.
    std::sort(fields.begin(), fields.end(), [this](const SignedField& a, const SignedField& b) {
      const int order = name(a).compare(name(b));
      return order != 0 ? order < 0 : a.name_at < b.name_at;
    });
  }

  void append_canonical_fields() {
    signed_names.clear();
    std::string_view previous;
    for (const SignedField& field : fields) {
      const std::string_view current = name(field);
      if (current == previous && !signed_names.empty()) {
        canonical.back() = ',';  // instead of the line's end
      } else {
        if (!signed_names.empty()) signed_names.push_back(';');
        signed_names.append(current);
        canonical.append(current).push_back(':');
      }
      append_canonical_value(field.value, canonical);
      canonical.push_back('\n');
      previous = current;
    }
  }

  void begin_canonical(std::string_view method, std::string_view target) {
    const std::size_t mark = std::min(target.find('?'), target.size());
    const std::string_view query_text = target.substr(std::min(mark + 1, target.size()));
    canonical.assign(method).push_back('\n');
    append_canonical_path(target.substr(0, mark), canonical);
    canonical.push_back('\n');
    append_canonical_query(query_text, query, canonical);
    canonical.push_back('\n');
  }

  Sha256 canonical_request_hash(const SigningInput& input) {
    begin_canonical(input.method, input.target);
    append_canonical_fields();
    canonical.append("\n").append(signed_names).append("\n");
    append_hex(input.body_hash, canonical);
    return hash(canonical);
  }

  Sha256 canonical_request_hash(const SignedRequest& request) {
    begin_canonical(request.method, request.target);
    std::string_view previous;
    for (const routing::Field& field : request.fields) {
      if (field.name == previous) {
        canonical.back() = ',';  // instead of the line's end
      } else {
        canonical.append(field.name).push_back(':');
      }
      append_canonical_value(field.value, canonical);
      canonical.push_back('\n');
      previous = field.name;
    }
    canonical.append("\n").append(request.signed_names).append("\n");
    canonical.append(request.payload_hash);
    return hash(canonical);
  }

  // Over the stamp, the scope and the canonical request's hash.
  Sha256 sign(std::string_view stamp, std::string_view region, std::string_view service,
              const Sha256& request_hash, std::string_view secret) {
    const std::string_view day = stamp.substr(0, Stamp::kDayChars);
    scope.assign(day).append("/").append(region).append("/").append(service);
    scope.append("/aws4_request");
    to_sign.assign(kAlgorithm).append("\n").append(stamp).append("\n");
    to_sign.append(scope).append("\n");
    append_hex(request_hash, to_sign);
    return signing_key(secret, day, region, service).hmac.of(to_sign, context);
  }

  Sha256 hash(std::string_view text) {
    context.start();
    context.update(text);
    return context.finish();
  }

  const SigningKey& signing_key(std::string_view secret, std::string_view day,
                                std::string_view region, std::string_view service) {
    for (const SigningKey& key : keys) {
      if (key.is_for(secret, day, region, service)) return key;
    }
    SigningKey& key = keys[oldest_key];
    oldest_key = (oldest_key + 1) % keys.size();
    key.forget();
    // Incomplete until derived: a failure on the way must not leave a slot that looks like a match.
    key.day.clear();
    std::string first("AWS4");
    first.append(secret);
    key.hmac.set_key(first);
    OPENSSL_cleanse(first.data(), first.size());
    for (const std::string_view part : {day, region, service, std::string_view("aws4_request")}) {
      Sha256 derived = key.hmac.of(part, context);
      key.hmac.set_key(as_text(derived));
      OPENSSL_cleanse(derived.data(), derived.size());
    }
    key.secret = secret;
    key.region = region;
    key.service = service;
    key.day = day;
    return key;
  }
};

Signer::Signer() : impl_(std::make_unique<Impl>()) {}
Signer::~Signer() = default;

Sha256 Signer::hash(std::string_view body) {
  return impl_->hash(body);
}

void Signer::sign(const SigningInput& input, const AwsKeys& keys, std::string_view region,
                  std::string_view service, std::string& head) {
  Impl& my = *impl_;
  const Stamp stamp(input.now);
  const std::string_view token = keys.session_token.reveal();
  my.collect_fields(input, stamp.text(), token);
  const Sha256 request_hash = my.canonical_request_hash(input);

  const Sha256 signature =
      my.sign(stamp.text(), region, service, request_hash, keys.secret_access_key.reveal());

  append_field(head, kDateField, stamp.text());
  if (!token.empty()) append_field(head, kTokenField, token);
  const std::size_t line = head.size();
  head.append(kAuthorizationField).append(": ").append(kAlgorithm).append(" Credential=");
  head.append(keys.access_key_id).append("/").append(my.scope);
  head.append(", SignedHeaders=").append(my.signed_names).append(", Signature=");
  append_hex(signature, head);
  // As append_field() would have it.
  if (is_field_value(std::string_view{head}.substr(line))) {
    head.append("\r\n");
  } else {
    head.resize(line);
  }
}

std::string Signer::signature_of(const SignedRequest& request, const Secret& secret) {
  std::string signature;
  append_hex(impl_->sign(request.stamp, request.region, request.service,
                         impl_->canonical_request_hash(request), secret.reveal()),
             signature);
  return signature;
}

}  // namespace understudy::proxy
