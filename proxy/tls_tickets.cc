#include "proxy/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

namespace understudy::proxy {
namespace {

using Clock = std::chrono::steady_clock;

struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> sealing;    // AES-256-CBC
  std::array<unsigned char, 32> integrity;  // HMAC-SHA256

  static std::optional<TicketKey> make() {
    TicketKey key;
    const bool random =
        RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
        RAND_priv_bytes(key.sealing.data(), static_cast<int>(key.sealing.size())) == 1 &&
        RAND_priv_bytes(key.integrity.data(), static_cast<int>(key.integrity.size())) == 1;
    return random ? std::optional(key) : std::nullopt;
  }
  bool is_called(const unsigned char* other) const {
    return std::equal(name.begin(), name.end(), other);
  }
};

class TicketKeys {
 public:
  // None where the system has no random numbers to give.
  std::optional<TicketKey> current() {
    const std::lock_guard lock(mutex_);
    if (!current_ || Clock::now() >= renew_at_) {
      auto made = TicketKey::make();
      if (!made) return std::nullopt;
      previous_ = current_;
      current_ = made;
      renew_at_ = Clock::now() + kTicketKeyLife;
    }
    return current_;
  }

  struct Found {
    TicketKey key;
    bool is_old;
  };
  std::optional<Found> named(const unsigned char* name) {
    (void)current();  // an idle hour may have made the old ones too old
    const std::lock_guard lock(mutex_);
    if (current_ && current_->is_called(name)) return Found{*current_, false};
    if (previous_ && previous_->is_called(name)) return Found{*previous_, true};
    return std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::optional<TicketKey> current_, previous_;
  Clock::time_point renew_at_;
};

// Of the process: contexts come and go with configs.
TicketKeys& ticket_keys() {
  static TicketKeys keys;
  return keys;
}

bool set_integrity_key(EVP_MAC_CTX* mac, TicketKey& key) {
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.integrity.data(),
                                        key.integrity.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

// Fetched once: EVP_aes_256_cbc() is looked up among the providers anew at each use.
const EVP_CIPHER* sealing_cipher() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  return fetched;
}

int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  auto key = ticket_keys().current();
  if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(sealing_cipher())) != 1) return -1;
  std::copy(key->name.begin(), key->name.end(), name);
  const bool ready =
      EVP_EncryptInit_ex2(cipher, sealing_cipher(), key->sealing.data(), iv, nullptr) == 1 &&
      set_integrity_key(mac, *key);
  return ready ? 1 : -1;
}

int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
         EVP_MAC_CTX* mac) {
  auto found = ticket_keys().named(name);
  if (!found) return 0;  // not ours, or too old: a full handshake
  const bool ready =
      set_integrity_key(mac, found->key) &&
      EVP_DecryptInit_ex2(cipher, sealing_cipher(), found->key.sealing.data(), iv, nullptr) == 1;
  if (!ready) return -1;
  return found->is_old ? 2 : 1;  // 2: good, and the client gets a new one
}

int on_ticket(SSL*, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int sealing) {
  return sealing != 0 ? seal(name, iv, cipher, mac) : open(name, iv, cipher, mac);
}

}  // namespace

void use_ticket_keys(ssl_ctx_st* context) noexcept {
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

}  // namespace understudy::proxy
