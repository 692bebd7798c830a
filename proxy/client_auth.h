#pragma once
// Who may use a listener: by the name in a client certificate, by an API key (a bearer token or
// x-api-key, so that clients of Bedrock API keys need no change), or by the client's own AWS
// signature. Any of the ways that the config names suffices. Refusals have the words and types of
// Bedrock's own (com.amazon.coral.service).

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/client_keys.h"
#include "proxy/http_head.h"
#include "proxy/sigv4.h"
#include "routing/config.h"
#include "routing/glob.h"

namespace understudy::proxy {

// What a listener knows of its clients: made when a config is loaded, immutable, any thread.
class ClientAuth {
 public:
  // A problem names the key below the listener's and what is wrong with its file.
  struct Loaded {
    std::shared_ptr<const ClientAuth> auth;  // null where nobody is asked, or there are problems
    std::vector<std::string> problems;
  };
  static Loaded load(const routing::ListenerConfig& listener);

  struct Verdict {
    std::optional<HeadProblem> refusal;
    std::string_view caller;  // views this object or the names
    // Set where the client signed: the signature can be checked only when the body is there.
    const AccessKey* signed_with = nullptr;
  };
  // `names`: of the client's verified certificate.
  Verdict judge_head(const RequestHead& head, std::span<const std::string> names, Signer& verifier,
                     std::chrono::system_clock::time_point now) const;
  // None where the signature is that key's, over this request and body.
  static std::optional<HeadProblem> judge_signature(const AccessKey& key, const RequestHead& head,
                                                    const Sha256& body_hash, Signer& verifier);

 private:
  std::string_view caller_by_certificate(std::span<const std::string> names) const noexcept;
  Verdict judge_api_key(std::string_view key, Signer& verifier) const;
  Verdict judge_claim(const RequestHead& head, std::chrono::system_clock::time_point now) const;

  std::optional<ApiKeys> api_keys_;
  std::optional<AccessKeys> access_keys_;
  std::chrono::milliseconds max_skew_{};
  std::vector<routing::Glob> certificate_names_;
  bool by_certificate_alone_ = false;  // any certificate that the handshake took
};

// One request's way through it, the same for every protocol. Costs a null check where nobody is
// asked.
class Identification {
 public:
  // None: go on and read the body.
  std::optional<HeadProblem> check_head(const std::shared_ptr<const ClientAuth>& auth,
                                        const RequestHead& head, std::span<const std::string> names,
                                        Signer& verifier) {
    if (!auth) return std::nullopt;
    auth_ = auth;
    const auto verdict = auth_->judge_head(head, names, verifier, std::chrono::system_clock::now());
    caller_ = verdict.caller;
    signed_with_ = verdict.signed_with;
    return verdict.refusal;
  }
  std::optional<HeadProblem> check_body(const RequestHead& head, std::string_view body,
                                        Signer& verifier) {
    if (signed_with_ == nullptr) return std::nullopt;
    body_hash_ = verifier.hash(body);
    return ClientAuth::judge_signature(*signed_with_, head, *body_hash_, verifier);
  }

  // Empty where nobody was asked.
  std::string_view caller() const noexcept { return caller_; }
  // Where it had to be computed.
  const std::optional<Sha256>& body_hash() const noexcept { return body_hash_; }

 private:
  std::shared_ptr<const ClientAuth> auth_;  // what the views point into outlives a reload
  std::string_view caller_;
  const AccessKey* signed_with_ = nullptr;
  std::optional<Sha256> body_hash_;
};

}  // namespace understudy::proxy
