#pragma once
// Certificates made at test time, so that none can expire.

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace understudy::testing_support {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct Identity {
  std::unique_ptr<EVP_PKEY, FreeKey> key{EVP_EC_gen("P-256")};
  std::unique_ptr<X509, FreeCertificate> certificate{X509_new()};
};

struct CertificateFacts {
  std::string name = "bedrock.test";
  std::string alternative_names = "DNS:bedrock.test";
  int valid_from_day = -1, valid_to_day = 1;
  bool is_authority = false;
  const Identity* issuer = nullptr;  // itself where null
};

Identity make_identity(const CertificateFacts& facts);
Identity make_authority(const std::string& name);

std::string certificate_pem(const Identity& identity);
std::string key_pem(const Identity& identity);

}  // namespace understudy::testing_support
