#include "policy/language/parser.hpp"

#include <charconv>
#include <span>

#include "policy/language/spelling.hpp"
#include "policy/limits.hpp"

namespace shamon {
namespace {

constexpr std::string_view kStatements[] = {"coalition", "include", "type",   "category", "label",
                                            "wall",      "allow",   "member", "goal",     "map"};
constexpr std::string_view kAttributes[] = {"share", "wall", "secrecy", "integrity", "guard"};
constexpr std::string_view kClauses[] = {"platform", "attested", "location"};

template <std::size_t N>
bool is_one_of(std::string_view word, std::string_view const (&words)[N]) {
  for (auto candidate : words) {
    if (candidate == word) return true;
  }
  return false;
}

/// The whole text as a decimal number without leading zero, or nothing.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool const all = error == std::errc() && end == text.data() + text.size();
  if (!all || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return value;
}

/// 500ms, 60s, 5m, 24h: above 0 and at most a year, so that no later sum overflows.
std::optional<Duration> parse_duration(std::string_view text) {
  std::size_t const digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return std::nullopt;
  auto const count = parse_number(text.substr(0, digits));
  std::string_view const unit = text.substr(digits);
  constexpr std::uint64_t kYearMs = 365ull * 24 * 3'600'000;
  std::uint64_t unit_ms = 0;
  if (unit == "ms") unit_ms = 1;
  if (unit == "s") unit_ms = 1000;
  if (unit == "m") unit_ms = 60'000;
  if (unit == "h") unit_ms = 3'600'000;
  if (unit_ms == 0 || !count || *count == 0 || *count > kYearMs / unit_ms) return std::nullopt;
  return std::chrono::milliseconds(*count * unit_ms);
}

/// Recursive descent without recursion: one token ahead, the first error ends the line.
class LineParser {
 public:
  LineParser(std::vector<Token> const& tokens, SourceLine const& line, Diagnostics& diagnostics)
      : tokens_(tokens), line_(line), diagnostics_(diagnostics) {}

  std::optional<Statement> statement() {
    Token const first = next();
    if (first.text == "coalition") return finish(coalition());
    if (first.text == "include") return finish(include());
    if (first.text == "type") return finish(names<TypeStatement>("a type's name"));
    if (first.text == "category") return finish(names<CategoryStatement>("a category's name"));
    if (first.text == "label") return finish(label());
    if (first.text == "wall") return finish(wall());
    if (first.text == "allow") return finish(allow());
    if (first.text == "member") return member();
    if (first.text == "goal") return finish(goal());
    if (first.text == "map") return finish(map());
    unknown(first, kStatements, PolicyCode::unknown_statement, " does not start a statement");
    return std::nullopt;
  }

 private:
  // Tokens. After an error every accept fails, so that callers need not check each step.
  Token const& peek() const { return tokens_[at_]; }
  Token next() { return peek().kind == Token::Kind::end ? peek() : tokens_[at_++]; }
  bool at_end() const { return peek().kind == Token::Kind::end; }
  bool accept(std::string_view text) {
    if (!ok_ || at_end() || peek().text != text) return false;
    ++at_;
    return true;
  }

  void error(Token const& where, PolicyCode code, std::string message,
             std::string suggestion = {}) {
    if (ok_) {
      diagnostics_.add(line_.place(where.column, where.text.size()), code, std::move(message),
                       std::move(suggestion));
    }
    ok_ = false;
  }
  void unknown(Token const& word, std::span<const std::string_view> known, PolicyCode code,
               std::string const& what) {
    std::string const near = nearest(word.text, known);
    error(word, code, quoted(word.text) + what + did_you_mean(near), near);
  }
  void twice(Token const& word) {
    error(word, PolicyCode::twice_in_line, quoted(word.text) + " is there twice");
  }
  void too_many(std::size_t max, std::string const& what) {
    error(peek(), PolicyCode::too_many, "at most " + std::to_string(max) + " " + what);
  }
  void expected(std::string const& what) {
    error(peek(), PolicyCode::expected,
          "expected " + what + ", found " +
              (at_end() ? std::string("the end of the line") : quoted(peek().text)));
  }
  void expect(std::string_view text) {
    if (!accept(text)) expected(quoted(text));
  }

  static std::uint32_t length_of(Token const& token) {
    return static_cast<std::uint32_t>(token.text.size());
  }
  bool at_word() const { return peek().kind == Token::Kind::word; }

  bool at_text() const { return peek().kind == Token::Kind::text; }

  Name bare_name(std::string const& what) {
    if (!ok_) return {};
    if (!at_word() || !is_valid_name(peek().text)) {
      expected(what);
      return {};
    }
    Token const token = next();
    return {std::string(token.text), token.column, length_of(token)};
  }

  /// Bare or in quotes.
  Name name(std::string const& what) {
    if (!ok_ || !at_text()) return bare_name(what);
    Name out{unquote_text(peek().text), peek().column, length_of(peek())};
    if (!is_policy_name(out.text)) {
      error(peek(), PolicyCode::bad_quotes,
            "a name has 1 to 63 bytes of UTF-8 that can be seen, and no blank at either end");
      return {};
    }
    next();
    return out;
  }

