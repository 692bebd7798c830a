// Targets and field values as hostile clients send them, through the canonical forms and the
// signer.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/sigv4.h"
#include "proxy/sigv4_canonical.h"

namespace {

using namespace understudy;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_canonical(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/%").find(c) != std::string_view::npos;
}

unsigned digit(char c) {
  require((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'A' + 10);
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    require(i + 2 < text.size());
    out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
    i += 2;
  }
  return out;
}

std::string canonical_path(std::string_view path) {
  std::string out;
  proxy::append_canonical_path(path, out);
  return out;
}

void check_path(std::string_view path) {
  const std::string canonical = canonical_path(path);
  require(canonical.starts_with('/') && canonical.find("//") == std::string::npos);
  require(std::all_of(canonical.begin(), canonical.end(), is_canonical));
  // Decoded, it is the path without empty and dot segments, which has the same canonical form.
  require(canonical_path(decoded(canonical)) == canonical);
}

void check_query(std::string_view query) {
  std::vector<proxy::QueryPair> pairs;
  std::string out;
  proxy::append_canonical_query(query, pairs, out);
  if (query.empty()) {
    require(out.empty());
    return;
  }
  require(std::is_sorted(pairs.begin(), pairs.end()));
  require(static_cast<std::size_t>(std::count(query.begin(), query.end(), '&')) + 1 ==
          pairs.size());
  std::string again;
  proxy::append_canonical_query(std::string(out), pairs, again);
  require(again == out);
}

void check_value(std::string_view value) {
  std::string out;
  proxy::append_canonical_value(value, out);
  require(out.size() <= value.size() && out.find("  ") == std::string::npos &&
          out.find('\t') == std::string::npos);
  require(out.empty() || (out.front() != ' ' && out.back() != ' '));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static proxy::Signer signer;
  static const proxy::AwsKeys keys{"AKID", proxy::Secret("secret"), proxy::Secret("token")};
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  const std::size_t mark = std::min(target.find('?'), target.size());
  check_path(target.substr(0, mark));
  check_query(target.substr(std::min(mark + 1, target.size())));
  check_value(target);

  const routing::Field field{"x-amz-fuzz", target};
  std::string head;
  signer.sign(
      {.method = "POST", .target = target, .fields = {&field, 1}, .body_hash = {}, .now = {}}, keys,
      "us-east-1", "bedrock", head);
  require(head.ends_with("\r\n") && std::count(head.begin(), head.end(), '\n') == 3);
  return 0;
}
