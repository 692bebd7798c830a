// The head of a message, as any peer may send it. What passes the gate is held against what the
// gate promises.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/http_head.h"
#include "proxy/http_policy.h"

namespace {

using namespace understudy;

void expect(bool holds) {
  if (!holds) std::abort();
}

// No byte that could begin another line or another message may leave through a field.
void check_fields(const std::vector<routing::Field>& fields, std::string_view head) {
  for (const auto& field : fields) {
    expect(!field.name.empty());
    expect(field.name.find_first_of(std::string_view{"\r\n\0 \t:", 6}) == std::string_view::npos);
    expect(field.value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos);
    expect(field.name.data() >= head.data() &&
           field.value.data() + field.value.size() <= head.data() + head.size());
    expect(!routing::equals_ignoring_case(field.name, "content-length") &&
           !routing::equals_ignoring_case(field.name, "transfer-encoding") &&
           !routing::equals_ignoring_case(field.name, "connection"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::size_t searched = 0;
  const std::size_t end = proxy::find_head_end(bytes, searched);
  std::size_t progress = 0, bytewise = std::string_view::npos;
  for (std::size_t i = 1; i <= size && bytewise == std::string_view::npos; ++i)
    bytewise = proxy::find_head_end(bytes.substr(0, i), progress);
  expect(bytewise == end);
  const std::string_view head = bytes.substr(0, end);

  proxy::RequestHead request;
  if (!proxy::scan_request_head(head, {}, request)) {
    check_fields(request.fields, head);
    expect(!request.target.empty() && request.fields.size() <= 100);
    expect(request.framing != proxy::Framing::until_close);
    for (const auto& field : request.fields) expect(field.name.find('_') == std::string_view::npos);
    // A Host that is let in names one host to whoever reads it next.
    const bool admitted = std::holds_alternative<routing::RequestTarget>(proxy::admit(request, {}));
    expect(!admitted || request.host.find_first_of(" \t,;@/\\?#%\"<>") == std::string_view::npos);
    expect(request.http_1_0 || !request.host.empty() || head.find(':') != std::string_view::npos);
  }
  proxy::ResponseHead response;
  if (!proxy::scan_response_head(head, {}, size % 2 == 0, response)) {
    check_fields(response.fields, head);
    expect(response.status >= 100 && response.status <= 999);
  }
  return 0;
}
