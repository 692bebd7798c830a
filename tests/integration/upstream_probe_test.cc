#include "proxy/upstream_probe.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"

namespace understudy::testing_support {
namespace {

using namespace std::chrono_literals;

// Each byte is in time for a limit on silence; all of them take ten seconds.
std::unique_ptr<FakeBedrock> drips_behind(const std::string& begin) {
  return std::make_unique<FakeBedrock>([begin](const FakeRequest&, FakePeer& peer) {
    bool heard = peer.send(begin);
    for (int i = 0; i < 1'000 && heard; ++i) {
      std::this_thread::sleep_for(10ms);
      heard = peer.send(" ");
    }
  });
}

TEST(UpstreamProbe, EndsByItsTimeOutHoweverTheAnswerDrips) {
  for (const char* begin :
       {"HTTP/1.1 200 OK\r\nx-head: ",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"}) {
    const auto bedrock = drips_behind(begin);
    ProxyUnderTest proxy(ProxySetup{.primary_port = bedrock->port()});
    const auto answer =
        proxy::ask_upstream(proxy.server().snapshot(), 0, proxy::tiny_converse("a.b"), 200ms);
    ASSERT_FALSE(answer) << begin;
    EXPECT_EQ(answer.error().kind, proxy::ErrorKind::timeout) << answer.error().context;
  }
}

}  // namespace
}  // namespace understudy::testing_support
