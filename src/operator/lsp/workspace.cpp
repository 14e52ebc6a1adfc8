#include "operator/lsp/workspace.hpp"

#include <algorithm>
#include <filesystem>

#include "operator/lsp/limits.hpp"
#include "policy/limits.hpp"

namespace shamon::lsp {
namespace {

namespace fs = std::filesystem;

bool includes(PolicyDocument const& document, std::string const& path) {
  return std::any_of(document.includes.begin(), document.includes.end(),
                     [&](auto const& include) { return include.file == path; });
}

/// The *.policy files of a folder, in order, at most `max`.
std::vector<std::string> policies_in(fs::path const& folder, std::size_t max) {
  std::vector<std::string> out;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator() && out.size() < max; entry.increment(error)) {
    if (entry->path().extension() == ".policy") out.push_back(entry->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Status Workspace::open(std::string const& path, std::string text) {
  if (open_.count(path) == 0 && open_.size() == kDocumentsMax) {
    return fail(Errc::too_large, "at most " + std::to_string(kDocumentsMax) + " documents");
  }
  open_[path] = std::move(text);
  return {};
}

void Workspace::close(std::string const& path) {
  open_.erase(path);
}

std::string const* Workspace::text(std::string const& path) const {
  auto const at = open_.find(path);
  return at == open_.end() ? nullptr : &at->second;
}

Result<std::string> Workspace::read(std::string const& path) const {
  if (auto const* opened = text(path)) return *opened;
  return disk_(path);
}

std::string Workspace::find_top(std::string const& path) const {
  auto const own = read(path);
  if (own && parse_policy(path, *own).coalition.origin.line != 0) return path;
  for (auto const& [top, analysis] : analyses_) {
    if (top != path && includes(analysis.document, path)) return top;
  }
  std::size_t searched = 0;
  fs::path folder = fs::path(path).parent_path();
  for (std::size_t up = 0; up < kIncludeDepthMax && searched < kSearchedFilesMax; ++up) {
    for (auto const& candidate : policies_in(folder, kSearchedFilesMax - searched)) {
      ++searched;
      auto const text = candidate == path ? fail(Errc::invalid, "itself") : read(candidate);
      if (!text) continue;
      auto const document =
          parse_policy(candidate, *text, [this](auto const& file) { return read(file); });
      if (document.coalition.origin.line != 0 && includes(document, path)) return candidate;
    }
    if (folder == folder.parent_path()) break;
    folder = folder.parent_path();
  }
  return path;
}

Analysis Workspace::analyse(std::string const& top) const {
  Analysis out;
  out.top = top;
  out.files.insert(top);
  auto const text = read(top);
  if (!text) return out;
  PolicyReader const reader = [this](auto const& file) { return read(file); };
  out.document = parse_policy(top, *text, reader);
  out.names = names_of(out.document);
  for (auto const& include : out.document.includes) out.files.insert(include.file);
  auto build = build_policy(top, *text, reader);
  if (build) {
    out.diagnostics = lint_policy(*build);
    out.compiled = std::move(build->compiled);
    return out;
  }
  bool const fragment = std::any_of(build.error().begin(), build.error().end(), [](auto const& d) {
    return d.code == PolicyCode::coalition_missing;
  });
  bool const nothing = out.document.labels.empty() && out.document.types.empty();
  for (auto& diagnostic : build.error()) {
    // A file for others to include: what it lacks may stand there.
    bool const lacking = diagnostic.code == PolicyCode::coalition_missing ||
                         diagnostic.code == PolicyCode::not_defined;
    if (fragment && !nothing && lacking) continue;
    out.diagnostics.push_back(std::move(diagnostic));
  }
  return out;
}

void Workspace::refresh(std::string const& path) {
  std::set<std::string> tops;
  for (auto const& [top, analysis] : analyses_) {
    if (analysis.files.count(path) > 0) tops.insert(top);
  }
  if (is_open(path)) tops.insert(find_top(path));
  for (auto const& top : tops) analyses_[top] = analyse(top);
  forget_the_unneeded();
}

void Workspace::forget_the_unneeded() {
  for (auto at = analyses_.begin(); at != analyses_.end();) {
    Analysis const& analysis = at->second;
    bool const open = std::any_of(analysis.files.begin(), analysis.files.end(),
                                  [&](auto const& file) { return is_open(file); });
    // Read alone, until the policy it belongs to was found.
    bool const part_of_another =
        analysis.document.coalition.origin.line == 0 &&
        std::any_of(analyses_.begin(), analyses_.end(), [&](auto const& other) {
          return other.first != at->first && other.second.files.count(at->first) > 0;
        });
    at = !open || part_of_another ? analyses_.erase(at) : std::next(at);
  }
}

std::map<std::string, std::vector<Diagnostic>> Workspace::diagnostics() const {
  std::map<std::string, std::vector<Diagnostic>> out;
  for (auto const& [top, analysis] : analyses_) {
    for (auto const& file : analysis.files) out[file];
    for (auto const& diagnostic : analysis.diagnostics) out[diagnostic.file].push_back(diagnostic);
  }
  return out;
}

Analysis const* Workspace::find(std::string const& path) const {
  Analysis const* found = nullptr;
  for (auto const& [top, analysis] : analyses_) {
    if (analysis.files.count(path) == 0) continue;
    // The policy that names a coalition says more than the file read alone.
    if (found == nullptr || analysis.document.coalition.origin.line != 0) found = &analysis;
  }
  return found;
}

}  // namespace shamon::lsp
