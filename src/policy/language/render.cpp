// Statements back to text: one spelling for each meaning.
#include "policy/language/parser.hpp"
#include "policy/membership.hpp"

namespace shamon {
namespace {

std::string spaced(std::vector<Name> const& names) {
  std::string out;
  for (auto const& name : names) out += " " + name.text;
  return out;
}

std::string set(std::vector<Name> const& names) {
  std::string out;
  for (auto const& name : names) out += (out.empty() ? "" : ", ") + name.text;
  return "{" + out + "}";
}

std::string text_of(CoalitionStatement const& s) {
  return "coalition " + s.name.text + " revision " + std::to_string(s.revision.value());
}

std::string text_of(TypeStatement const& s) {
  return "type" + spaced(s.names);
}

std::string text_of(CategoryStatement const& s) {
  return "category" + spaced(s.names);
}
std::string level(std::string const& kind, Name const& rank, std::vector<Name> const& categories) {
  return kind + " " + rank.text + (categories.empty() ? "" : " " + set(categories));
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
  if (attributes.empty()) return "label " + s.name.text + " { }";
  return "label " + s.name.text + " { " + attributes + " }";
}

std::string text_of(WallStatement const& s) {
  return "wall " + s.name.text + " {" + spaced(s.types) + " }";
}

std::string text_of(AllowStatement const& s) {
  std::string out = "allow " + s.from.text + (s.two_way ? " <-> " : " -> ") + s.to.text;
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
  return "member vm " + s.label.text + " when image in " + set(s.images);
}

std::string text_of(GoalStatement const& s) {
  std::string const out = "goal " + s.from.text + " never reaches " + s.to.text;
  if (s.through.empty()) return out;
  return out + " except through " + (s.through.size() == 1 ? s.through[0].text : set(s.through));
}

std::string text_of(MapStatement const& s) {
  std::string pairs;
  for (auto const& pair : s.pairs) {
    pairs += (pairs.empty() ? " " : "  ") + pair.theirs.text + " = " + pair.ours.text;
  }
  return "map " + s.site.text + " {" + pairs + " }";
}

}  // namespace

std::string render(Statement const& statement) {
  return std::visit([](auto const& s) { return text_of(s); }, statement);
}

Result<std::string> format_policy(std::string const& file_name, std::string_view text) {
  Diagnostics diagnostics(file_name);
  std::string out;
  bool blank_wanted = false;
  for_each_line(text, [&](std::string_view line_text, std::uint32_t line) {
    ParsedLine const parsed = parse_line(line_text, line, diagnostics);
    if (!parsed.statement && parsed.comment.empty()) {
      blank_wanted = !out.empty();  // runs of blank lines become one; none at either end
      return;
    }
    if (blank_wanted) out += "\n";
    blank_wanted = false;
    if (parsed.statement) out += render(*parsed.statement);
    if (!parsed.comment.empty())
      out += (parsed.statement ? "  " : "") + std::string(parsed.comment);
    out += "\n";
  });
  if (diagnostics.none()) return out;
  return fail(Errc::malformed, std::move(diagnostics).take().front().describe());
}

}  // namespace shamon
