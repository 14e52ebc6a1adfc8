#include "operator/cli/policy_union_verbs.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"
#include "policy/decision_text.hpp"
#include "policy/document.hpp"
#include "policy/unite/translate.hpp"

namespace shamon {
namespace {

using nlohmann::json;
using SharedPolicy = std::shared_ptr<PolicyBuild const>;

struct Options {
  std::vector<std::string> files;
  std::string local;
  std::string file;
  std::string out;
  std::string site;
  std::string label;
  bool as_json = false;
};

void print(std::string const& text) {
  std::fputs(text.c_str(), stdout);
}
void complain(std::string const& text) {
  std::fputs((text + "\n").c_str(), stderr);
}
void print_json(char const* schema, json const& data) {
  // A policy may quote any byte of its file; JSON text may not hold all of them.
  print(json_envelope(schema, data.dump(-1, ' ', false, json::error_handler_t::replace)));
}

/// The policy, or every reason why there is none on standard error.
SharedPolicy read_build(std::string const& file) {
  auto build = load_policy_file(file);
  return build ? std::make_shared<PolicyBuild const>(std::move(*build)) : nullptr;
}

/// Every file, so that all that is wrong is told in one run; empty if anything is.
std::vector<SharedPolicy> read_builds(std::vector<std::string> const& files) {
  std::vector<SharedPolicy> out;
  for (auto const& file : files) out.push_back(read_build(file));
  if (std::find(out.begin(), out.end(), nullptr) != out.end()) out.clear();
  return out;
}

json to_json(Cited const& cited) {
  return {
      {"file", cited.file}, {"line", cited.line}, {"column", cited.column}, {"text", cited.text}};
}

json to_json(Answer const& answer) {
  json running = json::array();
  for (auto const& name : answer.question.running) running.push_back(name.value());
  return {{"policy", answer.policy_name},
          {"operation", to_string(answer.question.operation)},
          {"subject", answer.question.subject.value()},
          {"object", answer.question.object.value()},
          {"protocol", answer.question.service.protocol},
          {"port", answer.question.service.port},
          {"source_port", answer.question.service.source_port},
          {"running", running},
          {"verdict", answer.decision.allowed() ? "allow" : "deny"},
          {"reason", to_string(answer.decision.reason)}};
}

json to_json(Conflict const& conflict) {
  json statements = json::array();
  for (Cited const* cited : {&conflict.one, &conflict.other}) {
    if (cited->line != 0) statements.push_back(to_json(*cited));
  }
  json answers = json::array();
  for (auto const& answer : conflict.example.answers) answers.push_back(to_json(answer));
  return {{"kind", to_string(conflict.kind)},
          {"text", conflict.text},
          {"statements", statements},
          {"example", {{"text", conflict.example.text}, {"answers", answers}}}};
}

json to_json(UnionResult const& result, std::vector<SharedPolicy> const& policies) {
  json out = {{"ok", result.united.has_value()},
              {"conflicts", json::array()},
              {"notes", json::array()},
              {"policies", json::array()}};
  for (auto const& conflict : result.conflicts) out["conflicts"].push_back(to_json(conflict));
  for (std::size_t i = 0; i < policies.size(); ++i) {
    PolicyDocument const& document = *policies[i]->document;
    json entry = {{"file", document.file},
                  {"coalition", document.coalition.name.text},
                  {"revision", document.coalition.revision.value()}};
    if (result.united) {
      entry["labels"] = json::object();
      for (std::size_t l = 0; l < document.labels.size(); ++l) {
        entry["labels"][document.labels[l].name.text] = result.united->label_names[i][l].value();
      }
    }
    out["policies"].push_back(std::move(entry));
  }
  if (!result.united) return out;
  out["notes"] = result.united->notes;
  out["policy"] = result.united->text;
  out["labels"] = result.united->build->compiled.label_count();
  return out;
}

/// What stands against the union, for people.
int tell(UnionResult const& result) {
  if (result.error) return report(*result.error);
  for (auto const& conflict : result.conflicts) complain(conflict.describe());
  std::size_t const count = result.conflicts.size();
  complain("shamon: " + std::to_string(count) + (count == 1 ? " conflict" : " conflicts") +
           "; nothing was written");
  return kExitConflict;
}

int unite_files(Options const& options) {
  auto const policies = read_builds(options.files);
  if (policies.empty()) return kExitUsage;
  UnionResult const result = unite(policies);
  if (options.as_json && !result.error)
    print_json("shamon.policy.union/1", to_json(result, policies));
  if (!result.united) return tell(result);
  for (auto const& note : result.united->notes) complain("note: " + note);
  if (options.out.empty()) {
    if (!options.as_json) print(result.united->text);
    return kExitYes;
  }
  auto const written = write_file_atomically(options.out, as_bytes(result.united->text), 0644);
  return written ? static_cast<int>(kExitYes) : report(written.error());
}

int ask_compatible(Options const& options) {
  // The coalition is at home: its names are those the machine has to speak.
  std::vector<std::string> files = options.files;
  files.push_back(options.local);
  auto const policies = read_builds(files);
  if (policies.empty()) return kExitUsage;
  UnionResult const result = unite(policies);
  if (options.as_json && !result.error) {
    json data = to_json(result, policies);
    data.erase("policy");
    print_json("shamon.policy.compat/1", data);
  }
  if (result.error) return report(*result.error);
  for (auto const& conflict : result.conflicts) complain(conflict.describe());
  if (!result.united) return kExitConflict;
  if (options.as_json) return kExitYes;
  std::size_t goals = 0;
  for (auto const& policy : policies) goals += policy->document->goals.size();
  print(options.local + ": compatible with " + options.files.front() +
        (files.size() == 2 ? "" : " and " + std::to_string(files.size() - 2) + " more") + "; " +
        std::to_string(result.united->build->compiled.label_count()) +
        " labels together, every decision of each is kept, " + std::to_string(goals) +
        (goals == 1 ? " goal holds\n" : " goals hold\n"));
  return kExitYes;
}

int translate_label(Options const& options) {
  auto const policy = read_build(options.file);
  if (policy == nullptr) return kExitUsage;
  auto const found = translate(LabelName(options.label), options.site, *policy->document);
  if (options.as_json) {
    json data = {{"site", options.site},
                 {"theirs", options.label},
                 {"revision", policy->document->coalition.revision.value()},
                 {"ours", json()},
                 {"map", json()}};
    if (found) data["ours"] = found->ours.value();
    if (found && found->map.line != 0) data["map"] = to_json(found->map);
    print_json("shamon.policy.translate/1", data);
  } else if (found) {
    print(found->ours.value() + "\n");
  }
  return found ? static_cast<int>(kExitYes) : report(found.error());
}

}  // namespace

void add_policy_union_verbs(CLI::App& policy_noun, int& exit_code) {
  auto options = std::make_shared<Options>();

  auto* verb = policy_noun.add_subcommand(
      "union", "one policy that keeps every decision and goal of each FILE, or what prevents it");
  verb->add_option("files", options->files, "policy files; the first keeps its names")->required();
  verb->add_option("-o,--output", options->out, "write the united policy here");
  verb->add_flag("--json", options->as_json, "one JSON object, conflicts with their examples");
  verb->callback([options, &exit_code] { exit_code = unite_files(*options); });

  verb = policy_noun.add_subcommand(
      "compat", "may a machine with policy LOCAL enforce the policy of COALITION as well");
  verb->add_option("local", options->local, "the machine's own policy")->required();
  verb->add_option("coalition", options->files, "policies of coalitions")->required();
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->callback([options, &exit_code] { exit_code = ask_compatible(*options); });

  verb = policy_noun.add_subcommand("translate", "what SITE's LABEL is called in the policy");
  verb->add_option("file", options->file, "policy file")->required();
  verb->add_option("site", options->site, "the site that says the label")->required();
  verb->add_option("label", options->label, "the label as it says it")->required();
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->callback([options, &exit_code] { exit_code = translate_label(*options); });
}

}  // namespace shamon
