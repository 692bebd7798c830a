// Who asked is a fact that the record of a pair keeps: hashed, so that a line names nobody, and the
// same for the same caller, so that one's lines can be found. No metric has it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "routing/sampling.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_bedrock.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/raw_client.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/tls_client.h"

namespace understudy::testing_support {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class CallerOfARecord : public testing::Test {
 protected:
  void start(const std::string& listener_more) {
    proxy_ = std::make_unique<ProxyUnderTest>(
        ProxySetup{.primary_port = primary_->port(),
                   .candidate_port = candidate_->port(),
                   .listener_more = listener_more,
                   .top = "records: {directory: " + (files_ / "records").string() + "}\n"});
  }
  std::string hash_of(const std::string& caller) const {
    return routing::caller_label(proxy_->server().snapshot()->config(), caller);
  }
  // The caller of each record, in their order; ends the proxy.
  std::vector<json> callers(std::uint64_t records) {
    EXPECT_TRUE(proxy_->books_balance(records));
    EXPECT_EQ(proxy_->counts().compared, records) << proxy_->books();
    metrics_ = proxy_->recorder().render();
    proxy_.reset();
    std::vector<json> found;
    for (const auto& entry : std::filesystem::directory_iterator(files_ / "records")) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line); text_ += line)
        found.push_back(json::parse(line).value("caller", json(nullptr)));
    }
    return found;
  }

  const ScratchDirectory files_;
  const std::unique_ptr<FakeBedrock> primary_ = FakeBedrock::replies(converse_answer("this"));
  const std::unique_ptr<FakeBedrock> candidate_ = FakeBedrock::replies(converse_answer("that"));
  std::unique_ptr<ProxyUnderTest> proxy_;
  std::string text_;     // of all records
  std::string metrics_;  // at the end
};

TEST_F(CallerOfARecord, IsTheHashOfAnApiKeysOwner) {
  start(", clients: {api_keys_file: " +
        files_.write("keys.txt",
                     "search-team: a-key-of-the-search-team\nbatch-team: a-key-of-the-batch-team\n"
                     "search-team: another-key-of-the-search-team\n") +
        "}");
  RawClient client(proxy_->port());
  std::uint64_t asked = 0;
  for (const char* key :
       {"a-key-of-the-search-team", "a-key-of-the-batch-team", "another-key-of-the-search-team"}) {
    EXPECT_EQ(
        client.ask(converse("hi", std::string("authorization: Bearer ") + key + "\r\n")).status,
        200);
    EXPECT_TRUE(proxy_->books_balance(++asked)) << "so that the records are in that order";
  }
  const std::string search = hash_of("search-team"), batch = hash_of("batch-team");
  EXPECT_THAT(search, MatchesRegex("[0-9a-f]{16}"));
  EXPECT_NE(search, batch);
  EXPECT_EQ(callers(3), (std::vector<json>{search, batch, search}));
  EXPECT_THAT(text_, Not(HasSubstr("team")));
  for (const std::string& hidden : {std::string("team"), search, batch})
    EXPECT_THAT(metrics_, Not(HasSubstr(hidden)));
}

TEST_F(CallerOfARecord, IsTheHashOfACertificatesName) {
  const Identity authority = make_authority("the clients' authority");
  const Identity own = make_identity({.issuer = &authority});
  start(", tls: {certificate: " + files_.write("tls.crt", certificate_pem(own)) +
        ", key: " + files_.write("tls.key", key_pem(own)) +
        ", client_ca: " + files_.write("ca.pem", certificate_pem(authority)) +
        "}, clients: {mutual_tls: {names: [\"spiffe://mesh/*\"]}}");
  const Identity app = make_identity(
      {.name = "app", .alternative_names = "URI:spiffe://mesh/search", .issuer = &authority});
  RawClient client(proxy_->port(), TlsClientOptions{.authority = &authority, .identity = &app});
  EXPECT_EQ(client.ask(converse("hi")).status, 200);
  const std::string expected = hash_of("spiffe://mesh/search");
  EXPECT_EQ(callers(1), std::vector<json>{expected});
  EXPECT_THAT(text_, Not(HasSubstr("spiffe")));
}

TEST_F(CallerOfARecord, IsMissingWhereTheListenerAsksNobody) {
  start("");
  EXPECT_EQ(RawClient(proxy_->port())
                .ask(converse("hi", "authorization: Bearer somebody's-own-key\r\n"))
                .status,
            200);
  EXPECT_EQ(callers(1), std::vector<json>{json(nullptr)});
  EXPECT_THAT(text_, Not(HasSubstr("somebody")));
}

}  // namespace
}  // namespace understudy::testing_support
