#include "trust/proof.hpp"

#include <charconv>

#include <fmt/format.h>

#include "trust/limits.hpp"
#include "trust/text.hpp"

namespace shamon {
namespace {

Result<std::int64_t> expect_number(Lexer& lexer, std::int64_t low, std::int64_t high) {
  auto const token = lexer.expect_text("a number");
  if (!token) return pass(token);
  std::int64_t value = 0;
  char const* const end = token->text.data() + token->text.size();
  auto const [stop, error] = std::from_chars(token->text.data(), end, value);
  // Only the one spelling of a number is accepted, so that a proof has one text.
  if (token->kind != TokenKind::word || error != std::errc() || stop != end ||
      fmt::format("{}", value) != token->text || value < low || value > high) {
    return fail_at(Errc::malformed, token->offset, "number expected");
  }
  return value;
}

Result<Statement> expect_statement(Lexer& lexer) {
  Statement statement;
  auto speaker = lexer.expect_text("a speaker");
  if (!speaker) return pass(speaker);
  statement.speaker = std::move(speaker->text);
  if (auto ok = lexer.expect("says"); !ok) return pass(ok);
  auto predicate = lexer.expect_text("a predicate");
  if (!predicate) return pass(predicate);
  if (predicate->kind != TokenKind::word) {
    return fail_at(Errc::malformed, predicate->offset, "a predicate is a word");
  }
  statement.predicate = std::move(predicate->text);
  if (auto ok = lexer.expect("("); !ok) return pass(ok);
  for (;;) {
    if (statement.terms.size() == kStatementTermsMax) {
      return fail_at(Errc::too_large, predicate->offset, "too many terms");
    }
    auto term = lexer.expect_text("a term");
    if (!term) return pass(term);
    statement.terms.push_back(std::move(term->text));
    auto mark = lexer.next();
    if (!mark) return pass(mark);
    if (mark->kind == TokenKind::punctuation && mark->text == ")") return statement;
    if (mark->kind != TokenKind::punctuation || mark->text != ",") {
      return fail_at(Errc::malformed, mark->offset, "',' or ')' expected");
    }
  }
}

Status parse_premises(Lexer& lexer, std::int64_t index, ProofStep& step) {
  for (;;) {
    auto const premise = expect_number(lexer, 1, index - 1);
    if (!premise) return pass(premise);
    if (step.premises.size() == kRuleBodyMax) return fail(Errc::too_large, "too many premises");
    step.premises.push_back(static_cast<std::uint32_t>(*premise - 1));
    auto const next = lexer.peek();
    if (!next) return pass(next);
    if (next->kind != TokenKind::punctuation || next->text != ",") return {};
    if (auto ok = lexer.expect(","); !ok) return ok;
  }
}

Result<ProofStep> parse_step(Lexer& lexer, std::int64_t index) {
  ProofStep step;
  if (auto const number = expect_number(lexer, index, index); !number) return pass(number);
  auto const kind = lexer.expect_text("'fact' or 'rule'");
  if (!kind) return pass(kind);
  bool const is_fact = kind->text == "fact";
  if (!is_fact) {
    if (kind->text != "rule") return fail_at(Errc::malformed, kind->offset, "'fact' or 'rule'");
    auto rule = lexer.expect_text("a rule's name");
    if (!rule) return pass(rule);
    if (rule->text.empty()) return fail_at(Errc::malformed, rule->offset, "a rule has a name");
    step.rule = std::move(rule->text);
  }
  auto statement = expect_statement(lexer);
  if (!statement) return pass(statement);
  step.statement = std::move(*statement);
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  if (auto ok = lexer.expect("from"); !ok) return pass(ok);
  auto const from = expect_number(lexer, 0, kMax);
  if (!from) return pass(from);
  if (auto ok = lexer.expect("until"); !ok) return pass(ok);
  auto const until = expect_number(lexer, 0, kMax);
  if (!until) return pass(until);
  step.validity = {{*from}, {*until}};
  if (!is_fact) {
    if (auto ok = lexer.expect("by"); !ok) return pass(ok);
    if (auto ok = parse_premises(lexer, index, step); !ok) return pass(ok);
    return step;
  }
  if (auto ok = lexer.expect("source"); !ok) return pass(ok);
  auto source = lexer.expect_text("a source");
  if (!source) return pass(source);
  step.source = std::move(source->text);
  return step;
}

void add_lines(Proof const& proof, RuleSet const& rules, std::uint32_t index, std::size_t depth,
               std::vector<bool>& shown, std::vector<std::string>& lines) {
  ProofStep const& step = proof.steps[index];
  std::string line(2 * depth, ' ');
  line += to_text(step.statement);
  if (step.rule.empty()) {
    line += fmt::format("   [{}]", step.source);
  } else {
    Rule const* rule = rules.find(step.rule);
    line += fmt::format("   by {}: {}", step.rule, rule != nullptr ? rule->meaning : "?");
  }
  bool const cut = shown[index] || depth == kMissingDepthMax;
  if (cut && !step.premises.empty()) line += shown[index] ? " (shown above)" : " …";
  lines.push_back(std::move(line));
  if (cut) return;
  shown[index] = true;
  for (auto const premise : step.premises) {
    add_lines(proof, rules, premise, depth + 1, shown, lines);
  }
}

}  // namespace

std::string encode_proof(Proof const& proof) {
  std::string out = "shamon-proof 1\n";
  for (std::size_t i = 0; i < proof.steps.size(); ++i) {
    ProofStep const& step = proof.steps[i];
    out += fmt::format("{} ", i + 1);
    out += step.rule.empty() ? "fact" : "rule " + quote_term(step.rule);
    out += fmt::format(" {} from {} until {}", to_text(step.statement), step.validity.from.unix_ms,
                       step.validity.until.unix_ms);
    if (step.rule.empty()) {
      out += " source " + quote_term(step.source) + "\n";
      continue;
    }
    out += " by";
    for (std::size_t k = 0; k < step.premises.size(); ++k) {
      out += fmt::format("{} {}", k == 0 ? "" : ",", step.premises[k] + 1);
    }
    out += "\n";
  }
  return out;
}

Result<Proof> parse_proof(std::string_view text) {
  if (text.size() > kProofTextBytesMax) return fail(Errc::too_large, "proof text");
  Lexer lexer(text);
  if (auto ok = lexer.expect("shamon-proof"); !ok) return pass(ok);
  if (auto ok = lexer.expect("1"); !ok) return pass(ok);
  Proof proof;
  for (;;) {
    auto const token = lexer.peek();
    if (!token) return pass(token);
    if (token->kind == TokenKind::end) break;
    if (proof.steps.size() == kProofStepsMax) {
      return fail_at(Errc::too_large, token->offset, "too many steps");
    }
    auto step = parse_step(lexer, static_cast<std::int64_t>(proof.steps.size()) + 1);
    if (!step) return pass(step);
    proof.steps.push_back(std::move(*step));
  }
  if (proof.steps.empty()) return fail_at(Errc::malformed, text.size(), "a proof has steps");
  return proof;
}

std::vector<std::string> proof_lines(Proof const& proof, RuleSet const& rules) {
  std::vector<std::string> lines;
  if (proof.steps.empty()) return lines;
  std::vector<bool> shown(proof.steps.size(), false);
  auto const last = static_cast<std::uint32_t>(proof.steps.size() - 1);
  add_lines(proof, rules, last, 0, shown, lines);
  return lines;
}

}  // namespace shamon