  /// A name that the statement defines.
  Name new_name(std::string const& what) {
    if (ok_ && at_word() && is_reserved_word(peek().text)) {
      error(peek(), PolicyCode::reserved_word,
            quoted(peek().text) + " is a word of the language; in quotes it can be a name");
    }
    return name(what);
  }

  /// In a goal `internet` is the world outside, so a label of that name has none here.
  Name goal_name() {
    Token const token = peek();
    Name out = name("a label");
    if (ok_ && token.kind == Token::Kind::text && out.text == kInternet) {
      error(token, PolicyCode::reserved_word, "a goal cannot name a label 'internet'");
    }
    return out;
  }

  void add_once(std::vector<Name>& names, Name added) {
    for (auto const& there : names) {
      if (ok_ && there.text == added.text) {
        ok_ = false;
        diagnostics_.add(line_.place(added.column, added.length), PolicyCode::twice_in_line,
                         quoted(added.text) + " is there twice");
      }
    }
    if (names.size() == kListItemsMax) too_many(kListItemsMax, "names in a list");
    names.push_back(std::move(added));
  }

  /// { NAME, NAME NAME }: commas are welcome and not needed.
  std::vector<Name> set(std::string const& what) {
    std::vector<Name> names;
    expect("{");
    while (ok_ && (names.empty() || !accept("}"))) {
      add_once(names, name(names.empty() ? what : what + " or '}'"));
      accept(",");
    }
    return names;
  }

  /// What stands between quotes, for people or for the file system.
  Name text(std::string const& what) {
    if (!ok_) return {};
    if (!at_text()) {
      expected(what);
      return {};
    }
    Token const token = next();
    if (token.text.find('\\') != std::string_view::npos) {
      error(token, PolicyCode::bad_quotes, "no '\\' here");
    }
    return {std::string(token.text.substr(1, token.text.size() - 2)), token.column,
            length_of(token)};
  }

  template <class S>
  std::optional<Statement> finish(S statement) {
    if (ok_ && !at_end()) expected("the end of the line");
    if (!ok_) return std::nullopt;
    return Statement(std::move(statement));
  }

  // Statements, in the order of docs/policy-language.md.
  CoalitionStatement coalition() {
    CoalitionStatement out;
    out.name = bare_name("the coalition's name");
    expect("revision");
    auto const number = ok_ ? parse_number(peek().text) : std::nullopt;
    if (ok_ && (!number || *number == 0)) expected("a revision: a number from 1");
    if (!ok_) return out;
    next();
    out.revision = Revision(*number);
    if (!at_text()) return out;
    if (peek().text.size() > kRevisionNameBytesMax + 2) {
      error(peek(), PolicyCode::too_many_bytes,
            "a revision's name may have " + std::to_string(kRevisionNameBytesMax) + " bytes");
    }
    out.revision_name = text("the revision's name").text;
    return out;
  }

  IncludeStatement include() {
    IncludeStatement out;
    out.path = text("the file's path in quotes");
    return out;
  }

  /// `type` and `category`: names up to the end of the line.
  template <class S>
  S names(std::string const& what) {
    S out;
    do {
      add_once(out.names, new_name(what));
      accept(",");
    } while (ok_ && !at_end());
    return out;
  }

  /// The names after `share` or `wall`: up to the next attribute.
  std::vector<Name> attribute_names() {
    std::vector<Name> names;
    while (ok_ && (at_text() || (at_word() && !is_one_of(peek().text, kAttributes)))) {
      add_once(names, name("a type's name"));
      accept(",");
    }
    if (ok_ && names.empty()) expected("a type's name");
    return names;
  }

  void attribute(LabelStatement& out) {
    Token const word = next();
    if (word.text == "share" && out.share.empty()) {
      out.share = attribute_names();
    } else if (word.text == "wall" && !out.wall) {
      out.wall = accept("none") ? std::vector<Name>() : attribute_names();
    } else if (word.text == "secrecy" && !out.secrecy) {
      out.secrecy = name("a secrecy level");
      if (peek().text == "{") out.secrecy_categories = set("a category");
    } else if (word.text == "integrity" && !out.integrity) {
      out.integrity = name("an integrity level");
      if (peek().text == "{") out.integrity_categories = set("a category");
    } else if (word.text == "guard" && !out.guard) {
      out.guard = true;
    } else if (is_one_of(word.text, kAttributes)) {
      twice(word);
    } else {
      unknown(word, kAttributes, PolicyCode::unknown_attribute, " is not an attribute of a label");
    }
  }

  LabelStatement label() {
    LabelStatement out;
    out.name = new_name("the label's name");
    expect("{");
    while (ok_ && !accept("}")) {
      if (at_word()) {
        attribute(out);
      } else {
        expected("an attribute (share, wall, secrecy, integrity, guard) or '}'");
      }
    }
    return out;
  }

