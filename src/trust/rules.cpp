#include "trust/rules.hpp"

#include <map>
#include <set>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "trust/limits.hpp"
#include "trust/text.hpp"

namespace shamon {
namespace {

constexpr std::string_view kBuiltinRules =
#include "trust/rules.shamon"
    ;

bool is_variable(Token const& token) noexcept {
  if (token.kind != TokenKind::word) return false;
  char const c = token.text[0];
  return (c >= 'A' && c <= 'Z') || c == '_';
}

class RuleParser {
 public:
  explicit RuleParser(std::string_view text) : lexer_(text) {}

  Result<RuleSet> parse() {
    RuleSet set;
    for (;;) {
      auto const token = lexer_.peek();
      if (!token) return pass(token);
      if (token->kind == TokenKind::end) return set;
      if (set.rules.size() == kRulesMax) {
        return fail_at(Errc::too_large, token->offset, "too many rules");
      }
      auto rule = parse_rule();
      if (!rule) return pass(rule);
      if (auto ok = check(*rule, token->offset); !ok) return pass(ok);
      set.rules.push_back(std::move(*rule));
    }
  }

 private:
  Result<RuleTerm> parse_term() {
    auto token = lexer_.expect_text("a name, a text or a variable");
    if (!token) return pass(token);
    if (token->text == "_" && token->kind == TokenKind::word) {
      return RuleTerm{true, fmt::format("_{}", ++anonymous_)};
    }
    return RuleTerm{is_variable(*token), std::move(token->text)};
  }

  Result<RuleAtom> parse_atom() {
    RuleAtom atom;
    auto speaker = parse_term();
    if (!speaker) return pass(speaker);
    atom.speaker = std::move(*speaker);
    if (auto ok = lexer_.expect("says"); !ok) return pass(ok);
    auto predicate = lexer_.expect_text("a predicate");
    if (!predicate) return pass(predicate);
    if (predicate->kind != TokenKind::word || is_variable(*predicate)) {
      return fail_at(Errc::malformed, predicate->offset, "a predicate is a lower-case word");
    }
    atom.predicate = std::move(predicate->text);
    if (auto ok = lexer_.expect("("); !ok) return pass(ok);
    for (;;) {
      if (atom.terms.size() == kStatementTermsMax) {
        return fail_at(Errc::too_large, predicate->offset, "too many terms");
      }
      auto term = parse_term();
      if (!term) return pass(term);
      atom.terms.push_back(std::move(*term));
      auto mark = lexer_.next();
      if (!mark) return pass(mark);
      if (mark->kind == TokenKind::punctuation && mark->text == ")") break;
      if (mark->kind != TokenKind::punctuation || mark->text != ",") {
        return fail_at(Errc::malformed, mark->offset, "',' or ')' expected");
      }
    }
    auto const [known, added] = arity_.emplace(atom.predicate, atom.terms.size());
    if (!added && known->second != atom.terms.size()) {
      return fail_at(Errc::invalid, predicate->offset,
                     fmt::format("'{}' has {} terms elsewhere", atom.predicate, known->second));
    }
    return atom;
  }

  Result<Rule> parse_rule() {
    Rule rule;
    anonymous_ = 0;
    if (auto ok = lexer_.expect("rule"); !ok) return pass(ok);
    auto name = lexer_.expect_text("the rule's name");
    if (!name) return pass(name);
    rule.name = std::move(name->text);
    rule.line = name->line;
    auto meaning = lexer_.expect_text("the rule's meaning");
    if (!meaning) return pass(meaning);
    rule.meaning = std::move(meaning->text);
    auto head = parse_atom();
    if (!head) return pass(head);
    rule.head = std::move(*head);
    if (auto ok = lexer_.expect("if"); !ok) return pass(ok);
    for (;;) {
      if (rule.body.size() == kRuleBodyMax) {
        return fail_at(Errc::too_large, name->offset, "too many premises");
      }
      auto atom = parse_atom();
      if (!atom) return pass(atom);
      rule.body.push_back(std::move(*atom));
      auto mark = lexer_.next();
      if (!mark) return pass(mark);
      if (mark->kind == TokenKind::punctuation && mark->text == ".") return rule;
      if (mark->kind != TokenKind::punctuation || mark->text != ",") {
        return fail_at(Errc::malformed, mark->offset, "',' or '.' expected");
      }
    }
  }

  Status check(Rule const& rule, std::uint64_t offset) {
    if (!names_.insert(rule.name).second) {
      return fail_at(Errc::invalid, offset, fmt::format("two rules named '{}'", rule.name));
    }
    std::set<std::string> bound;
    auto const bind = [&](RuleTerm const& t) {
      if (t.variable) bound.insert(t.text);
    };
    for (auto const& atom : rule.body) {
      bind(atom.speaker);
      for (auto const& term : atom.terms) bind(term);
    }
    if (bound.size() > kRuleVariablesMax) {
      return fail_at(Errc::too_large, offset, fmt::format("rule '{}': variables", rule.name));
    }
    auto const unbound = [&](RuleTerm const& t) { return t.variable && !bound.contains(t.text); };
    bool bad = unbound(rule.head.speaker);
    for (auto const& term : rule.head.terms) bad = bad || unbound(term);
    if (bad) {
      return fail_at(
          Errc::invalid, offset,
          fmt::format("rule '{}': the head has a variable that no premise binds", rule.name));
    }
    return {};
  }

  Lexer lexer_;
  unsigned anonymous_ = 0;
  std::map<std::string, std::size_t> arity_;
  std::set<std::string> names_;
};

}  // namespace

Rule const* RuleSet::find(std::string_view name) const noexcept {
  for (auto const& rule : rules) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

Result<RuleSet> parse_rules(std::string_view text) {
  if (text.size() > kRulesBytesMax) return fail(Errc::too_large, "rules file");
  return RuleParser(text).parse();
}

std::string_view builtin_rules_text() noexcept {
  return kBuiltinRules.substr(1);
}

RuleSet const& builtin_rules() {
  static RuleSet const rules = [] {
    auto parsed = parse_rules(builtin_rules_text());
    SHAMON_ASSERT(parsed.has_value());
    return std::move(*parsed);
  }();
  return rules;
}

}  // namespace shamon
