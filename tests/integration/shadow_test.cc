// The copy: who gets one, what it says, and that whatever becomes of it costs the client nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "proxy/shadow_account.h"
#include "tests/integration/shadow_fixture.h"
#include "tests/support/scratch_directory.h"

namespace understudy::testing_support {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kStatic =
    "source: static, access_key_id: AKIDPRIMARY, secret_access_key: secret";
constexpr const char* kOtherStatic =
    "source: static, access_key_id: AKIDCANDIDATE, secret_access_key: secret";
constexpr const char* kNoBreaker =
    ", breaker: {consecutive_failures: 1000000, min_requests: 1000000}";

// --- What the copy is
// -----------------------------------------------------------------------------------------------

TEST_F(Shadow, AsksTheCandidateTheSameUnderItsOwnName) {
  start({.primary_credentials = kStatic, .candidate_credentials = kOtherStatic});
  expect_primarys_answer(converse("hello",
                                  "x-mine: kept\r\nauthorization: Bearer secret-token\r\n"
                                  "x-api-key: secret-key\r\ncookie: secret\r\n"));
  const FakeRequest copy = candidate->request(0);
  EXPECT_EQ(copy.target(), "/model/amazon.candidate-v1%3A0/converse");
  EXPECT_EQ(copy.body, converse_body("hello"));
  EXPECT_EQ(copy.field("host"), "127.0.0.1:" + std::to_string(candidate->port()));
  EXPECT_EQ(copy.field("x-mine"), "kept");
  EXPECT_FALSE(copy.field("x-understudy-shadow").empty());
  EXPECT_THAT(copy.field("authorization"),
              StartsWith("AWS4-HMAC-SHA256 Credential=AKIDCANDIDATE/"));
  EXPECT_THAT(copy.head, Not(HasSubstr("secret")));

  const FakeRequest served = primary->request(0);
  EXPECT_EQ(served.target(), "/model/anthropic.claude-a/converse");
  EXPECT_THAT(served.field("authorization"),
              StartsWith("AWS4-HMAC-SHA256 Credential=AKIDPRIMARY/"));
  EXPECT_FALSE(served.has("x-understudy-shadow"));
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().compared, 1U);
}

// The nicenesses of this process's threads of that name.
std::vector<int> nicenesses_of(const std::string& name) {
  std::vector<int> found;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::getline(std::ifstream(task.path() / "comm"), comm);
    const auto id = static_cast<id_t>(std::stoul(task.path().filename().string()));
    if (comm == name) found.push_back(::getpriority(PRIO_PROCESS, id));
  }
  return found;
}

TEST_F(Shadow, AnalysesBehindThoseWhoRelayWhereProcessorsAreShort) {
  start();
  expect_primarys_answer(converse("hello"));
  EXPECT_TRUE(proxy->books_balance(1));
  const int usual = ::getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(nicenesses_of("analysis"), std::vector<int>{std::max(usual, 10)});
  EXPECT_EQ(nicenesses_of("shadow"), std::vector<int>{usual});
}

TEST_F(Shadow, ASignatureInTheQueryReachesNeitherUpstream) {
  start();
  std::string request = converse("hi");
  request.insert(request.find(" HTTP/1.1"),
                 "?trace=1&X-Amz-Credential=AKIDCLIENT&X-Amz-Security-Token=TOKEN&"
                 "x-amz-signature=SIGNATURE");
  expect_primarys_answer(request);
  for (const auto* upstream : {primary.get(), candidate.get()}) {
    EXPECT_THAT(upstream->request(0).target(), testing::EndsWith("/converse?trace=1"));
  }
}

