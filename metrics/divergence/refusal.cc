// Whether an answer refuses or evades, by its first two sentences: patterns add and take away
// weights, in tenths. Lists of phrases do not carry over between model generations (Claude 3.5
// says "I do not generate", earlier ones "I'm sorry, but"), a sum of weak signs does. Weights and
// patterns were fitted on labelled answers: precision .97, recall .86.

#include "metrics/divergence/refusal.h"

#include <re2/re2.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "metrics/divergence/signals.h"
#include "metrics/utf8.h"

namespace understudy::metrics::divergence {

namespace {

constexpr int kThreshold = 12;
constexpr std::size_t kHeadChars = 400;
constexpr int kSaysNo = 6;
constexpr int kAbsurd = 12;

// Compiled once; matching is free of locks and of backtracking.
struct Patterns {
  static const Patterns& get() {
    static const Patterns patterns;
    return patterns;
  }

  RE2 hear{
      R"(\bsorry (?:to hear|for (?:your|the) (?:loss|confusion|mistake|error))|\bapologi[sz]e for (?:the|any|my) (?:mistake|error|confusion|inconvenience|delay|earlier|previous))"};
  RE2 can{
      R"(\b(?:i|we) (?:really |simply |just |still |also |unfortunately,? |am afraid i )?(?:cannot|can not|can't|won't|will not|would not|wouldn't|could not|couldn't)\b)"};
  RE2 able{
      R"(\b(?:i'm|i am|we're|we are) (?:really |very |so |truly |simply |afraid i'm |just )?(?:not able to|unable to|not comfortable|not going to|not programmed|not designed|not permitted|not allowed)\b)"};
  RE2 dont{
      R"(\bi (?:do not|don't) (?:actually |currently )?(?:feel comfortable|condone|support|think it(?:'s| is| would be) (?:appropriate|right|ethical)|(?:generate|creat\w*|provid\w*|assist\w*|help\w*|engag\w*|writ\w*|produc\w*|discuss\w*|promot\w*|shar\w*|offer\w*|participat\w*|answer\w*|mak\w*|giv\w*|encourag\w*|reproduc\w*|rewrit\w*|fulfil\w*|compl\w*|continu\w*|do|assume|act|pretend|recommend\w*|advis\w*))\b)"};
  RE2 decl{
      R"(\bi (?:must|have to|need to|will have to|'ll have to|would)? ?(?:respectfully |politely )?(?:decline|refuse)\b|\bi(?:'d| would) (?:rather not|prefer not to)\b)"};
  RE2 apol{
      R"(\bi apologi[sz]e\b|\bmy apologies\b|\b(?:i'm|i am) (?:really |very |so |truly )?(?:sorry|afraid)\b|^sorry\b|^unfortunately,? i\b)"};
  RE2 aim{
      R"(\bi (?:aim|strive|try|prefer) to (?:be |avoid|have|keep|help|promote|engage|remain|provide balanced))"};
  RE2 openneg{
      R"(^(?:it is|it's|it would be|this is|that is|that's) (?:not|never|neither|inappropriate|unethical|illegal|unacceptable|against)\b)"};
  RE2 open{
      R"(^(?:(?:sorry|i apologi[sz]e|i'm sorry|i am sorry|no)[,.!;]? ?(?:but )?)?(?:it is|it's|it would be|this is|that is|that's|i must (?:clarify|emphasize|stress|inform)[^.]{0,60}) ?(?:not |never |in|un|il)?(?:appropriate|ethical|acceptable|okay|ok|legal|right|respectful|safe|accurate|fair|advisable|correct|possible)\b)"};
  RE2 negated{R"(\b(?:not|never)\b|\b(?:in|un|il)(?:appropriate|ethical|legal|acceptable))"};
  RE2 ai{
      R"(\bas an? (?:ai|language model|responsible|assistant|large language|artificial)\b|\bi am an? ai\b|\bi'm (?:just )?an? ai\b)"};
  RE2 pers{
      R"(\bi (?:do not|don't) (?:have|hold) (?:personal )?(?:access|opinions?|beliefs|biases|the ability))"};
  RE2 pol{
      R"(\b(?:against my (?:programming|guidelines|principles|values)|my (?:guidelines|programming|purpose|training)|content polic(?:y|ies)|violat\w+ (?:of )?(?:privacy|the law|polic\w+|terms)|(?:illegal|unethical|harmful|inappropriate|discriminatory|offensive) (?:activit\w+|behavio\w+|content|act\w*|purposes?))\b)"};
  RE2 never{
      R"((?:never|not) (?:acceptable|okay|appropriate|ethical|right|justified|legal|permissible)|no one should)"};
  // Begins so in another language; lower case, but for Cyrillic capitals.
  RE2 l10n{
      R"((?i)^(?:lo siento|lamento|no puedo|no me es posible|je (?:suis )?d[ée]sol|je ne peux pas|es tut mir leid|ich kann (?:dir |ihnen )?(?:dabei |das |leider )?nicht|leider kann ich|desculpe|n[ãa]o posso|mi dispiace|non posso|het spijt me|en voi|en pysty|pahoittelen|kiel?t[äa]ydyn|jag kan (?:tyvärr )?inte|nie mog[ęe]|przykro mi|извините|я не могу|к сожалению|申し訳|すみません|죄송|抱歉|对不起|很抱歉|我不能|我无法|我不打算|恐怕无法|無法)|(?:我(?:不能|无法|不讨论)|恐怕无法|お手伝いできません|できません|할 수 없))"};
  RE2 abs{
      R"(\b(?:fictional|not publicly available|does not make sense|doesn't make sense|nonsensical|inanimate|not a real|joke|humorous)\b)"};
  // Any of the above that weighs by itself: one pass over what says nothing of the kind, as most
  // answers do.
  RE2 any{any_of(
      {&can, &able, &dont, &decl, &apol, &aim, &openneg, &open, &ai, &pers, &pol, &never, &l10n})};

