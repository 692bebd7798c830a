// Signs requests for comparisons with other implementations. Reads one JSON object a line on
// standard input:
//   {"method", "target", "fields": [[name, value], ...], "body_base64", "access_key", "secret",
//   "token", "region",
//    "service", "time": seconds since 1970}
// and writes one a line: the fields that the Signer added, under their names. One Signer signs them
// all, so that its cached keys are part of the comparison.

#include <openssl/evp.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/sigv4.h"

namespace {

using nlohmann::json;
using understudy::proxy::AwsKeys;
using understudy::proxy::Secret;
using understudy::proxy::Signer;

std::string decode_base64(const std::string& text) {
  std::string out(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) throw std::runtime_error("body_base64 is not base64");
  const auto padding = text.size() - text.find_last_not_of('=') - 1;
  out.resize(static_cast<std::size_t>(size) - (text.empty() ? 0 : padding));
  return out;
}

json added_fields(const std::string& head) {
  json out = json::object();
  for (std::size_t begin = 0; begin < head.size();) {
    const std::size_t colon = head.find(": ", begin);
    const std::size_t end = head.find("\r\n", begin);
    if (colon == std::string::npos || end == std::string::npos || colon > end) {
      throw std::runtime_error("not a header block");
    }
    out[head.substr(begin, colon - begin)] = head.substr(colon + 2, end - colon - 2);
    begin = end + 2;
  }
  return out;
}

json sign(Signer& signer, const json& request) {
  const auto text = [&request](const char* key) { return request.at(key).get<std::string>(); };
  const auto pairs = request.at("fields").get<std::vector<std::pair<std::string, std::string>>>();
  std::vector<understudy::routing::Field> fields;
  for (const auto& [name, value] : pairs) fields.push_back({name, value});
  const std::string method = text("method");
  const std::string target = text("target");
  const AwsKeys keys{text("access_key"), Secret(text("secret")), Secret(text("token"))};
  std::string head;
  signer.sign({.method = method,
               .target = target,
               .fields = fields,
               .body_hash = signer.hash(decode_base64(text("body_base64"))),
               .now = std::chrono::system_clock::time_point(
                   std::chrono::seconds(request.at("time").get<std::int64_t>()))},
              keys, text("region"), text("service"), head);
  return added_fields(head);
}

}  // namespace

int main() {
  try {
    Signer signer;
    for (std::string line; std::getline(std::cin, line);) {
      std::cout << sign(signer, json::parse(line)).dump() << "\n";
    }
  } catch (const std::exception& error) {
    std::cerr << "sigv4-tool: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
