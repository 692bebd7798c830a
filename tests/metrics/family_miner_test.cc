#include "metrics/family_miner.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>

namespace understudy::metrics {
namespace {

constexpr std::array<std::string_view, 40> kWords{
    "river",  "stone",  "cloud",  "winter", "paper",  "engine", "garden", "silver",
    "bridge", "lamp",   "forest", "window", "market", "letter", "ocean",  "ladder",
    "copper", "valley", "candle", "mirror", "harbor", "meadow", "ticket", "museum",
    "violin", "carpet", "tunnel", "basket", "planet", "sugar",  "needle", "helmet",
    "island", "pepper", "dragon", "pocket", "rocket", "saddle", "temple", "walnut"};

std::string chatter(std::minstd_rand& random, std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i)
    text += std::string(kWords[random() % kWords.size()]) + " ";
  return text;
}

// A word of letters that nobody has used before.
std::string fresh_word(std::minstd_rand& random) {
  std::string word;
  for (int i = 0; i < 8; ++i) word += static_cast<char>('a' + random() % 26);
  return word;
}

PromptText user(std::string text) {
  PromptText prompt;
  prompt.user = std::move(text);
  return prompt;
}

std::string invoice(std::minstd_rand& random) {
  return "Extract the total, the currency and the due date from the invoice below and answer with "
         "JSON only. Invoice number " +
         std::to_string(random()) + ": " + chatter(random, 60);
}
std::string ticket(std::minstd_rand& random) {
  return "You are a support agent of a parcel service. Classify the customer's message as late, "
         "lost, damaged or other, with one word. Message: " +
         chatter(random, 40);
}

TEST(FamilyMiner, TellsTemplatesApartWhateverFillsThem) {
  FamilyMiner miner;
  std::minstd_rand random(5);
  std::map<std::string, int> invoices, tickets;
  for (int i = 0; i < 300; ++i) {
    ++invoices[miner.family_of(user(invoice(random)))];
    ++tickets[miner.family_of(user(ticket(random)))];
  }
  const auto largest = [](const std::map<std::string, int>& counts) {
    std::pair<std::string, int> most;
    for (const auto& [name, count] : counts) {
      if (!name.empty() && count > most.second) most = {name, count};
    }
    return most;
  };
  EXPECT_GT(largest(invoices).second, 270);
  EXPECT_GT(largest(tickets).second, 270);
  EXPECT_NE(largest(invoices).first, largest(tickets).first);
  EXPECT_TRUE(largest(invoices).first.starts_with("mined-"));
}

TEST(FamilyMiner, SaysNothingOfFreeChat) {
  FamilyMiner miner;
  std::minstd_rand random(6);
  int named = 0;
  for (int i = 0; i < 300; ++i) named += miner.family_of(user(chatter(random, 40))).empty() ? 0 : 1;
  EXPECT_LT(named, 30);
}

TEST(FamilyMiner, FindsTheTemplateInTheSystemPrompt) {
  FamilyMiner miner;
  std::minstd_rand random(7);
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    PromptText prompt = user(chatter(random, 30));
    prompt.system =
        "You translate product descriptions into friendly German for a garden shop. Today is "
        "2026-11-" +
        std::to_string(10 + i % 19) + ". Keep names of products as they are.";
    const std::string name = miner.family_of(prompt);
    if (i >= 10) names.insert(name);
  }
  EXPECT_EQ(names.size(), 1u);
}

TEST(FamilyMiner, StaysBoundedUnderGarbage) {
  FamilyMiner miner;
  std::minstd_rand random(8);
  for (int i = 0; i < 1'000; ++i) {
    std::string text;
    for (int word = 0; word < 30; ++word) text += fresh_word(random) + " ";
    for (int again = 0; again < 8; ++again) miner.family_of(user(text));
  }
  EXPECT_LE(miner.families(), FamilyMiner::kMaxFamilies);
}

