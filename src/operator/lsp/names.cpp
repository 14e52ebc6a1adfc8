#include "operator/lsp/names.hpp"

namespace shamon::lsp {
namespace {

class Collector {
 public:
  void add(NameKind kind, Name const& name, Origin const& origin, bool defines = false) {
    if (kind == NameKind::label && name.text == kInternet) return;
    names_.push_back(
        {kind, name.text, defines, origin.file, origin.line, name.column, name.length});
  }
  void add(NameKind kind, std::vector<Name> const& names, Origin const& origin,
           bool defines = false) {
    for (auto const& name : names) add(kind, name, origin, defines);
  }
  void add(IncludeStatement const& include) {
    if (include.file.empty()) return;
    names_.push_back({NameKind::file, include.file, false, include.origin.file, include.origin.line,
                      include.path.column, include.path.length});
  }
  void add(LabelStatement const& label) {
    add(NameKind::label, label.name, label.origin, true);
    add(NameKind::type, label.share, label.origin);
    if (label.wall) add(NameKind::type, *label.wall, label.origin);
    add(NameKind::category, label.secrecy_categories, label.origin);
    add(NameKind::category, label.integrity_categories, label.origin);
  }
  std::vector<NameUse> take() && { return std::move(names_); }

 private:
  std::vector<NameUse> names_;
};

}  // namespace

std::vector<NameUse> names_of(PolicyDocument const& document) {
  Collector out;
  for (auto const& s : document.includes) out.add(s);
  for (auto const& s : document.types) out.add(NameKind::type, s.names, s.origin, true);
  for (auto const& s : document.categories) out.add(NameKind::category, s.names, s.origin, true);
  for (auto const& s : document.labels) out.add(s);
  for (auto const& s : document.walls) {
    out.add(NameKind::wall, s.name, s.origin, true);
    out.add(NameKind::type, s.types, s.origin);
  }
  for (auto const& s : document.allows) {
    out.add(NameKind::label, s.from, s.origin);
    out.add(NameKind::label, s.to, s.origin);
  }
  for (auto const& s : document.vm_conditions) out.add(NameKind::label, s.label, s.origin);
  for (auto const& s : document.goals) {
    out.add(NameKind::label, s.from, s.origin);
    out.add(NameKind::label, s.to, s.origin);
    out.add(NameKind::label, s.through, s.origin);
  }
  for (auto const& s : document.maps) {
    for (auto const& pair : s.pairs) out.add(NameKind::label, pair.ours, s.origin);
  }
  return std::move(out).take();
}

std::optional<NameUse> name_at(std::vector<NameUse> const& names, std::string const& file,
                               std::uint32_t line, std::uint32_t column) {
  for (auto const& use : names) {
    if (use.line != line || use.file != file) continue;
    if (use.column <= column && column <= use.column + use.length) return use;
  }
  return std::nullopt;
}

}  // namespace shamon::lsp
