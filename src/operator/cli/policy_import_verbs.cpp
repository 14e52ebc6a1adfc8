#include "operator/cli/policy_import_verbs.hpp"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "policy/import/limits.hpp"
#include "policy/import/shype.hpp"

namespace shamon {
namespace {

using nlohmann::json;

struct Options {
  std::vector<std::string> files;
  std::string out;
  bool as_json = false;
};

void complain(std::string const& text) {
  std::fputs((text + "\n").c_str(), stderr);
}

json to_json(std::vector<Diagnostic> const& diagnostics) {
  json out = json::array();
  for (auto const& d : diagnostics) {
    out.push_back(
        {{"file", d.file}, {"line", d.line}, {"column", d.column}, {"message", d.message}});
  }
  return out;
}

void print_json(Options const& options,
                tl::expected<ShypeImport, std::vector<Diagnostic>> const& r) {
  json data = {{"ok", r.has_value()},
               {"errors", r ? json::array() : to_json(r.error())},
               {"notes", r ? to_json(r->notes) : json::array()}};
  if (r) {
    data["vm_labels"] = r->vm_labels;
    data["resource_labels"] = r->resource_labels;
    data["out"] = options.out.empty() ? json() : json(options.out);
    if (options.out.empty()) data["policy"] = r->text;
  }
  std::string const text = data.dump(-1, ' ', false, json::error_handler_t::replace);
  std::fputs(json_envelope("shamon.policy.import/1", text).c_str(), stdout);
}

int import_files(Options const& options) {
  std::vector<XmlFile> files;
  for (auto const& path : options.files) {
    auto bytes = read_text_file(path, kXmlBytesMax + 1);
    if (!bytes) {
      complain("shamon: " + bytes.error().message);
      return kExitUsage;
    }
    files.push_back({path, std::move(*bytes)});
  }
  auto const imported = import_shype(files);
  if (imported && !options.out.empty()) {
    auto const written = write_file_atomically(options.out, as_bytes(imported->text), 0644);
    if (!written) return report(written.error());
  }
  if (!imported) {
    for (auto const& diagnostic : imported.error()) complain(diagnostic.describe());
  } else {
    for (auto const& note : imported->notes) complain("note: " + note.describe());
  }
  if (options.as_json) {
    print_json(options, imported);
  } else if (imported && options.out.empty()) {
    std::fputs(imported->text.c_str(), stdout);
  }
  return imported ? kExitYes : kExitUsage;
}

}  // namespace

void add_policy_import_verbs(CLI::App& policy_noun, int& exit_code) {
  auto* noun = policy_noun.add_subcommand("import", "policies of other systems as ours");
  noun->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* verb = noun->add_subcommand("shype", "sHype/Xen ACM XML; of the older form both files");
  verb->add_option("files", options->files, "XML files")
      ->required()
      ->expected(1, static_cast<int>(kImportFilesMax));
  verb->add_option("-o,--output", options->out, "write the policy here, not to standard output");
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->callback([options, &exit_code] { exit_code = import_files(*options); });
}

}  // namespace shamon
