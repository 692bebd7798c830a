#include "proxy/upstream_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

routing::RequestTarget target(std::string_view raw) {
  auto parsed = routing::parse_target("POST", raw, "");
  return std::get<routing::RequestTarget>(parsed);
}

std::string upstream_target(const routing::Endpoint& endpoint, std::string_view forwarded,
                            ModelPlace place, std::string_view model) {
  std::string made;
  append_upstream_target(endpoint, forwarded, place, model, made);
  return made;
}

TEST(UpstreamTarget, KeepsTheTargetWhereTheModelStays) {
  const routing::Endpoint endpoint{.tls = true, .host = "h", .port = 443, .path = "/stage"};
  for (const std::string raw :
       {"/model/a%3A0/converse?x=%20", "/model/a:0/converse", "/inference-profiles", "/a//", "/a?",
        "/a?b&&c=?&", "/a?x-amzn=1&amz-=2&x-am"}) {
    EXPECT_EQ(upstream_target(endpoint, raw, {}, ""), "/stage" + raw);
  }
}

TEST(UpstreamTarget, PutsTheModelInThePlaceOfTheClients) {
  const struct {
    const char *raw, *model, *expected;
  } rows[] = {
      {"/model/a/converse", "b", "/model/b/converse"},
      {"/model/a%3A0/invoke?q=a", "us.b-v1:0", "/model/us.b-v1%3A0/invoke?q=a"},
      {"/model/model/invoke", "b", "/model/b/invoke"},
      {"/model/arn:aws:bedrock:us-east-1:1:inference-profile/a/converse-stream", "b_c~d",
       "/model/b_c~d/converse-stream"},
      {"/model/a/converse", "arn:aws:bedrock:us-east-1:1:inference-profile/us.b:0",
       "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.b%3A0/converse"},
      {"/inference-profiles", "b", "/inference-profiles"},
  };
  for (const auto& row : rows) {
    const auto parsed = target(row.raw);
    EXPECT_EQ(upstream_target({}, parsed.forwarded, model_place(parsed), row.model), row.expected);
  }
}

TEST(UpstreamTarget, LeavesTheClientsSignatureBehind) {
  const struct {
    const char *raw, *expected;
  } rows[] = {
      {"/a?X-Amz-Signature=1", "/a"},
      {"/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101&X-Amz-Date=2&"
       "X-Amz-Expires=3&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Signature=s",
       "/a"},
      {"/a?b=1&X-Amz-Security-Token=t&c=2", "/a?b=1&c=2"},
      {"/a?x-amz-credential&b", "/a?b"},
      {"/a?%58%2damz%2DCredential=c&b=1", "/a?b=1"},
      {"/a?b=X-Amz-Signature", "/a?b=X-Amz-Signature"},
  };
  for (const auto& row : rows) EXPECT_EQ(upstream_target({}, row.raw, {}, ""), row.expected);
  const auto parsed = target("/model/a/converse?X-Amz-Signature=1&b");
  EXPECT_EQ(upstream_target({}, parsed.forwarded, model_place(parsed), "c"), "/model/c/converse?b");
}

class RequestHeadText : public testing::Test {
 protected:
  std::string append(OutgoingRequest request, const Credentials& credentials) {
    std::string out;
    status_ = append_request_head(request, credentials, "us-east-1", signer_, hash_, out);
    return out;
  }
  static OutgoingRequest plain() {
    OutgoingRequest request;
    request.method = "POST";
    request.target = "/model/a/converse";
    request.authority = "h:1";
    request.service = "bedrock-mantle";
    request.lines = "x-mine: 1\r\n";
    request.content_type = "application/json";
    request.body = "{}";
    return request;
  }
  static Credentials of(Credentials::Kind kind) {
    Credentials credentials;
    credentials.kind = kind;
    return credentials;
  }

  Signer signer_;
  std::optional<Sha256> hash_;
  Status status_;
};

TEST_F(RequestHeadText, IsWhatItIsTold) {
  EXPECT_EQ(append(plain(), of(Credentials::Kind::none)),
            "POST /model/a/converse HTTP/1.1\r\nhost: h:1\r\nx-mine: 1\r\n"
            "accept-encoding: identity\r\ncontent-length: 2\r\n\r\n");
  EXPECT_TRUE(status_);
}

