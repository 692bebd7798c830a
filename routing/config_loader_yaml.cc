#include "routing/config_loader_yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace understudy::routing {
namespace {

Place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1};
}

// Builds the tree from the parser's events rather than from YAML::Node, which resolves aliases and
// drops duplicate keys before anybody could see them.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, ConfigNode& root, Problems& problems)
      : text_(text), root_(root), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw YAML::ParserException(mark, "the file has a second document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (at_key()) throw YAML::ParserException(mark, "a key is empty");
    ConfigNode& node = open(mark, "", anchor);
    // The parser's mark is that of whatever comes next, often lines below.
    if (!stack_.empty() && stack_.back().node->kind == ConfigNode::Kind::map) {
      node.place = stack_.back().node->members.back().place;
    }
    close();
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (at_key()) throw YAML::ParserException(mark, "an alias stands for a key");
    ConfigNode& node = open(mark, "", 0);
    node.refused = true;
    problems_.add(node.place, path(), "aliases (*) are not supported");
    close();
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (is_open_quote(mark)) throw YAML::ParserException(mark, "the quotation is never closed");
    if (at_key()) return take_key(mark, tag, anchor, value);
    ConfigNode& node = open(mark, tag, anchor);
    node.kind = ConfigNode::Kind::scalar;
    node.text = value;
    node.plain = tag == "?";
    close();
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    push(mark, tag, anchor, ConfigNode::Kind::list);
  }
  void OnSequenceEnd() override { pop(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    push(mark, tag, anchor, ConfigNode::Kind::map);
  }
  void OnMapEnd() override { pop(); }

 private:
  struct Open {
    ConfigNode* node;
    bool key_is_next;
  };

  // The parser takes the end of the file for a closing quote, which lets a half-written file pass.
  bool is_open_quote(const YAML::Mark& mark) const {
    if (mark.is_null() || static_cast<std::size_t>(mark.pos) >= text_.size()) return false;
    std::string_view rest = text_.substr(static_cast<std::size_t>(mark.pos));
    const char quote = rest.front();
    if (quote != '"' && quote != '\'') return false;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (quote == '"' && rest[i] == '\\') {
        ++i;
      } else if (rest[i] == quote) {
        if (quote == '"' || i + 1 == rest.size() || rest[i + 1] != quote) return false;
        ++i;  // '' stands for one '
      }
    }
    return true;
  }

  bool at_key() const { return !stack_.empty() && stack_.back().key_is_next; }

  void take_key(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& key) {
    count(mark);
    ConfigNode& map = *stack_.back().node;
    const ConfigMember* first = map.find(key);
    map.members.push_back({key, place_of(mark), {}});
    stack_.back().key_is_next = false;
    refuse_properties(place_of(mark), tag, anchor);
    if (first != nullptr) {
      first = map.find(key);  // push_back may have moved it
      problems_.add(place_of(mark), path(),
                    "is given twice, first on line " + std::to_string(first->place.line));
    }
  }

  // The node that the next value fills: the root, a new list item, or the value of the last key.
  ConfigNode& open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    count(mark);
    ConfigNode* node = &root_;
    if (!stack_.empty()) {
      ConfigNode& parent = *stack_.back().node;
      node = parent.kind == ConfigNode::Kind::map ? &parent.members.back().value
                                                  : &parent.items.emplace_back();
    }
    node->place = place_of(mark);
    refuse_properties(node->place, tag, anchor);
    return *node;
  }

  void close() {
    if (stack_.empty()) return;
    Open& parent = stack_.back();
    parent.key_is_next = parent.node->kind == ConfigNode::Kind::map;
  }

  void push(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            ConfigNode::Kind kind) {
    if (at_key()) throw YAML::ParserException(mark, "a key is a list or a map");
    if (stack_.size() == kMaxConfigDepth) {
      throw YAML::ParserException(mark, "the file is nested deeper than 32 levels");
    }
    ConfigNode& node = open(mark, tag, anchor);
    node.kind = kind;
    stack_.push_back({&node, kind == ConfigNode::Kind::map});
  }

  void pop() {
    stack_.pop_back();
    close();
  }

  void count(const YAML::Mark& mark) {
    if (++nodes_ > kMaxConfigNodes) {
      throw YAML::ParserException(mark, "the file has more than 10,000 values");
    }
  }

  // yaml-cpp gives "?" for plain text and "!" for quoted text where nobody wrote a tag.
  void refuse_properties(Place place, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) problems_.add(place, path(), "anchors (&) are not supported");
    if (!tag.empty() && tag != "?" && tag != "!") {
      problems_.add(place, path(), "tags (!) are not supported");
    }
  }

  std::string path() const {
    std::string path;
    for (const Open& open : stack_) {
      if (open.node->kind == ConfigNode::Kind::list) {
        path += '[' + std::to_string(open.node->items.size() - 1) + ']';
      } else if (!open.node->members.empty()) {
        path += (path.empty() ? "" : ".") + shown(open.node->members.back().key);
      }
    }
    return path;
  }

  const std::string_view text_;
  ConfigNode& root_;
  Problems& problems_;
  std::vector<Open> stack_;  // pointers stay good: a parent grows only while no child is open
  std::size_t documents_ = 0;
  std::size_t nodes_ = 0;
};

// The line, from 0, without its indentation and dash; empty where there is none.
std::string_view line_of(std::string_view text, int line) {
  if (line < 0) return {};
  for (; line > 0 && !text.empty(); --line)
    text.remove_prefix(std::min(text.size(), std::min(text.size(), text.find('\n')) + 1));
  text = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" -")));
  return text;
}

// What the parser finds is often the end of what somebody else began.
std::string layout_hint(std::string_view text, int line) {
  if (line_of(text, line).starts_with('\t')) return ": indent by spaces, not by tabs";
  if (lacks_space_after_colon(line_of(text, line)) ||
      lacks_space_after_colon(line_of(text, line - 1)))
    return ": is a space missing after a colon, on this line or the one before?";
  return ": check the indentation of this line and the one before";
}

// The parser's own words, and what they mean for who wrote the file.
std::string in_plain_words(const YAML::Exception& error, std::string_view text) {
  namespace Said = YAML::ErrorMsg;
  const std::string& said = error.msg;
  for (const char* alias : {Said::UNKNOWN_ANCHOR, Said::ALIAS_NOT_FOUND, Said::CHAR_IN_ALIAS})
    if (said == alias) return "text that begins with * needs quotes";
  for (const char* anchor : {Said::ANCHOR_NOT_FOUND, Said::CHAR_IN_ANCHOR})
    if (said == anchor) return "text that begins with & needs quotes";
  if (said == Said::END_OF_MAP_FLOW) return "a { is not closed, or a comma is missing in it";
  if (said == Said::END_OF_SEQ_FLOW) return "a [ is not closed, or a comma is missing in it";
  for (const char* layout : {Said::END_OF_MAP, Said::END_OF_SEQ, Said::MAP_KEY, Said::MAP_VALUE,
                             Said::BLOCK_ENTRY, Said::TAB_IN_INDENTATION})
    if (said == layout) return said + layout_hint(text, error.mark.line);
  return said;
}

}  // namespace

std::optional<ConfigNode> parse_yaml(std::string_view text, Problems& problems) {
  ConfigNode root;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(text, root, problems);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    problems.add(place_of(error.mark), "", in_plain_words(error, text));
    return std::nullopt;
  }
  return root;
}

}  // namespace understudy::routing
