// What runs for every request may not allocate behind anybody's back.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "routing/operation.h"
#include "routing/route_table.h"
#include "routing/sampling.h"

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

// Out of line, or the compiler takes malloc and free for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace understudy::routing {
namespace {

template <class Call>
std::size_t allocations_of(Call call) {
  const std::size_t before = allocations;
  call();
  return allocations - before;
}

TEST(HotPath, ReadsATargetWithOneAllocationForTheModelId) {
  const std::string with_model =
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.x/"
      "converse";
  EXPECT_LE(allocations_of([&] { parse_target("POST", with_model, ""); }), 1U);
  EXPECT_EQ(
      allocations_of([&] { parse_target("GET", "/foundation-models?byProvider=anthropic", ""); }),
      0U);
  EXPECT_EQ(allocations_of([&] { parse_target("POST", "/../model", ""); }), 0U);
}

TEST(HotPath, DecidesWithoutAllocating) {
  auto config = std::make_shared<Config>();
  config->upstreams.resize(2);
  RouteConfig& route = config->routes.emplace_back();
  route.name = "a-route-with-a-name-beyond-any-small-string";
  route.match.models = {"*.anthropic.claude-*"};
  route.match.headers = {{"x-team", "search-*"}};
  route.candidate = VariantConfig{1, "us.anthropic.claude-sonnet-5", {}};
  route.shadow.percent = Percent{5'000};
  const RouteTable table(config);
  const std::array fields{Field{"x-team", "search-1"}};
  RequestFacts facts;
  facts.operation = Operation::invoke_model;
  facts.model_id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  facts.fields = fields;
  facts.sampling_key = "8d2b8b4e-6f5b-4f0e-9a57-3f7f5a1c2d3e";
  EXPECT_EQ(allocations_of([&] { ASSERT_TRUE(table.decide(facts).eligible); }), 0U);
}

TEST(HotPath, LooksIntoBodiesWithoutAllocating) {
  const std::string body =
      R"({"system":[{"text":"be brief"}],"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":1}})";
  EXPECT_EQ(allocations_of([&] { conversation_key(body, 1 << 18); }), 0U);
  EXPECT_EQ(allocations_of([&] { ASSERT_TRUE(is_probe(body)); }), 0U);
}

}  // namespace
}  // namespace understudy::routing
