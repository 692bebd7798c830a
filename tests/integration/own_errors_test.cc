// What every error of the proxy's own carries, whoever made it and by whichever protocol it goes
// out.

#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <optional>
#include <string>

#include "tests/support/fake_bedrock.h"
#include "tests/support/h2_client.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"

namespace understudy::testing_support {
namespace {

using std::chrono::system_clock;

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), and nothing else.
std::optional<system_clock::time_point> http_time(const std::string& text) {
  constexpr const char* kForm = "%a, %d %b %Y %H:%M:%S GMT";
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), kForm, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  char again[64];
  if (text != std::string(again, std::strftime(again, sizeof again, kForm, &parts)))
    return std::nullopt;
  return system_clock::from_time_t(::timegm(&parts));
}

// SDKs set their signing clock by it.
template <typename Ask>
void expect_true_date(Ask ask, const std::string& what) {
  const auto before = std::chrono::floor<std::chrono::seconds>(system_clock::now());
  const auto got = ask();
  const auto after = system_clock::now();
  EXPECT_FALSE(got.field("x-understudy-error").empty()) << what << " is the proxy's own";
  const auto told = http_time(got.field("date"));
  ASSERT_TRUE(told) << what << ": \"" << got.field("date") << '"';
  EXPECT_GE(*told, before - std::chrono::seconds{1}) << what << ": the coarse clock may be behind";
  EXPECT_LE(*told, after) << what;
}

TEST(OwnErrors, CarryATrueDate) {
  ProxyUnderTest proxy(
      ProxySetup{.primary_port = refusing_port(), .match = "models: [\"known.*\"]"});
  const std::string known = "/model/known.a/converse", unknown = "/model/unknown.a/converse",
                    odd = "/model/../converse";
  const auto by_http1 = [&](const std::string& target) {
    return RawClient(proxy.port()).ask(post(target, "{}"));
  };
  expect_true_date([&] { return by_http1(known); }, "an upstream that cannot be reached");
  expect_true_date([&] { return by_http1(unknown); }, "no route");
  expect_true_date([&] { return by_http1(odd); }, "a refusal of the gate");
  expect_true_date(
      [&] { return RawClient(proxy.port()).ask(post("/openai/v1/chat/completions", "{}")); },
      "the second wire");

  H2Client client(proxy.port());
  auto by_http2 = [&, stream = 1U](const std::string& target) mutable {
    const auto used = std::exchange(stream, stream + 2);
    return client.ask(used, h2::post(used, target, "{}"));
  };
  for (const std::string& target : {known, unknown, odd})
    expect_true_date([&] { return by_http2(target); }, target + " by HTTP/2");
}

}  // namespace
}  // namespace understudy::testing_support
