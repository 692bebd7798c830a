#pragma once
// The request body of InvokeModelWithBidirectionalStream: a stream of frames, each of which wraps
// one event and bears its time and a signature that goes on from the one before it. Such a
// signature is bound to the key and to the signature of the request's head, neither of which is the
// client's any more upstream: so each event is taken out of its frame and wrapped anew. Pure; one
// stream's, on one thread.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/credentials.h"
#include "proxy/error.h"
#include "proxy/sigv4.h"

namespace understudy::proxy {

// What such a request's head has for the hash of its body.
inline constexpr std::string_view kStreamedPayload = "STREAMING-AWS4-HMAC-SHA256-EVENTS";

// What the first event's signature goes on from. The keys stay those of the head, whatever becomes
// of the credentials meanwhile.
struct EventChainSeed {
  Secret secret;
  std::string region, service;
  std::string signature;  // of the head, in hex
};

class EventChain {
 public:
  using Milliseconds = std::chrono::sys_time<std::chrono::milliseconds>;

  explicit EventChain(EventChainSeed seed) : last_(std::move(seed)) {}

  // The signature of the next frame; `date_header` is its :date as encoded.
  Sha256 sign(std::string_view date_header, Milliseconds date, std::string_view payload);

 private:
  std::string_view key_of(std::string_view day);

  EventChainSeed last_;  // with the signature that was made last
  std::string day_;      // of key_
  Sha256 key_{};
};

// Frames of the client in, frames for the upstream out.
class EventResigner {
 public:
  // `client`: checks what comes; without it the client's signatures are not looked at. `upstream`:
  // signs what goes; without it frames go on as they came.
  EventResigner(std::optional<EventChain> client, std::optional<EventChain> upstream)
      : client_(std::move(client)), upstream_(std::move(upstream)) {}

  // Takes the next bytes and appends the frames that they complete. Keeps what is not yet a whole
  // frame: at most one (metrics/event_stream.h has the bounds). An error is the client's fault and
  // final: ErrorKind::credentials for a wrong signature, bad_message else.
  Status take(std::string_view bytes, EventChain::Milliseconds now, std::string& out);

  // Nothing stands half.
  bool between_frames() const noexcept { return held_.empty(); }

 private:
  Status take_frame(std::string_view frame, std::string_view headers, std::string_view payload,
                    EventChain::Milliseconds now, std::string& out);

  std::optional<EventChain> client_, upstream_;
  std::string held_;
  bool closed_ = false;  // by a frame without an event
};

// A whole frame with the two headers and nothing else. For the tests' clients too.
std::string signed_frame(EventChain& chain, EventChain::Milliseconds now, std::string_view payload);

}  // namespace understudy::proxy
