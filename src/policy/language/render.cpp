// Statements back to text: one spelling for each meaning.
#include "policy/language/include.hpp"
#include "policy/language/parser.hpp"
#include "policy/language/spelling.hpp"
#include "policy/membership.hpp"

namespace shamon {
namespace {

std::string spaced(std::vector<Name> const& names) {
  std::string out;
  for (auto const& name : names) out += " " + spell_name(name.text);
  return out;
}

std::string set(std::vector<Name> const& names) {
  std::string out;
  for (auto const& name : names) out += (out.empty() ? "" : ", ") + spell_name(name.text);
  return "{" + out + "}";
}

std::string text_of(CoalitionStatement const& s) {
  std::string const out =
      "coalition " + s.name.text + " revision " + std::to_string(s.revision.value());
  return s.revision_name.empty() ? out : out + " " + quote_text(s.revision_name);
}

std::string text_of(IncludeStatement const& s) {
  return "include " + quote_text(s.path.text);
}

std::string text_of(TypeStatement const& s) {
  return "type" + spaced(s.names);
}

std::string text_of(CategoryStatement const& s) {
  return "category" + spaced(s.names);
}
std::string level(std::string const& kind, Name const& rank, std::vector<Name> const& categories) {
  return kind + " " + spell_name(rank.text) + (categories.empty() ? "" : " " + set(categories));
}
std::string text_of(LabelStatement const& s) {
  std::string attributes;
  auto add = [&](std::string const& text) {
    attributes += (attributes.empty() ? "" : "  ") + text;
  };
  if (!s.share.empty()) add("share" + spaced(s.share));
  if (s.wall) add("wall" + (s.wall->empty() ? " none" : spaced(*s.wall)));
  if (s.secrecy) add(level("secrecy", *s.secrecy, s.secrecy_categories));
  if (s.integrity) add(level("integrity", *s.integrity, s.integrity_categories));
  if (s.guard) add("guard");
  if (attributes.empty()) return "label " + spell_name(s.name.text) + " { }";
  return "label " + spell_name(s.name.text) + " { " + attributes + " }";
}

std::string text_of(WallStatement const& s) {
  return "wall " + spell_name(s.name.text) + " {" + spaced(s.types) + " }";
}

std::string text_of(AllowStatement const& s) {
  std::string out =
      "allow " + spell_name(s.from.text) + (s.two_way ? " <-> " : " -> ") + spell_name(s.to.text);
  for (auto const& service : s.services) out += " " + to_string(service);
  return out;
}

std::string text_of(HostCondition const& s) {
  std::string clauses;
  auto add = [&](std::string const& text) { clauses += (clauses.empty() ? " " : " and ") + text; };
  if (!s.platforms.empty()) add("platform in " + set(s.platforms));
  if (s.attested_within) add("attested within " + to_policy_text(*s.attested_within));
  if (!s.locations.empty()) add("location in " + set(s.locations));
  return "member host when" + clauses;
}

std::string text_of(VmCondition const& s) {
  return "member vm " + spell_name(s.label.text) + " when image in " + set(s.images);
}

std::string text_of(GoalStatement const& s) {
  auto end = [](Name const& name) {
    return name.text == kInternet ? name.text : spell_name(name.text);
  };
  std::string const out = "goal " + end(s.from) + " never reaches " + end(s.to);
  if (s.through.empty()) return out;
  return out + " except through " +
         (s.through.size() == 1 ? spell_name(s.through[0].text) : set(s.through));
}

std::string text_of(MapStatement const& s) {
  std::string pairs;
  for (auto const& pair : s.pairs) {
    pairs += (pairs.empty() ? " " : "  ") + spell_name(pair.theirs.text) + " = " +
             spell_name(pair.ours.text);
  }
  return "map " + spell_name(s.site.text) + " {" + pairs + " }";
}

/// Lines of canonical text: runs of blank lines become one; there is none at either end.
class CanonicalText {
 public:
  void blank() { blank_wanted_ = !out_.empty() && !file_begins_; }
  void line(std::string const& text, std::string_view comment = {}) {
    if (blank_wanted_) out_ += "\n";
    blank_wanted_ = file_begins_ = false;
    out_ += text;
    if (!comment.empty()) out_ += (text.empty() ? "" : "  ") + std::string(comment);
    out_ += "\n";
  }
  void line(ParsedLine const& parsed) {
    if (!parsed.statement && parsed.comment.empty()) return blank();
    line(parsed.statement ? render(*parsed.statement) : "", parsed.comment);
  }
  /// Around an included file, so that its first and last blank lines count as little here as they
  /// do when it is formatted by itself.
  void begin_file() { file_begins_ = true; }
  void end_file() { blank_wanted_ = false; }
  std::string take() && { return std::move(out_); }

 private:
  std::string out_;
  bool blank_wanted_ = false;
  bool file_begins_ = false;
};

}  // namespace

std::string render(Statement const& statement) {
  return std::visit([](auto const& s) { return text_of(s); }, statement);
}

Result<std::string> format_policy(std::string const& file_name, std::string_view text) {
  Diagnostics diagnostics;
  CanonicalText out;
  for_each_line(text, [&](std::string_view line_text, std::uint32_t number) {
    out.line(parse_line({file_name, number, line_text}, diagnostics));
  });
  if (diagnostics.none()) return std::move(out).take();
  return fail(Errc::malformed, std::move(diagnostics).take().front().describe());
}

tl::expected<std::string, std::vector<Diagnostic>> flatten_policy(std::string const& file_name,
                                                                  std::string_view text,
                                                                  PolicyReader const& reader) {
  Diagnostics diagnostics;
  CanonicalText out;
  SourceVisitor visitor;
  visitor.line = [&](SourceLine const&, ParsedLine const& parsed) {
    bool const include =
        parsed.statement && std::holds_alternative<IncludeStatement>(*parsed.statement);
    if (!include) return out.line(parsed);
    out.line("# " + render(*parsed.statement), parsed.comment);
    out.begin_file();
  };
  visitor.leave = [&](std::string const& path) {
    out.end_file();
    out.line("# end of \"" + path + "\"");
  };
  walk_sources(file_name, text, reader, diagnostics, visitor);
  if (diagnostics.none()) return std::move(out).take();
  return tl::unexpected(std::move(diagnostics).take());
}

tl::expected<std::string, std::vector<Diagnostic>> standalone_policy(std::string const& file_name,
                                                                     std::string_view text,
                                                                     PolicyReader const& reader) {
  Diagnostics diagnostics;
  bool includes = false;
  for_each_line(text, [&](std::string_view line_text, std::uint32_t number) {
    auto const parsed = parse_line({file_name, number, line_text}, diagnostics);
    includes |= parsed.statement && std::holds_alternative<IncludeStatement>(*parsed.statement);
  });
  if (includes) return flatten_policy(file_name, text, reader);
  if (!diagnostics.none()) return tl::unexpected(std::move(diagnostics).take());
  return std::string(text);
}

}  // namespace shamon