TEST_F(Shadow, PassesTheClientsTokenToThePrimaryAloneWhereItIsForwarded) {
  start({.primary_credentials = "source: forward_bearer"});
  expect_primarys_answer(converse("hello", "authorization: Bearer secret-token\r\n"));
  EXPECT_EQ(primary->request(0).field("authorization"), "Bearer secret-token");
  EXPECT_THAT(candidate->request(0).head, Not(HasSubstr("secret-token")));
  EXPECT_FALSE(candidate->request(0).has("authorization"));

  const Answer refused = client->ask(converse("hello"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.field("x-amzn-errortype"), "AccessDeniedException");
  EXPECT_EQ(refused.field("x-understudy-error"), "credentials");
  EXPECT_EQ(primary->count(), 1U);
  EXPECT_TRUE(proxy->books_balance(2));
}

TEST_F(Shadow, RewritesTheCandidatesBodyAndOnlyThat) {
  start({.rewrite = "[{remove: /inferenceConfig/temperature}]"});
  const std::string body =
      R"({"inferenceConfig": {"temperature": 1.10,  "maxTokens": 5}, "messages": []})";
  expect_primarys_answer(post("/model/anthropic.claude-a/converse", body));
  EXPECT_EQ(primary->request(0).body, body);
  const auto rewritten = nlohmann::json::parse(candidate->request(0).body);
  EXPECT_EQ(rewritten["inferenceConfig"], nlohmann::json({{"maxTokens", 5}}));
  EXPECT_EQ(candidate->request(0).field("content-length"),
            std::to_string(candidate->request(0).body.size()));
}

TEST_F(Shadow, SkipsACopyThatCannotBeRewritten) {
  start({.rewrite = "[{remove: /inferenceConfig/temperature}]"});
  expect_primarys_answer(post("/model/anthropic.claude-a/converse", "no json"));
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().skipped["rewrite_failed"], 1U);
  EXPECT_EQ(candidate->count(), 0U);
}

TEST_F(Shadow, ComparesEveryPairOfManyRequests) {
  start();
  for (int i = 0; i < 200; ++i) expect_primarys_answer(converse("question " + std::to_string(i)));
  EXPECT_TRUE(proxy->books_balance(200));
  EXPECT_EQ(proxy->counts().compared, 200U);
  EXPECT_EQ(candidate->count(), 200U);
  EXPECT_EQ(proxy->value("requests_total", {{"leg", "served"}, {"code", "200"}}), 200);
  EXPECT_EQ(proxy->value("requests_total", {{"leg", "shadow"}, {"code", "200"}}), 200);
  EXPECT_EQ(proxy->value("tokens_total", {{"leg", "served"}, {"type", "output"}}), 1000);
}

TEST_F(Shadow, CopiesTheConfiguredShareAndNoOther) {
  start({.shadow = "percent: 25"});
  for (int i = 0; i < 400; ++i) expect_primarys_answer(converse("question " + std::to_string(i)));
  EXPECT_TRUE(proxy->books_balance(400));
  const auto counts = proxy->counts();
  EXPECT_EQ(counts.compared + counts.skipped.at("not_sampled"), 400U);
  // Binomial with mean 100 and deviation 8.7: six deviations either way.
  EXPECT_GT(counts.compared, 48U);
  EXPECT_LT(counts.compared, 152U);
}