// A long template with another filling in every request, each sent so often that it counts as
// frequent, too.
TEST(FamilyMiner, CountsABoundedNumberOfShinglesOfAFamily) {
  FamilyMiner miner;
  std::minstd_rand random(2);
  std::string frame;
  for (int word = 0; word < 900; ++word) frame += fresh_word(random) + " ";
  for (int i = 0; i < 30; ++i) {
    std::string text;
    for (int word = 0; word < 120; ++word) text += fresh_word(random) + " ";
    PromptText prompt = user(text);
    prompt.system = frame;
    for (int again = 0; again < 7; ++again) miner.family_of(prompt);
  }
  ASSERT_EQ(miner.families(), 1u);
  // Every shingle was frequent: a family without a bound would count them all once more.
  EXPECT_GT(miner.counted(), 2 * FamilyMiner::kMaxCounted) << "hostile enough";
  EXPECT_EQ(miner.counted_of_families(), FamilyMiner::kMaxCounted);
}

TEST(FamilyMiner, TakesHostileText) {
  FamilyMiner miner;
  for (const std::string& text :
       {std::string(1u << 20, 'a'), std::string(100'000, '<'), std::string(1'000, '\0'),
        std::string(10'000, '\xff'), std::string("```") + std::string(50'000, '`')}) {
    PromptText prompt = user(text);
    prompt.system = text;
    for (int i = 0; i < 8; ++i) (void)miner.family_of(prompt);
  }
}

// A restart must not give a family another name: its evidence is counted by it.
TEST(FamilyMiner, GoesOnWithTheFamiliesItHadAfterARestart) {
  FamilyMiner before;
  std::minstd_rand random(7);
  for (int i = 0; i < 100; ++i) {
    before.family_of(user(invoice(random)));
    before.family_of(user(ticket(random)));
  }
  FamilyMiner after = FamilyMiner::from_json(nlohmann::json::parse(before.to_json().dump()));
  EXPECT_EQ(after.families(), before.families());
  for (int i = 0; i < 100; ++i) {
    const PromptText one = user(invoice(random)), other = user(ticket(random));
    EXPECT_EQ(after.family_of(one), before.family_of(one));
    EXPECT_EQ(after.family_of(other), before.family_of(other));
  }
}

TEST(FamilyMiner, SavesNoTextOfAPrompt) {
  FamilyMiner miner;
  std::minstd_rand random(8);
  for (int i = 0; i < 50; ++i) miner.family_of(user(invoice(random)));
  const std::string saved = miner.to_json().dump();
  for (const std::string_view word : {"nvoice", "currency", "river"})
    EXPECT_EQ(saved.find(word), saved.npos) << word;
}

TEST(FamilyMiner, RefusesWhatItDidNotSave) {
  FamilyMiner miner;
  std::minstd_rand random(9);
  for (int i = 0; i < 50; ++i) miner.family_of(user(invoice(random)));
  const nlohmann::json good = miner.to_json();
  ASSERT_FALSE(good["families"].empty());
  const auto refuses = [](const nlohmann::json& bad) {
    EXPECT_ANY_THROW(FamilyMiner::from_json(bad)) << bad.dump().substr(0, 200);
  };
  nlohmann::json bad = good;
  bad["families"].push_back(bad["families"][0]);
  refuses(bad);
  bad = good;
  bad["families"][0]["name"] = "mined-<script>";
  refuses(bad);
  bad = good;
  bad["families"][0]["shingles"] = {2, 1};
  refuses(bad);
  bad = good;
  bad["seen_in"].push_back(1);
  refuses(bad);
  bad = good;
  bad["seen_in"][1] = -1;
  refuses(bad);
  bad = good;
  bad["families"] = nlohmann::json::array();
  for (std::size_t i = 0; i <= FamilyMiner::kMaxFamilies; ++i)
    bad["families"].push_back(good["families"][0]);
  refuses(bad);
  refuses(nullptr);
}

}  // namespace
}  // namespace understudy::metrics
