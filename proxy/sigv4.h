#pragma once
// AWS Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), as
// Bedrock wants it: service "bedrock", the path exactly as sent percent-encoded once more, query
// pairs sorted. A Signer belongs to one thread: it keeps hashing contexts and the signing key of
// the day. Signing allocates nothing but what the caller's string needs, and looks nothing up by
// name: it is on the path of every request.

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "routing/fields.h"

namespace understudy::proxy {

using Sha256 = std::array<unsigned char, 32>;

struct SigningInput {
  std::string_view method;
  std::string_view target;  // path and query exactly as sent to the upstream, path prefix included
  std::span<const routing::Field> fields;  // to be signed besides x-amz-date and the token: host,
                                           // content-type, x-amz*; in any order and case
  Sha256 body_hash{};
  std::chrono::system_clock::time_point now;
};

// A request as its client signed it, to be signed once more and compared.
struct SignedRequest {
  std::string_view method;
  std::string_view target;                 // as it came
  std::span<const routing::Field> fields;  // in the order of `signed_names`, which they bear; those
                                           // of one name behind each other
  std::string_view signed_names;           // with ';' between them
  std::string_view payload_hash;           // in hex, or what the service takes in its place
  std::string_view stamp;                  // x-amz-date, whose day is that of the scope
  std::string_view region, service;
};

class Signer {
 public:
  Signer();
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  Sha256 hash(std::string_view body);

  // Appends "x-amz-date: ...\r\n", "x-amz-security-token: ...\r\n" where there is a token, and
  // "authorization: ...\r\n". `keys`, `region` and `service` must be the same objects' values from
  // call to call for the cached key to be used.
  void sign(const SigningInput& input, const AwsKeys& keys, std::string_view region,
            std::string_view service, std::string& head);

  // The signature, in hex, that the holder of `secret` gives to the request.
  std::string signature_of(const SignedRequest& request, const Secret& secret);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace understudy::proxy
