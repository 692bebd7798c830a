#include "tests/support/certificates.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>

namespace understudy::testing_support {
namespace {

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

template <typename Write>
std::string pem_of(Write write) {
  BIO* memory = BIO_new(BIO_s_mem());
  write(memory);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  return pem;
}

}  // namespace

Identity make_identity(const CertificateFacts& facts) {
  Identity identity;
  X509* const certificate = identity.certificate.get();
  const Identity& issuer = facts.issuer == nullptr ? identity : *facts.issuer;
  static std::atomic<long> serial{0};
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_time_adj_ex(X509_getm_notBefore(certificate), facts.valid_from_day, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(certificate), facts.valid_to_day, 0, nullptr);
  X509_set_pubkey(certificate, identity.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(facts.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
  add_extension(certificate, issuer.certificate.get(), NID_basic_constraints,
                facts.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!facts.alternative_names.empty()) {
    add_extension(certificate, issuer.certificate.get(), NID_subject_alt_name,
                  facts.alternative_names);
  }
  EXPECT_GT(X509_sign(certificate, issuer.key.get(), EVP_sha256()), 0);
  return identity;
}

Identity make_authority(const std::string& name) {
  return make_identity({.name = name, .alternative_names = "", .is_authority = true});
}

std::string certificate_pem(const Identity& identity) {
  return pem_of([&](BIO* memory) { PEM_write_bio_X509(memory, identity.certificate.get()); });
}

std::string key_pem(const Identity& identity) {
  return pem_of([&](BIO* memory) {
    PEM_write_bio_PrivateKey(memory, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace understudy::testing_support
