#include "operator/cli/policy_export_verbs.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include "base/file.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"
#include "policy/export/export.hpp"

namespace shamon {
namespace {

constexpr char kXenVariable[] = "SHAMON_XEN_SOURCE";

struct Options {
  std::string file;
  std::string out;
  std::string permission_map;
  std::string xen_source;
};

int complain(std::string const& text) {
  std::fputs(("shamon: " + text + "\n").c_str(), stderr);
  return kExitUsage;
}

/// To the file, or to standard output if none is named.
int give(std::string const& path, std::string const& text) {
  if (path.empty()) {
    std::fputs(text.c_str(), stdout);
    return kExitYes;
  }
  auto const written = write_file_atomically(path, as_bytes(text), 0644);
  return written ? static_cast<int>(kExitYes) : report(written.error());
}

int export_with(Options const& options, std::string (*write)(PolicyBuild const&)) {
  auto const build = load_policy_file(options.file);
  if (!build) return kExitUsage;
  return give(options.out, write(*build));
}

int cil(Options const& options) {
  int const exit_code = export_with(options, &export_cil);
  if (exit_code != kExitYes || options.permission_map.empty()) return exit_code;
  return give(options.permission_map, export_permission_map());
}

int flask(Options const& options) {
  if (options.xen_source.empty()) return export_with(options, &export_flask_module);
  auto const build = load_policy_file(options.file);
  if (!build) return kExitUsage;
  XenFlaskFiles xen;
  std::string const folder = options.xen_source + "/xen/xsm/flask/policy/";
  struct {
    char const* name;
    std::string* text;
  } const files[] = {{"security_classes", &xen.security_classes},
                     {"initial_sids", &xen.initial_sids},
                     {"access_vectors", &xen.access_vectors}};
  for (auto const& file : files) {
    auto text = read_text_file(folder + file.name);
    if (!text) return complain(text.error().message);
    *file.text = std::move(*text);
  }
  auto const policy = export_flask_policy(*build, xen);
  if (!policy) return complain(folder + policy.error().message);
  return give(options.out, *policy);
}

CLI::App* add_verb(CLI::App& noun, char const* name, char const* what,
                   std::shared_ptr<Options> const& options) {
  auto* verb = noun.add_subcommand(name, what);
  verb->add_option("file", options->file, "policy file")->required();
  verb->add_option("-o,--output", options->out, "write here, not to standard output");
  return verb;
}

}  // namespace

void add_policy_export_verbs(CLI::App& policy_noun, int& exit_code) {
  auto* noun = policy_noun.add_subcommand("export", "our policies for other systems");
  noun->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* verb = add_verb(*noun, "cil", "SELinux CIL: class shamon_vm, for secilc", options);
  verb->add_option("--permission-map", options->permission_map,
                   "also write the permission map for seinfoflow");
  verb->callback([options, &exit_code] { exit_code = cil(*options); });

  verb = add_verb(*noun, "ipsec", "types and rules for labelled IPsec, as CIL", options);
  verb->callback([options, &exit_code] { exit_code = export_with(*options, &export_ipsec); });

  verb = add_verb(*noun, "flask", "a module for Xen's FLASK policy, or a whole one", options);
  verb->add_option("--xen-source", options->xen_source,
                   "Xen's source tree: a whole policy with its class definitions")
      ->envname(kXenVariable);
  verb->callback([options, &exit_code] { exit_code = flask(*options); });
}

}  // namespace shamon
