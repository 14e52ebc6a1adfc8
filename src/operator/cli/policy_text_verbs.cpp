#include "operator/cli/policy_text_verbs.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "crypto/hash.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"
#include "policy/document.hpp"

namespace shamon {
namespace {

using nlohmann::json;

struct Options {
  std::string file;
  bool as_json = false;
  bool strict = false;
  bool write = false;
  bool check = false;
};

void print(std::string const& text) {
  std::fputs(text.c_str(), stdout);
}
void print_json(char const* schema, json const& data) {
  // A policy may quote any byte of its file; JSON text may not hold all of them.
  print(json_envelope(schema, data.dump(-1, ' ', false, json::error_handler_t::replace)));
}

json to_json(std::vector<Diagnostic> const& diagnostics) {
  json out = json::array();
  for (auto const& d : diagnostics) {
    json row = {{"file", d.file},
                {"line", d.line},
                {"column", d.column},
                {"end_column", d.end_column},
                {"severity", to_string(d.severity)},
                {"code", to_string(d.code)},
                {"message", d.message}};
    row["suggestion"] = d.suggestion.empty() ? json() : json(d.suggestion);
    out.push_back(std::move(row));
  }
  return out;
}

/// A file that cannot be read is a wrong question.
int unreadable(Error const& error) {
  report(error);
  return kExitUsage;
}

int complain(std::vector<Diagnostic> const& diagnostics) {
  for (auto const& diagnostic : diagnostics) std::fputs(diagnostic.show().c_str(), stderr);
  return kExitUsage;
}

/// "boinc revision 7 "spring term""
std::string identity(PolicyDocument const& document) {
  auto const& head = document.coalition;
  std::string const out = head.name.text + " revision " + std::to_string(head.revision.value());
  return head.revision_name.empty() ? out : out + " \"" + head.revision_name + "\"";
}

json to_json(PolicyDocument const& document) {
  auto const& head = document.coalition;
  json out = {{"coalition", head.name.text}, {"revision", head.revision.value()}};
  out["revision_name"] = head.revision_name.empty() ? json() : json(head.revision_name);
  return out;
}

int lint(Options const& options) {
  auto const text = read_policy_text(options.file);
  if (!text) return unreadable(text.error());
  auto const build = build_policy(options.file, *text, policy_file_reader());
  auto const errors = build ? std::vector<Diagnostic>() : build.error();
  auto const notes = build ? lint_policy(*build) : std::vector<Diagnostic>();
  complain(errors);
  complain(notes);
  bool const ok = build.has_value() && !(options.strict && !notes.empty());
  if (options.as_json) {
    json data = build ? to_json(*build->document) : json::object();
    data.update({{"ok", ok}, {"errors", to_json(errors)}, {"notes", to_json(notes)}});
    if (build) data["labels"] = build->compiled.label_count();
    print_json("shamon.policy.lint/1", data);
  } else if (build) {
    print(options.file + ": coalition " + identity(*build->document) + ", " +
          std::to_string(build->compiled.label_count()) + " labels, no errors" +
          (notes.empty() ? "" : ", " + std::to_string(notes.size()) + " notes") + "\n");
  }
  return ok ? kExitYes : kExitUsage;
}

int format(Options const& options) {
  auto const text = read_policy_text(options.file);
  if (!text) return unreadable(text.error());
  auto const formatted = format_policy(options.file, *text);
  if (!formatted) {
    std::fprintf(stderr, "%s\n", formatted.error().message.c_str());
    return kExitUsage;
  }
  bool const changes = *formatted != *text;
  if (options.check) {
    if (changes) print(options.file + "\n");
    return changes ? kExitUsage : kExitYes;
  }
  if (!options.write) print(*formatted);
  if (!options.write || !changes) return kExitYes;
  auto const written = write_file_atomically(options.file, as_bytes(*formatted), 0644);
  return written ? static_cast<int>(kExitYes) : report(written.error());
}

/// The flat form of a policy that holds, told with what it holds for.
struct Flat {
  std::string text;
  PolicyBuild build;
};
tl::expected<Flat, int> flatten_file(std::string const& file) {
  auto const text = read_policy_text(file);
  if (!text) return tl::unexpected(unreadable(text.error()));
  auto build = build_policy(file, *text, policy_file_reader());
  if (!build) return tl::unexpected(complain(build.error()));
  auto flat = flatten_policy(file, *text, policy_file_reader());
  if (!flat) return tl::unexpected(complain(flat.error()));
  return Flat{std::move(*flat), std::move(*build)};
}

int flatten(Options const& options) {
  auto const flat = flatten_file(options.file);
  if (!flat) return flat.error();
  print(flat->text);
  return kExitYes;
}

int print_digest(Options const& options) {
  auto const flat = flatten_file(options.file);
  if (!flat) return flat.error();
  std::string const digest = "sha256:" + sha256(as_bytes(flat->text)).hex();
  PolicyDocument const& document = *flat->build.document;
  if (options.as_json) {
    json data = to_json(document);
    data.update({{"digest", digest}, {"bytes", flat->text.size()}, {"files", json::array()}});
    data["files"].push_back(document.file);
    for (auto const& include : document.includes) data["files"].push_back(include.file);
    print_json("shamon.policy.digest/1", data);
  } else {
    print(digest + "  coalition " + identity(document) + "  " + options.file + "\n");
  }
  return kExitYes;
}

CLI::App* add_verb(CLI::App& noun, char const* name, char const* what,
                   std::shared_ptr<Options> const& options, int& exit_code,
                   int (*run)(Options const&)) {
  auto* verb = noun.add_subcommand(name, what);
  verb->add_option("file", options->file, "policy file")->required();
  verb->callback([options, &exit_code, run] { exit_code = run(*options); });
  return verb;
}

}  // namespace

void add_policy_text_verbs(CLI::App& policy_noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* verb = add_verb(policy_noun, "lint", "say what is wrong with FILE, and what is doubtful",
                        options, exit_code, lint);
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->add_flag("--strict", options->strict, "doubtful is wrong: notes end with 2 too");

  verb = add_verb(policy_noun, "fmt", "print FILE in its canonical form, without what it includes",
                  options, exit_code, format);
  auto* write = verb->add_flag("--write", options->write, "write it back to FILE");
  verb->add_flag("--check", options->check, "only say whether it is canonical: 0 or 2")
      ->excludes(write);

  add_verb(policy_noun, "flatten", "print FILE and all it includes as one canonical text", options,
           exit_code, flatten);

  verb = add_verb(policy_noun, "digest", "SHA-256 of what flatten prints, and whose policy it is",
                  options, exit_code, print_digest);
  verb->add_flag("--json", options->as_json, "one JSON object");
}

}  // namespace shamon