TEST_F(Shadow, CopiesNothingAtZeroPercent) {
  start({.shadow = "percent: 0"});
  for (int i = 0; i < 50; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->books_balance(50));
  EXPECT_EQ(proxy->counts().skipped["not_sampled"], 50U);
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST_F(Shadow, SendsTheControlLegForItsShare) {
  start({.shadow = "percent: 100, control_percent: 30"});
  for (int i = 0; i < 200; ++i) expect_primarys_answer(converse("question " + std::to_string(i)));
  EXPECT_TRUE(proxy->books_balance(200));
  EXPECT_EQ(proxy->counts().compared, 200U);
  EXPECT_EQ(candidate->count(), 200U);
  EXPECT_TRUE(eventually([&] {
    return primary->count() - 200U ==
           static_cast<std::size_t>(proxy->value("control_total", {{"result", "compared"}}));
  }));
  const auto controls = primary->count() - 200U;
  EXPECT_GT(controls, 21U);  // mean 60, deviation 6.5
  EXPECT_LT(controls, 99U);
  for (const FakeRequest& request : primary->requests())
    EXPECT_EQ(request.target(), "/model/anthropic.claude-a/converse");
}

TEST_F(Shadow, UnderstandsOnlyWhatItUnderstands) {
  start({.top = "default_route: {upstream: primary}\n"});
  for (const char* target : {"/model/a/async-invoke", "/async-invoke", "/inference-profiles",
                             "/guardrail/g/version/1/apply"})
    expect_primarys_answer(post(target, "{}"));
  expect_primarys_answer(get("/model/anthropic.claude-a/converse"));
  EXPECT_TRUE(proxy->books_balance(0));
  EXPECT_EQ(candidate->connections(), 0U);
}

// --- Who gets none
// ------------------------------------------------------------------------------------------------

TEST_F(Shadow, CopiesACallOfAnSdkOnceHoweverOftenItIsRepeated) {
  start();
  for (int attempt = 0; attempt < 5; ++attempt)
    expect_primarys_answer(converse("hi", "amz-sdk-invocation-id: 11111111-2222\r\n"));
  expect_primarys_answer(converse("hi", "amz-sdk-invocation-id: 33333333-4444\r\n"));
  EXPECT_TRUE(proxy->books_balance(6));
  EXPECT_EQ(proxy->counts().compared, 2U);
  EXPECT_EQ(proxy->counts().skipped["retry"], 4U);
  EXPECT_EQ(candidate->count(), 2U);
}

TEST_F(Shadow, SkipsProbes) {
  start();
  expect_primarys_answer(post(
      "/model/anthropic.claude-a/converse",
      R"({"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":1}})"));
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().skipped["probe"], 1U);
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST_F(Shadow, SkipsWhatThePrimaryDidNotAnswerWell) {
  candidate = FakeBedrock::replies(kCandidateAnswer);
  primary = FakeBedrock::sends(answer(R"({"message":"no"})", "400 Bad Request"));
  launch({});
  EXPECT_EQ(client->ask(converse("hi")).body, R"({"message":"no"})");
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().skipped["primary_failed"], 1U);
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST_F(Shadow, SkipsWhatIsTooLargeToCopy) {
  start({.shadow = "percent: 100, max_body_bytes: 1KiB"});
  expect_primarys_answer(converse(std::string(2000, 'a')));
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().skipped["too_large"], 1U);
}

TEST_F(Shadow, NeverCopiesACopy) {
  start();
  expect_primarys_answer(converse("hi", "x-understudy-shadow: somebody\r\n"));
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().skipped["mirrored"], 1U);
  EXPECT_EQ(candidate->connections(), 0U);
}

TEST(ShadowLoop, TwoProxiesPointedAtEachOtherMakeOneCopy) {
  auto primary = FakeBedrock::replies(kPrimaryAnswer);
  // The second learns the first's port by a reload: each is the other's candidate.
  ProxyUnderTest second(
      ProxySetup{.primary_port = primary->port(), .candidate_port = refusing_port()});
  ProxyUnderTest first(
      ProxySetup{.primary_port = primary->port(), .candidate_port = second.port()});
  ASSERT_TRUE(
      second.apply(ProxySetup{.primary_port = primary->port(), .candidate_port = first.port()}));
  EXPECT_EQ(RawClient(first.port()).ask(converse("hi")).body, kPrimaryAnswer);
  EXPECT_TRUE(first.books_balance(1));
  EXPECT_TRUE(second.books_balance(1));
  EXPECT_EQ(first.counts().compared, 1U);
  EXPECT_EQ(second.counts().skipped["mirrored"], 1U);
  EXPECT_EQ(primary->count(), 2U) << "the served request and its one copy";
}

// --- Whatever the candidate does
// --------------------------------------------------------------------------------------

struct Trouble {
  const char* name;
  FakeBedrock::Script script;
  const char* failure;  // in the books

  friend void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }
};

class CandidateTrouble : public Shadow, public testing::WithParamInterface<Trouble> {
 protected:
  static ProxySetup setup() {
    // Short only where it is to be waited for: a loaded machine must not make time-outs of other
    // troubles.
    const bool times_out = std::string_view{GetParam().failure} == "timeout";
    return {.shadow = std::string{"percent: 100, max_capture_bytes: 1MiB"} + kNoBreaker +
                      (times_out ? ", timeout: 1500ms, first_byte_timeout: 700ms" : "")};
  }
};

