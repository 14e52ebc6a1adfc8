#include "operator/lsp/completion.hpp"

#include <algorithm>

#include "policy/language/level_words.hpp"
#include "policy/language/spelling.hpp"
#include "policy/language/token.hpp"

namespace shamon::lsp {
namespace {

using Words = std::vector<std::string>;

class Proposer {
 public:
  Proposer(Words words, PolicyDocument const& document)
      : words_(std::move(words)), document_(document) {}

  std::vector<Proposal> run() && {
    if (words_.empty()) {
      keywords({"coalition", "include", "type", "category", "label", "wall", "allow", "member",
                "goal", "map"});
    } else if (words_[0] == "coalition") {
      if (words_.size() == 2) keywords({"revision"});
    } else if (words_[0] == "label") {
      label();
    } else if (words_[0] == "wall") {
      if (words_.size() == 2) keywords({"{"});
      if (words_.size() > 2) types();
    } else if (words_[0] == "allow") {
      allow();
    } else if (words_[0] == "member") {
      member();
    } else if (words_[0] == "goal") {
      goal();
    } else if (words_[0] == "map") {
      if (words_.size() == 2) keywords({"{"});
      if (words_.back() == "=") labels();
    }
    return std::move(out_);
  }

 private:
  void add(std::string_view text, ProposalKind kind) { out_.push_back({std::string(text), kind}); }
  void keywords(std::initializer_list<std::string_view> words) {
    for (auto word : words) add(word, ProposalKind::keyword);
  }
  void labels() {
    for (auto const& label : document_.labels)
      add(spell_name(label.name.text), ProposalKind::label);
  }
  void types() {
    for (auto const& statement : document_.types) {
      for (auto const& name : statement.names) add(spell_name(name.text), ProposalKind::type);
    }
  }
  void categories() {
    for (auto const& statement : document_.categories) {
      for (auto const& name : statement.names) add(spell_name(name.text), ProposalKind::category);
    }
  }

  /// The last of these words that stands in the line, or nothing.
  std::string last_of(std::initializer_list<std::string_view> wanted) const {
    auto const at =
        std::find_first_of(words_.rbegin(), words_.rend(), wanted.begin(), wanted.end());
    return at == words_.rend() ? "" : *at;
  }

  void label() {
    if (words_.size() == 2) return keywords({"{"});
    if (words_.size() < 3) return;
    auto const opened = std::count(words_.begin(), words_.end(), "{");
    auto const closed = std::count(words_.begin(), words_.end(), "}");
    if (opened - closed > 1) return categories();
    if (opened == closed) return;
    std::string const& last = words_.back();
    if (last == "secrecy") {
      for (auto level : kSecrecyNames) add(level, ProposalKind::value);
    } else if (last == "integrity") {
      for (auto level : kIntegrityNames) add(level, ProposalKind::value);
    } else {
      std::string const attribute =
          last_of({"share", "wall", "secrecy", "integrity", "guard", "{"});
      if (attribute == "share" || attribute == "wall") types();
      if (last == "wall") keywords({"none"});
      keywords({"share", "wall", "secrecy", "integrity", "guard", "}"});
    }
  }

  void allow() {
    if (words_.size() == 1 || words_.size() == 3) return labels();
    if (words_.size() == 2) return keywords({"->", "<->"});
    bool const two_way = words_[2] == "<->";
    for (std::string_view service : {"tcp/", "udp/", "icmp", "tcp", "udp"}) {
      if (two_way || service.substr(0, 3) != "tcp") add(service, ProposalKind::value);
    }
  }

  void member() {
    if (words_.size() == 1) return keywords({"host", "vm"});
    std::string const& last = words_.back();
    if (words_[1] == "vm") {
      if (words_.size() == 2) return labels();
      if (words_.size() == 3) return keywords({"when"});
      if (last == "when") return keywords({"image"});
      if (last == "image") keywords({"in"});
      return;
    }
    if (words_.size() == 2) return keywords({"when"});
    if (last == "when" || last == "and") return keywords({"platform", "attested", "location"});
    if (last == "platform" || last == "location") return keywords({"in"});
    if (last == "attested") return keywords({"within"});
    if (last == "within") return add("60s", ProposalKind::value);
    keywords({"and"});
  }

  void goal() {
    switch (words_.size()) {
      case 1:
      case 4: labels(); return add(kInternet, ProposalKind::value);
      case 2: return keywords({"never"});
      case 3: return keywords({"reaches"});
      case 5: return keywords({"except"});
      case 6: return keywords({"through"});
      default: break;
    }
    for (auto const& label : document_.labels) {
      if (label.guard) add(spell_name(label.name.text), ProposalKind::label);
    }
  }

  Words words_;
  PolicyDocument const& document_;
  std::vector<Proposal> out_;
};

}  // namespace

std::vector<Proposal> proposals(std::string_view before, PolicyDocument const& document) {
  Diagnostics mistakes;
  std::string const file;
  TokenLine const line = tokenize({file, 1, before}, mistakes);
  if (!line.ok || !line.comment.empty()) return {};
  Words words;
  bool writing = false;
  for (auto const& token : line.tokens) {
    if (token.kind == Token::Kind::end) break;
    if (token.text == ",") continue;
    words.emplace_back(token.text);
    writing =
        token.kind == Token::Kind::word && token.column - 1 + token.text.size() == before.size();
  }
  if (writing) words.pop_back();
  return Proposer(std::move(words), document).run();
}

}  // namespace shamon::lsp
