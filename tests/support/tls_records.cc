#include "tests/support/tls_records.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <memory>

namespace understudy::testing_support {
namespace {

int secret_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// "LABEL client-random secret", the latter in hexadecimal digits.
void keep_client_secret(const SSL* session, const char* line) {
  const std::string_view said = line;
  if (!said.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) return;
  auto& secret =
      *static_cast<std::string*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), secret_index()));
  secret.clear();
  for (std::size_t at = said.rfind(' ') + 1; at + 1 < said.size(); at += 2)
    secret.push_back(static_cast<char>(std::stoi(std::string{said.substr(at, 2)}, nullptr, 16)));
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// HKDF-Expand-Label without a context (RFC 8446 7.1), of at most one block of SHA-256.
std::string expand_label(std::string_view secret, std::string_view label, std::size_t size) {
  const std::string full = "tls13 " + std::string{label};
  const std::string info = std::string{'\0', static_cast<char>(size)} +
                           static_cast<char>(full.size()) + full + '\0' + '\x01';
  std::array<unsigned char, 32> block;
  unsigned made = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(info), info.size(),
       block.data(), &made);
  return {reinterpret_cast<const char*>(block.data()), size};
}

// AES-128-GCM; the tag comes last.
std::string seal(std::string_view key, std::string_view nonce, std::string_view head,
                 std::string_view plain) {
  constexpr int kTagBytes = 16;
  struct Free {
    void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
  };
  const std::unique_ptr<EVP_CIPHER_CTX, Free> cipher(EVP_CIPHER_CTX_new());
  std::string sealed(plain.size() + kTagBytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(sealed.data());
  int size = 0;
  const bool done =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, bytes_of(key),
                         bytes_of(nonce)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(head),
                        static_cast<int>(head.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), out, &size, bytes_of(plain),
                        static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), out + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, out + plain.size()) == 1;
  EXPECT_TRUE(done);
  return sealed;
}

}  // namespace

void tell_client_secret(SSL_CTX* context, std::string& secret) {
  EXPECT_EQ(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"), 1);
  SSL_CTX_set_ex_data(context, secret_index(), &secret);
  SSL_CTX_set_keylog_callback(context, keep_client_secret);
}

// RFC 8446 5.2 and 5.3.
std::string HandmadeRecords::next(Type type, std::string_view content) {
  constexpr std::size_t kTypeAndTag = 17;
  const std::size_t size = content.size() + kTypeAndTag;
  const std::string head{static_cast<char>(Type::application), 3, 3, static_cast<char>(size >> 8),
                         static_cast<char>(size & 0xff)};
  std::string nonce = expand_label(secret_, "iv", 12);
  for (std::size_t i = 0; i < 8; ++i)
    nonce[11 - i] = static_cast<char>(nonce[11 - i] ^ static_cast<char>(number_ >> (8 * i)));
  ++number_;
  return head + seal(expand_label(secret_, "key", 16), nonce, head,
                     std::string{content} + static_cast<char>(type));
}

void HandmadeRecords::update_key() {
  secret_ = expand_label(secret_, "traffic upd", 32);
  number_ = 0;
}

}  // namespace understudy::testing_support