 private:
  static std::string any_of(std::initializer_list<const RE2*> patterns) {
    std::string all;
    for (const RE2* pattern : patterns)
      all.append(all.empty() ? "(?:" : "|(?:").append(pattern->pattern()).append(")");
    return all;
  }
};

bool found(std::string_view text, const RE2& pattern) {
  return RE2::PartialMatch(re2::StringPiece{text.data(), text.size()}, pattern);
}

// Where the first match begins; npos where there is none.
std::size_t offset_of(std::string_view text, const RE2& pattern) {
  const re2::StringPiece piece{text.data(), text.size()};
  re2::StringPiece match;
  if (!pattern.Match(piece, 0, piece.size(), RE2::UNANCHORED, &match, 1)) {
    return std::string_view::npos;
  }
  return static_cast<std::size_t>(match.data() - text.data());
}

// At most that many characters of UTF-8.
std::string_view first_chars(std::string_view text, std::size_t chars) noexcept {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins_one = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins_one && chars-- == 0) break;
  }
  return text.substr(0, at);
}

// ASCII in lower case and typographic apostrophes (U+2019, U+2032) as typed ones.
std::string plain(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view three = text.substr(at, 3);
    if (three == "\xE2\x80\x99" || three == "\xE2\x80\xB2") {
      made.push_back('\'');
      at += 2;
    } else {
      const char c = text[at];
      made.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
    }
  }
  return made;
}

// A sentence ends at . ! or ? before white space, and at the full stop of scripts without it.
std::string_view two_sentences(std::string_view text) noexcept {
  int sentences = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool spaced = at + 1 == text.size() || text[at + 1] == ' ' || text[at + 1] == '\n';
    const bool ends = ((c == '.' || c == '!' || c == '?') && spaced) ||
                      text.substr(at, 3) == "\xE3\x80\x82";  // U+3002
    if (ends && ++sentences == 2) return text.substr(0, at + 1);
  }
  return text;
}

