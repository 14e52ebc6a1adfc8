#include "policy/language/checker.hpp"
#include "policy/language/parser.hpp"
#include "policy/limits.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

/// Puts statements where they belong, numbers them and keeps their origins.
class Collector {
 public:
  Collector(PolicyDocument& document, Diagnostics& diagnostics)
      : document_(document), diagnostics_(diagnostics) {}

  void add(Statement statement) {
    std::visit(
        [&](auto& s) {
          s.origin.statement = StatementId(static_cast<std::uint32_t>(origins_.size() + 1));
          origins_.push_back({document_.file, s.origin.line, s.origin.text});
          if (origins_.size() == kStatementsMax + 1) {
            diagnostics_.add(s.origin.line, s.origin.column,
                             "a policy may have " + std::to_string(kStatementsMax) + " statements");
          }
          place(std::move(s));
        },
        statement);
  }

  /// After the last statement.
  std::vector<StatementOrigin> finish(std::uint32_t last_line) && {
    if (document_.coalition.origin.line == 0) {
      diagnostics_.add(last_line, 1, "'coalition NAME revision N' is missing");
    }
    return std::move(origins_);
  }

 private:
  void place(CoalitionStatement s) {
    if (document_.coalition.origin.line != 0) {
      diagnostics_.add(s.origin.line, s.origin.column,
                       "the coalition is already named on line " +
                           std::to_string(document_.coalition.origin.line));
      return;
    }
    document_.coalition = std::move(s);
  }
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
};

}  // namespace

tl::expected<PolicyBuild, std::vector<Diagnostic>> build_policy(std::string const& file_name,
                                                                std::string_view text) {
  Diagnostics diagnostics(file_name);
  Diagnostics notes(file_name);
  auto document = std::make_shared<PolicyDocument>();
  // Origins keep the end of a long path: it is what tells files apart.
  document->file = file_name.size() <= kFileNameBytesMax
                       ? file_name
                       : file_name.substr(file_name.size() - kFileNameBytesMax);
  if (text.size() > kPolicyBytesMax) {
    diagnostics.add(1, 1, "a policy may have " + std::to_string(kPolicyBytesMax) + " bytes");
    return tl::unexpected(std::move(diagnostics).take());
  }
  Collector collector(*document, diagnostics);
  std::uint32_t last_line = 1;
  for_each_line(text, [&](std::string_view line_text, std::uint32_t line) {
    last_line = line;
    if (diagnostics.full()) return;
    ParsedLine parsed = parse_line(line_text, line, diagnostics);
    if (parsed.statement) collector.add(std::move(*parsed.statement));
  });
  std::vector<StatementOrigin> origins = std::move(collector).finish(last_line);
  PolicyRules rules = check(*document, diagnostics, notes);
  if (!diagnostics.none()) return tl::unexpected(std::move(diagnostics).take());
  rules.statements = std::move(origins);
  auto compiled = compile(std::move(rules));
  if (!compiled) {
    diagnostics.add(1, 1, compiled.error().message);
    return tl::unexpected(std::move(diagnostics).take());
  }
  return PolicyBuild{std::move(*compiled), std::move(document), std::move(notes).take()};
}

}  // namespace shamon
