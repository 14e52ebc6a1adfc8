#include "policy/import/shype.hpp"

#include <algorithm>
#include <tuple>

#include "policy/import/limits.hpp"
#include "policy/import/shype_policy.hpp"

namespace shamon {
namespace {

/// In the order of the files, and within each of its text.
std::vector<Diagnostic> sorted(std::vector<Diagnostic> found, std::span<const XmlFile> files) {
  auto position = [&](Diagnostic const& d) {
    auto const at = std::find_if(files.begin(), files.end(),
                                 [&](XmlFile const& file) { return file.name == d.file; });
    return std::tuple(at - files.begin(), d.line, d.column);
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](auto const& a, auto const& b) { return position(a) < position(b); });
  return found;
}

struct Document {
  XmlFile const* file;
  XmlElement root;
  bool labels_only() const { return root.name.ends_with("SecurityLabelTemplate"); }
};

tl::expected<std::vector<Document>, std::vector<Diagnostic>> read_documents(
    std::span<const XmlFile> files) {
  std::vector<Document> documents;
  std::vector<Diagnostic> errors;
  for (auto const& file : files) {
    auto root = read_xml(file.name, file.bytes);
    if (root) {
      documents.push_back({&file, std::move(*root)});
    } else {
      errors.push_back(root.error());
    }
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  // The policy first: what it defines is then there for its labels.
  std::stable_partition(documents.begin(), documents.end(),
                        [](Document const& document) { return !document.labels_only(); });
  return documents;
}

/// One policy, and beside it only its labels.
void check_form(std::vector<Document> const& documents, ShypePolicy const& policy,
                ShypeFindings& findings) {
  Document const& last = documents.back();
  auto error = [&](char const* message) {
    findings.error(last.file->name, last.root.place, message);
  };
  if (documents[0].labels_only()) {
    error("labels without a policy: name the file that defines the types as well");
  } else if (documents.size() == 2 && !last.labels_only()) {
    error("a second policy; the other file may hold its labels only");
  } else if (documents.size() == 2 && policy.has_labels) {
    error("the policy has labels already");
  }
}

}  // namespace

tl::expected<ShypeImport, std::vector<Diagnostic>> import_shype(std::span<const XmlFile> files) {
  ShypeFindings findings;
  if (files.empty() || files.size() > kImportFilesMax) {
    findings.error(files.empty() ? "" : files[kImportFilesMax].name, {},
                   "an import takes one file, or a policy and its labels");
    return tl::unexpected(std::move(findings.errors));
  }
  auto const documents = read_documents(files);
  if (!documents) return tl::unexpected(documents.error());
  ShypePolicy policy;
  policy.name.file = documents->front().file->name;
  for (auto const& document : *documents) {
    if (&document == &documents->back()) check_form(*documents, policy, findings);
    read_shype(document.file->name, document.root, policy, findings);
  }
  check_shype(policy, findings);
  if (!findings.errors.empty()) return tl::unexpected(sorted(std::move(findings.errors), files));
  ShypeImport out;
  out.text = write_shype_policy(policy, findings);
  out.vm_labels = policy.vms.size();
  out.resource_labels = policy.resources.size();
  if (!findings.errors.empty()) return tl::unexpected(sorted(std::move(findings.errors), files));
  // What was written is what our own parser reads, or it is not given out.
  if (auto const build = build_policy("imported.policy", out.text); !build) {
    return tl::unexpected(build.error());
  }
  out.notes = sorted(std::move(findings.notes), files);
  return out;
}

}  // namespace shamon