TEST_P(CandidateTrouble, IsNotTheClients) {
  start(GetParam().script, setup());
  for (int i = 0; i < 20; ++i) expect_primarys_answer(converse("question " + std::to_string(i)));
  EXPECT_TRUE(proxy->books_balance(20));
  EXPECT_EQ(proxy->counts().failed[GetParam().failure], 20U) << proxy->books();
  expect_primarys_answer(converse("one more"));
  EXPECT_TRUE(proxy->books_balance(21));
  EXPECT_TRUE(eventually([&] { return proxy->server().load().shadow_in_flight == 0; }));
  EXPECT_TRUE(eventually([&] { return proxy->value("shadow_bytes") == 0; }));
}

TEST_P(CandidateTrouble, HoldsUpNoFurtherRequestOfTheConnection) {
  const auto gate = std::make_shared<Gate>();  // the candidate's threads may outlive this frame
  start(
      [gate, trouble = GetParam().script](const FakeRequest& request, FakePeer& peer) {
        gate->wait();
        trouble(request, peer);
      },
      setup());
  for (std::size_t turn = 1; turn <= 3; ++turn) {
    expect_primarys_answer(converse("hi"));
    ASSERT_TRUE(candidate->wait_for_requests(turn)) << "the copy is under way";
  }
  gate->open();
  EXPECT_TRUE(proxy->books_balance(3));
  EXPECT_EQ(proxy->counts().failed[GetParam().failure], 3U) << proxy->books();
}

const std::string kStreamHead = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Kinds, CandidateTrouble,
    testing::Values(
        Trouble{"Hangs", [](const FakeRequest&, FakePeer& peer) { peer.hang(); }, "timeout"},
        Trouble{"HangsInMidStream",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send(kStreamHead + as_chunk("some"));
                  peer.hang();
                },
                "timeout"},
        Trouble{"Closes", [](const FakeRequest&, FakePeer& peer) { peer.close(); }, "transport"},
        Trouble{"Resets", [](const FakeRequest&, FakePeer& peer) { peer.reset(); }, "transport"},
        Trouble{"ResetsInMidStream",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send(kStreamHead + as_chunk("some"));
                  peer.reset();
                },
                "cut"},
        Trouble{"BreaksOff",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome");
                  peer.close();
                },
                "cut"},
        Trouble{"SendsGarbage",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send("no http at all\r\n\r\n" + noise(10'000));
                  peer.close();
                },
                "garbage"},
        Trouble{"NeverEnds",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send(kStreamHead);
                  const std::string piece = as_chunk(noise(65'536));
                  while (peer.send(piece)) {
                  }
                },
                "too_large"},
        Trouble{"NeverEndsItsHead",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send("HTTP/1.1 200 OK\r\n");
                  while (peer.send("x: " + std::string(1000, 'a') + "\r\n")) {
                  }
                },
                "too_large"},
        Trouble{"Throttles",
                [](const FakeRequest&, FakePeer& peer) {
                  peer.send(answer("{}", "429 Too Many Requests"));
                },
                "throttled"},
        Trouble{"AnswersNoJson",
                [](const FakeRequest&, FakePeer& peer) { peer.send(answer("<html>")); },
                "unreadable"}),
    [](const auto& row) { return std::string{row.param.name}; });

TEST_F(Shadow, ADeadCandidateIsNotTheClients) {
  start({.candidate_port = refusing_port(), .shadow = std::string{"percent: 100"} + kNoBreaker});
  for (int i = 0; i < 50; ++i) expect_primarys_answer(converse("hi"));
  EXPECT_TRUE(proxy->books_balance(50));
  EXPECT_EQ(proxy->counts().failed["connect"], 50U);
}

TEST_F(Shadow, TheNextRequestOfAConnectionDoesNotWaitForAHungCopy) {
  start([](const FakeRequest&, FakePeer& peer) { peer.hang(); });
  for (std::size_t turn = 1; turn <= 30; ++turn) {
    expect_primarys_answer(converse("hi"));
    ASSERT_TRUE(candidate->wait_for_requests(turn)) << "the copy is under way";
  }
  EXPECT_EQ(candidate->open_connections(), 30U) << "and all of them hang still";
  EXPECT_EQ(proxy->counts().eligible, 30U);
  EXPECT_EQ(proxy->server().load().shadow_in_flight, 30U);
}

