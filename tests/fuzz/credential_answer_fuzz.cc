// What sources of credentials answer: JSON, XML, times, or anything else. Whatever passes for keys
// must be fit for a header field.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/aws/answers.h"
#include "proxy/aws/timestamp.h"
#include "proxy/aws/xml_text.h"

namespace {

using namespace understudy::proxy;

void check(const Result<Credentials>& read) {
  if (!read) return;
  const AwsKeys& keys = read->keys;
  for (const std::string* text :
       {&keys.access_key_id, &keys.secret_access_key.reveal(), &keys.session_token.reveal()}) {
    if (std::any_of(text->begin(), text->end(), [](char c) { return c <= ' ' || c >= '\x7f'; }))
      std::abort();
  }
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(aws::read_process_answer(text));
  check(aws::read_metadata_answer(text));
  check(aws::read_sso_answer(text));
  check(aws::read_sts_answer(text, "AssumeRole"));
  (void)aws::read_sts_error(text);
  (void)aws::read_sso_token(text);
  (void)aws::read_sso_renewal(text);
  (void)bearer_expiry(text);
  if (const auto when = aws::parse_timestamp(text); when && *when != WallTime::max()) {
    if (aws::parse_timestamp(aws::format_timestamp(*when)) !=
        std::chrono::floor<std::chrono::seconds>(*when))
      std::abort();
  }
  return 0;
}
