#include <algorithm>

#include "policy/language/checker.hpp"
#include "policy/language/include.hpp"
#include "policy/limits.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

/// Of a long path the end, which is what tells files apart.
std::string short_file_name(std::string const& path) {
  return path.size() <= kFileNameBytesMax ? path : path.substr(path.size() - kFileNameBytesMax);
}

/// Puts statements where they belong, numbers them and keeps their origins.
class Collector {
 public:
  Collector(PolicyDocument& document, Diagnostics& diagnostics)
      : document_(document), diagnostics_(diagnostics) {}

  void add(Statement statement) {
    std::visit(
        [&](auto& s) {
          // An include has no number, so that a policy and its flat form have the same ones.
          if constexpr (!std::is_same_v<std::decay_t<decltype(s)>, IncludeStatement>) number(s);
          place(std::move(s));
        },
        statement);
  }

  /// A line without a statement. One that meant to name the coalition has its diagnostic already.
  void skip(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.substr(0, 9) == "coalition") coalition_skipped_ = true;
  }

  /// After the last statement.
  std::vector<StatementOrigin> finish(std::uint32_t last_line) && {
    if (document_.coalition.origin.line == 0 && !coalition_skipped_) {
      diagnostics_.add({document_.file, last_line, 1, 0, ""}, PolicyCode::coalition_missing,
                       "'coalition NAME revision N' is missing");
    }
    return std::move(origins_);
  }

 private:
  template <class S>
  void number(S& s) {
    s.origin.statement = StatementId(static_cast<std::uint32_t>(origins_.size() + 1));
    origins_.push_back({short_file_name(s.origin.file), s.origin.line, s.origin.text});
    if (origins_.size() == kStatementsMax + 1) {
      diagnostics_.add(place_of(s.origin), PolicyCode::too_many,
                       "a policy may have " + std::to_string(kStatementsMax) + " statements");
    }
  }

  void place(CoalitionStatement s) {
    if (s.origin.file != document_.file) {
      diagnostics_.add(
          place_of(s.origin), PolicyCode::included_coalition,
          "an included file does not name the coalition: " + quoted(document_.file) + " does");
    } else if (document_.coalition.origin.line != 0) {
      diagnostics_.add(place_of(s.origin), PolicyCode::coalition_twice,
                       "the coalition is already named on line " +
                           std::to_string(document_.coalition.origin.line));
    } else {
      document_.coalition = std::move(s);
    }
  }
  void place(IncludeStatement s) { document_.includes.push_back(std::move(s)); }
  void place(TypeStatement s) { document_.types.push_back(std::move(s)); }
  void place(CategoryStatement s) { document_.categories.push_back(std::move(s)); }
  void place(LabelStatement s) { document_.labels.push_back(std::move(s)); }
  void place(WallStatement s) { document_.walls.push_back(std::move(s)); }
  void place(AllowStatement s) { document_.allows.push_back(std::move(s)); }
  void place(HostCondition s) { document_.host_conditions.push_back(std::move(s)); }
  void place(VmCondition s) { document_.vm_conditions.push_back(std::move(s)); }
  void place(GoalStatement s) { document_.goals.push_back(std::move(s)); }
  void place(MapStatement s) { document_.maps.push_back(std::move(s)); }

  PolicyDocument& document_;
  Diagnostics& diagnostics_;
  std::vector<StatementOrigin> origins_;
  bool coalition_skipped_ = false;
};

/// Everything that can be read, with the statements' origins as the compiled policy keeps them.
std::vector<StatementOrigin> collect(std::string const& file_name, std::string_view text,
                                     PolicyReader const& reader, PolicyDocument& document,
                                     Diagnostics& diagnostics) {
  document.file = file_name;
  Collector collector(document, diagnostics);
  SourceVisitor visitor;
  visitor.line = [&](SourceLine const& line, ParsedLine parsed) {
    if (parsed.statement) return collector.add(std::move(*parsed.statement));
    collector.skip(line.text);
  };
  auto const last_line = walk_sources(file_name, text, reader, diagnostics, visitor);
  return std::move(collector).finish(last_line);
}

}  // namespace

PolicyDocument parse_policy(std::string const& file_name, std::string_view text,
                            PolicyReader const& reader) {
  PolicyDocument document;
  Diagnostics diagnostics;
  collect(file_name, text, reader, document, diagnostics);
  return document;
}

tl::expected<PolicyBuild, std::vector<Diagnostic>> build_policy(std::string const& file_name,
                                                                std::string_view text,
                                                                PolicyReader const& reader) {
  Diagnostics diagnostics;
  auto document = std::make_shared<PolicyDocument>();
  auto origins = collect(file_name, text, reader, *document, diagnostics);
  PolicyRules rules = check(*document, diagnostics);
  if (!diagnostics.none()) return tl::unexpected(std::move(diagnostics).take());
  rules.statements = std::move(origins);
  auto compiled = compile(std::move(rules));
  if (!compiled) {
    diagnostics.add({file_name, 1, 1, 0, ""}, PolicyCode::not_compiled, compiled.error().message);
    return tl::unexpected(std::move(diagnostics).take());
  }
  return PolicyBuild{std::move(*compiled), std::move(document)};
}

}  // namespace shamon