TEST_F(RequestHeadText, TellsALengthWhereThereMayBeABody) {
  OutgoingRequest request = plain();
  request.body = "";
  EXPECT_THAT(append(request, of(Credentials::Kind::none)), HasSubstr("content-length: 0\r\n"));
  request.method = "GET";
  EXPECT_THAT(append(request, of(Credentials::Kind::none)), Not(HasSubstr("content-length")));
}

TEST_F(RequestHeadText, MarksACopy) {
  OutgoingRequest request = plain();
  request.shadow_mark = "me";
  EXPECT_THAT(append(request, of(Credentials::Kind::none)),
              HasSubstr("\r\nx-understudy-shadow: me\r\n"));
}

TEST_F(RequestHeadText, ForwardsATokenButNoSignature) {
  OutgoingRequest request = plain();
  const auto forward = of(Credentials::Kind::forward_bearer);
  request.client_authorization = "Bearer t";
  EXPECT_THAT(append(request, forward), HasSubstr("\r\nauthorization: Bearer t\r\n"));
  request.client_authorization = "AWS4-HMAC-SHA256 Credential=a";
  EXPECT_THAT(append(request, forward), Not(HasSubstr("AWS4")));
  EXPECT_EQ(status_.error().kind, ErrorKind::credentials);
  EXPECT_EQ(status_.error().side, Side::downstream);
  request.client_api_key = "k";
  EXPECT_THAT(append(request, forward), HasSubstr("\r\nx-api-key: k\r\n"));
  EXPECT_TRUE(status_);
}

TEST_F(RequestHeadText, NeverSendsTheClientsTokenWhereItIsNotForwarded) {
  OutgoingRequest request = plain();
  request.client_authorization = "Bearer client-secret";
  request.client_api_key = "client-secret";
  Credentials sigv4 = of(Credentials::Kind::sigv4);
  sigv4.keys = AwsKeys{"AKID", Secret{"secret"}, Secret{}};
  for (const auto& credentials :
       {of(Credentials::Kind::none), of(Credentials::Kind::bearer), sigv4})
    EXPECT_THAT(append(request, credentials), Not(HasSubstr("client-secret")));
}

TEST_F(RequestHeadText, HashesABodyOnceForAllLegs) {
  Credentials sigv4 = of(Credentials::Kind::sigv4);
  sigv4.keys = AwsKeys{"AKID", Secret{"secret"}, Secret{}};
  EXPECT_THAT(append(plain(), sigv4),
              HasSubstr("\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKID/"));
  ASSERT_TRUE(hash_);
  EXPECT_EQ(*hash_, signer_.hash("{}"));
}

TEST(ForwardedLines, AreTheEndToEndFields) {
  RequestHead head;
  head.fields = {{"A", "1"}, {"b", "2, 3"}};
  std::string lines;
  append_forwarded_lines(head, lines);
  EXPECT_EQ(lines, "A: 1\r\nb: 2, 3\r\n");
}

TEST_F(RequestHeadText, IsSignedForTheServiceOfItsUpstream) {
  Credentials credentials = of(Credentials::Kind::sigv4);
  credentials.keys.access_key_id = "AKIDEXAMPLE";
  EXPECT_THAT(append(plain(), credentials), HasSubstr("/us-east-1/bedrock-mantle/aws4_request"));
}

TEST(ModelSwap, IsForAnotherModelThanTheOneAskedFor) {
  routing::VariantConfig variant;
  const ModelPlace place{.offset = 10, .size = 3};
  EXPECT_TRUE(model_swap(variant, "old", place).model.empty());
  variant.model = "old";
  EXPECT_TRUE(model_swap(variant, "old", place).model.empty());
  variant.model = "new";
  EXPECT_TRUE(model_swap(variant, "old", {}).model.empty());
  const auto swap = model_swap(variant, "old", place);
  EXPECT_EQ(swap.model, "new");
  EXPECT_EQ(swap.offset, 10u);
  EXPECT_EQ(swap.size, 3u);
}

}  // namespace
}  // namespace understudy::proxy
