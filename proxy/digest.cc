#include "proxy/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdexcept>
#include <utility>

namespace understudy::proxy {

Sha256 sha256(std::string_view text) {
  Sha256 digest;
  std::size_t size = 0;
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), digest.data(), &size) != 1)
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view text) {
  Sha256 digest;
  unsigned size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(),
           digest.data(), &size) == nullptr)
    throw std::runtime_error("OpenSSL cannot compute HMAC-SHA256");
  return digest;
}

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
  return hex(hmac_sha256(key, text));
}

Sha256 sigv4_key(const Secret& secret, std::string_view day, std::string_view region,
                 std::string_view service) {
  const auto text_of = [](const Sha256& key) {
    return std::string_view{reinterpret_cast<const char*>(key.data()), key.size()};
  };
  std::string first = "AWS4" + secret.reveal();
  Sha256 key = hmac_sha256(first, day);
  OPENSSL_cleanse(first.data(), first.size());
  for (const std::string_view part : {region, service, std::string_view("aws4_request")}) {
    Sha256 before = std::exchange(key, hmac_sha256(text_of(key), part));
    OPENSSL_cleanse(before.data(), before.size());
  }
  return key;
}

std::string hex(const Sha256& digest) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace understudy::proxy