TEST_F(Shadow, AServerThatEndsCutsWhatHangsAndCountsIt) {
  start([](const FakeRequest&, FakePeer& peer) { peer.hang(); });
  expect_primarys_answer(converse("hi"));
  ASSERT_TRUE(candidate->wait_for_requests(1));
  client->close();
  proxy->server().drain(std::chrono::milliseconds{200});
  EXPECT_TRUE(proxy->books_balance(1));
  EXPECT_EQ(proxy->counts().failed["cancelled"], 1U);
}

// --- Families of which enough is known

TEST_F(Shadow, CopiesLessOfAFamilyOnceItsGatesHaveTheEvidenceTheyNeed) {
  std::string gates;
  for (const auto& gate : routing::kGates)
    gates += std::string(gates.empty() ? "" : ", ") + std::string(gate.signal) +
             (gate.signal == "error_class" ? ": {margin: 50}" : ": off");
  start({.shadow = "percent: 100, settled_percent: 20",
         .verdict = "min_pairs_per_family: 20, gates: {" + gates + "}"});
  int asked = 0;
  const auto ask = [&](std::string_view family, int count) {
    for (int i = 0; i < count; ++i)
      expect_primarys_answer(converse("question " + std::to_string(asked++),
                                      "x-understudy-family: " + std::string(family) + "\r\n"));
    ASSERT_TRUE(proxy->books_balance(static_cast<std::uint64_t>(asked)));
  };
  const auto account = proxy->server().shadow_account("route");
  ask("invoices", 60);
  EXPECT_EQ(proxy->counts().compared, 60U);
  ASSERT_TRUE(eventually([&] {
    proxy->look_at_rollouts();
    return account->is_settled("invoices");
  }));
  ask("invoices", 200);
  const auto left_out = proxy->counts().skipped["settled"];
  EXPECT_GT(left_out, 120U) << "a fifth of 200 is copied: 40, deviation 5.7";
  EXPECT_LT(left_out, 195U);
  ask("letters", 100);
  EXPECT_EQ(proxy->counts().skipped["settled"], left_out) << "nothing is known of letters yet";
  ASSERT_TRUE(eventually([&] {
    const auto evidence = proxy->server().evidence("route");
    const auto letters = evidence->families().find("letters");
    return letters != evidence->families().end() && letters->second.pairs == 100;
  }));
  const auto evidence = proxy->server().evidence("route");
  const auto pooled = evidence->pooled().pairs - 60;
  EXPECT_LT(pooled, (200 - left_out) + 45) << "of the letters, a fifth stands for all traffic: 20";
  EXPECT_GT(pooled, (200 - left_out) + 3);
}

// --- Records
// --------------------------------------------------------------------------------------------------------

// Of the records in a directory, each a line of JSON.
std::vector<std::string> lines_in(const fs::path& directory) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line); lines.push_back(line))
      EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  }
  return lines;
}

TEST_F(Shadow, WritesALineForEachComparison) {
  const ScratchDirectory directory;
  start({.top = "records: {directory: " + directory.path().string() + ", content: none}\n"});
  for (int i = 0; i < 10; ++i) expect_primarys_answer(converse("a private question"));
  EXPECT_TRUE(proxy->books_balance(10));
  proxy.reset();
  const auto lines = lines_in(directory.path());
  EXPECT_EQ(lines.size(), 10U);
  EXPECT_THAT(lines, Each(AllOf(Not(HasSubstr("private")), Not(HasSubstr("says")))));
}

TEST_F(Shadow, WritesEachRecordWhereItsTimesConfigSays) {
  const ScratchDirectory before, after;
  const auto writes_to = [&](const ScratchDirectory& directory) {
    return ProxySetup{.primary_port = primary->port(),
                      .candidate_port = candidate->port(),
                      .top = "records: {directory: " + directory.path().string() + "}\n"};
  };
  start();
  std::uint64_t compared = 0;
  for (const auto* directory : {&before, &after}) {
    ASSERT_TRUE(proxy->apply(writes_to(*directory)));
    for (int i = 0; i < 5; ++i) expect_primarys_answer(converse("hello"));
    EXPECT_TRUE(proxy->books_balance(compared += 5));
  }
  proxy.reset();
  EXPECT_EQ(lines_in(before.path()).size(), 5U);
  EXPECT_EQ(lines_in(after.path()).size(), 5U);
}

}  // namespace
}  // namespace understudy::testing_support
