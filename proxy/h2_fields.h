#pragma once
// A request's fields as HTTP/2 brings them (RFC 9113 8.3), written down as the head of the same
// request in HTTP/1.1. So one gate, scan_request_head() and admit(), sees every request, and
// whatever reads a head behind it knows one form only. What HTTP/2 could smuggle into that form
// (line ends, a second host, hop-by-hop fields) is refused here. Pure; one thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "metrics/blocks.h"
#include "proxy/http_head.h"

namespace understudy::proxy {

class H2RequestFields {
 public:
  struct Limits {
    std::size_t max_bytes = 32u << 10;  // names, values and 32 for each (RFC 9113 6.5.2)
    std::size_t max_fields = 100;       // pseudo fields do not count
  };

  // Fields beyond the limits or behind a problem are counted and dropped. False: it is so far
  // beyond them that it is not worth an answer any more; problem() is which.
  bool add(std::string_view name, std::string_view value, const Limits& limits);

  // A field that the library found malformed.
  void refuse() noexcept;

  const std::optional<HeadProblem>& problem() const noexcept { return problem_; }

  // As new; keeps its memory for the next head.
  void clear() noexcept;

  // The whole head in `head`, or what is wrong with it. Once, after the last field.
  std::optional<HeadProblem> finish(metrics::BlockPool& blocks, metrics::Block& head);

 private:
  std::optional<HeadProblem> take(std::string_view name, std::string_view value);
  std::optional<HeadProblem> take_pseudo(std::string_view name, std::string_view value);
  std::optional<HeadProblem> take_host(std::string_view value);

  std::string method_, path_, scheme_, authority_, host_;
  std::string lines_;  // the other fields, each with its CRLF
  std::optional<HeadProblem> problem_;
  std::size_t bytes_ = 0, fields_ = 0;
  bool has_host_ = false;
};

}  // namespace understudy::proxy