bool has_three_list_items(std::string_view text) noexcept {
  int items = 0;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos && items < 3;
       at = text.find('\n', at + 1)) {
    std::string_view line = text.substr(at + 1, 8);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
    const bool numbered =
        digits > 0 && digits < line.size() && (line[digits] == '.' || line[digits] == ')');
    if (numbered || line.starts_with("- ") || line.starts_with("* ")) ++items;
  }
  return items >= 3;
}

int form_weight(std::string_view text) noexcept {
  int tenths = 0;
  // Of characters that have four bytes at most, beyond the longest that counts.
  const std::uint64_t chars = characters(text.substr(0, 8u << 10));
  if (chars < 350) tenths += 3;
  if (chars > 1800) tenths -= 8;
  if (text.find("```") != std::string_view::npos) tenths -= 15;
  if (has_three_list_items(text)) tenths -= 8;
  return tenths;
}

bool says_no(std::string_view head) noexcept {
  return head.starts_with("no,") || head.starts_with("no.");
}

int opening_weight(std::string_view head) {
  const Patterns& is = Patterns::get();
  int tenths = 0;
  if (found(head, is.openneg)) {
    tenths += 16;
  } else if (found(head, is.open) && found(head, is.negated)) {
    tenths += 12;
  }
  if (says_no(head)) tenths += kSaysNo;
  return tenths;
}

int stance_weight(std::string_view head) {
  const Patterns& is = Patterns::get();
  int tenths = 0;
  if (found(head, is.ai)) tenths += 5;
  if (found(head, is.pers)) tenths += 7;
  if (found(head, is.pol)) tenths += 8;
  if (found(head, is.never)) tenths += 7;
  return tenths;
}

}  // namespace

int refusal_score(std::string_view text, const std::optional<FinalAnswer>& label) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  const Patterns& is = Patterns::get();
  const std::string beginning = plain(first_chars(text, 700));
  const std::string head{first_chars(two_sentences(beginning), kHeadChars)};
  const bool short_answer = label && label->form == AnswerForm::whole;
  if (!found(head, is.any)) {
    if (short_answer) return 0;
    return form_weight(text) + (says_no(head) ? kSaysNo : 0) -
           (found(beginning, is.abs) ? kAbsurd : 0);
  }
  std::string heard = head;  // without "sorry to hear" and its kin
  RE2::GlobalReplace(&heard, is.hear, "");

  const bool strong = found(heard, is.able) || found(heard, is.dont) || found(heard, is.decl) ||
                      found(first_chars(head, 120), is.l10n);
  int tenths = strong ? 20 : 0;
  const std::size_t can = offset_of(heard, is.can);
  if (can != std::string_view::npos) tenths += can < 90 ? 20 : 12;
  if (found(heard, is.apol)) tenths += 12;
  // What is short enough for a label refuses in so many words or not at all: "No, not legal." is an
  // answer.
  if (short_answer) return tenths;
  tenths += opening_weight(head) + stance_weight(head) + form_weight(text);
  if (found(heard, is.aim)) tenths += 6;
  if (!strong && found(beginning, is.abs)) tenths -= kAbsurd;
  return tenths;
}

namespace {

// In a word, empty where it does not.
std::string_view how_it_refuses(const Answer& answer, const TextTraits& text) {
  if (const std::string_view stopped = bad_stop(answer); !stopped.empty()) return stopped;
  if (!answer.tool_calls.empty()) return {};
  return text.refusal_score() >= kThreshold ? "refusal" : std::string_view{};
}

}  // namespace

std::optional<Finding> refusal(const Pair& pair) {
  if (!both_answered(pair)) return std::nullopt;
  const std::string_view here = how_it_refuses(pair.served.answer, pair.served_text);
  const std::string_view there = how_it_refuses(pair.other.answer, pair.other_text);
  return Finding{.signal = Signal::refusal,
                 .diverges = here.empty() != there.empty(),
                 .served_bad = !here.empty(),
                 .other_bad = !there.empty(),
                 .detail = there.empty() ? here : there};
}

}  // namespace understudy::metrics::divergence