  WallStatement wall() {
    WallStatement out;
    out.name = new_name("the wall's name");
    out.types = set("a type's name");
    if (ok_ && out.types.size() < 2) {
      error(peek(), PolicyCode::small_wall, "a wall needs at least two types to keep apart");
    }
    return out;
  }

  AllowStatement allow() {
    AllowStatement out;
    out.from = name("a label");
    out.two_way = accept("<->");
    if (!out.two_way && !accept("->")) expected("'->' or '<->'");
    out.to = name("a label");
    while (ok_ && !at_end()) {
      auto const service = parse_service_pattern(peek().text);
      if (!service || service->protocol == 0) {
        error(peek(), PolicyCode::bad_service,
              service ? "leave out 'any': an allow without service allows every one"
                      : service.error().message);
        break;
      }
      if (!out.two_way && service->protocol == kProtocolTcp) {
        error(peek(), PolicyCode::one_way_tcp,
              "TCP informs both ends, so it cannot be one-way; write '<->'");
      }
      if (out.services.size() == kServicesPerAllowMax) {
        too_many(kServicesPerAllowMax, "services in one statement");
      }
      out.services.push_back(*service);
      next();
      accept(",");
    }
    return out;
  }

  std::optional<Statement> member() {
    if (accept("host")) return finish(host());
    if (accept("vm")) return finish(vm());
    expected("'host' or 'vm'");
    return std::nullopt;
  }

  void clause(HostCondition& out) {
    Token const word = peek();
    if (out.platforms.empty() && accept("platform")) {
      expect("in");
      out.platforms = set("a platform");
    } else if (out.locations.empty() && accept("location")) {
      expect("in");
      out.locations = set("a location");
    } else if (!out.attested_within && accept("attested")) {
      expect("within");
      out.attested_within = ok_ ? parse_duration(peek().text) : std::nullopt;
      if (ok_ && !out.attested_within) expected("a duration like 60s (units ms, s, m, h)");
      if (ok_) next();
    } else if (is_one_of(word.text, kClauses)) {
      twice(word);
    } else if (word.kind == Token::Kind::word) {
      unknown(word, kClauses, PolicyCode::unknown_condition, " is not a condition on machines");
    } else {
      expected("a condition (platform, attested, location)");
    }
  }

  HostCondition host() {
    HostCondition out;
    expect("when");
    do {
      if (ok_) clause(out);
    } while (accept("and"));
    return out;
  }

  VmCondition vm() {
    VmCondition out;
    out.label = name("a label");
    expect("when");
    expect("image");
    expect("in");
    out.images = set("an image");
    return out;
  }

  GoalStatement goal() {
    GoalStatement out;
    out.from = goal_name();
    expect("never");
    expect("reaches");
    out.to = goal_name();
    if (!accept("except")) return out;
    expect("through");
    if (ok_ && peek().text == "{") {
      out.through = set("a guard");
    } else {
      out.through.push_back(name("a guard"));
    }
    return out;
  }

  MapStatement map() {
    MapStatement out;
    out.site = name("a site's name");
    expect("{");
    while (ok_ && (out.pairs.empty() || !accept("}"))) {
      MapStatement::Pair pair;
      pair.theirs = name(out.pairs.empty() ? "their label" : "their label or '}'");
      expect("=");
      pair.ours = name("our label");
      accept(",");
      if (out.pairs.size() == kListItemsMax) too_many(kListItemsMax, "names in a map");
      out.pairs.push_back(std::move(pair));
    }
    return out;
  }

  std::vector<Token> const& tokens_;
  SourceLine const& line_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

ParsedLine parse_line(SourceLine const& line, Diagnostics& diagnostics) {
  if (line.text.size() > kStatementBytesMax) {
    diagnostics.add({line.file, line.number, kStatementBytesMax + 1, 0, ""},
                    PolicyCode::line_too_long,
                    "a line may have " + std::to_string(kStatementBytesMax) + " bytes");
    return {};
  }
  TokenLine const tokens = tokenize(line, diagnostics);
  ParsedLine parsed{std::nullopt, tokens.comment};
  if (!tokens.ok || tokens.tokens.size() == 1) return parsed;
  parsed.statement = LineParser(tokens.tokens, line, diagnostics).statement();
  if (!parsed.statement) return parsed;
  Token const& first = tokens.tokens.front();
  Token const& last = tokens.tokens[tokens.tokens.size() - 2];
  std::size_t const begin = first.column - 1;
  std::size_t const size = last.column - 1 + last.text.size() - begin;
  std::visit(
      [&](auto& statement) {
        statement.origin = {
            line.file, line.number, first.column, std::string(line.text.substr(begin, size)), {}};
      },
      *parsed.statement);
  // What may be written must be writable in its canonical form, as a comment ("# ") included.
  if (render(*parsed.statement).size() + parsed.comment.size() + 4 > kStatementBytesMax) {
    diagnostics.add({line.file, line.number, 1, 0, ""}, PolicyCode::line_too_long,
                    "the canonical form of this line has more than " +
                        std::to_string(kStatementBytesMax) + " bytes; split it");
    parsed.statement.reset();
  }
  return parsed;
}

}  // namespace shamon
