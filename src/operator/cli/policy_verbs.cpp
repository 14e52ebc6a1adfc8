#include "operator/cli/policy_verbs.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_export_verbs.hpp"
#include "operator/cli/policy_file.hpp"
#include "operator/cli/policy_flow_verbs.hpp"
#include "operator/cli/policy_graph_verbs.hpp"
#include "operator/cli/policy_import_verbs.hpp"
#include "operator/cli/policy_lsp_verbs.hpp"
#include "operator/cli/policy_plan_verbs.hpp"
#include "operator/cli/policy_prove_verbs.hpp"
#include "operator/cli/policy_text_verbs.hpp"
#include "operator/cli/policy_union_verbs.hpp"
#include "policy/decide.hpp"
#include "policy/decision_text.hpp"
#include "policy/document.hpp"
#include "policy/membership.hpp"
#include "policy/service.hpp"
#include "policy/source.hpp"

namespace shamon {
namespace {

using nlohmann::json;

struct Options {
  std::string file;
  std::string question;
  std::string subject;
  std::string object;
  std::string service = "any";
  std::vector<std::string> running;
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

std::vector<std::string> texts(std::vector<Name> const& names) {
  std::vector<std::string> out;
  for (auto const& name : names) out.push_back(name.text);
  return out;
}

std::string joined(std::vector<Name> const& names) {
  std::string out;
  for (auto const& name : names) out += (out.empty() ? "" : " ") + name.text;
  return out.empty() ? "-" : out;
}

std::string level_text(std::optional<Name> const& rank, std::vector<Name> const& categories) {
  if (!rank) return "-";
  return categories.empty() ? rank->text : rank->text + " {" + joined(categories) + "}";
}

json to_json(LabelStatement const& label) {
  json out = {{"name", label.name.text},
              {"share", texts(label.share)},
              {"wall", texts(label.wall.value_or(label.share))},
              {"guard", label.guard},
              {"file", label.origin.file},
              {"line", label.origin.line}};
  out["secrecy"] = label.secrecy ? json(label.secrecy->text) : json();
  out["secrecy_categories"] = texts(label.secrecy_categories);
  out["integrity"] = label.integrity ? json(label.integrity->text) : json();
  out["integrity_categories"] = texts(label.integrity_categories);
  return out;
}

json to_json(AllowStatement const& allow) {
  json services = json::array();
  for (auto const& service : allow.services) services.push_back(to_string(service));
  return {{"from", allow.from.text}, {"to", allow.to.text},       {"two_way", allow.two_way},
          {"services", services},    {"file", allow.origin.file}, {"line", allow.origin.line}};
}

json to_json(HostCondition const& host) {
  json out = {{"platforms", texts(host.platforms)},
              {"locations", texts(host.locations)},
              {"file", host.origin.file},
              {"line", host.origin.line}};
  out["attested_within_ms"] =
      host.attested_within ? json(host.attested_within->count() / 1'000'000) : json();
  return out;
}

json to_json(PolicyDocument const& document) {
  json out = {{"coalition", document.coalition.name.text},
              {"revision", document.coalition.revision.value()}};
  out["revision_name"] =
      document.coalition.revision_name.empty() ? json() : json(document.coalition.revision_name);
  for (char const* list :
       {"types", "labels", "walls", "allows", "member_hosts", "member_vms", "goals", "maps"}) {
    out[list] = json::array();
  }
  for (auto const& type : document.types) {
    for (auto const& name : type.names) out["types"].push_back(name.text);
  }
  for (auto const& label : document.labels) out["labels"].push_back(to_json(label));
  for (auto const& wall : document.walls) {
    out["walls"].push_back({{"name", wall.name.text},
                            {"types", texts(wall.types)},
                            {"file", wall.origin.file},
                            {"line", wall.origin.line}});
  }
  for (auto const& allow : document.allows) out["allows"].push_back(to_json(allow));
  for (auto const& host : document.host_conditions) out["member_hosts"].push_back(to_json(host));
  for (auto const& vm : document.vm_conditions) {
    out["member_vms"].push_back({{"label", vm.label.text},
                                 {"images", texts(vm.images)},
                                 {"file", vm.origin.file},
                                 {"line", vm.origin.line}});
  }
  for (auto const& goal : document.goals) {
    out["goals"].push_back({{"from", goal.from.text},
                            {"to", goal.to.text},
                            {"except_through", texts(goal.through)},
                            {"file", goal.origin.file},
                            {"line", goal.origin.line}});
  }
  for (auto const& map : document.maps) {
    json pairs = json::object();
    for (auto const& pair : map.pairs) pairs[pair.theirs.text] = pair.ours.text;
    out["maps"].push_back({{"site", map.site.text},
                           {"labels", pairs},
                           {"file", map.origin.file},
                           {"line", map.origin.line}});
  }
  return out;
}

/// What each label may send to each: every service, some, or nothing.
std::string flow_table(CompiledPolicy const& policy) {
  std::vector<std::string> head = {"from \\ to"};
  std::vector<std::vector<std::string>> rows;
  for (std::uint16_t to = 0; to < policy.label_count(); ++to) {
    head.push_back(policy.label_name(LabelId(to)).value());
  }
  for (std::uint16_t from = 0; from < policy.label_count(); ++from) {
    std::vector<std::string> row = {policy.label_name(LabelId(from)).value()};
    for (std::uint16_t to = 0; to < policy.label_count(); ++to) {
      Decision const decision = decide(
          {Operation::flow, LabelId(from), LabelId(to), {}, policy.revision(), nullptr}, policy);
      bool const some = decision.reason == Reason::service_not_allowed;
      row.push_back(decision.allowed() ? "all" : some ? "some" : "-");
    }
    rows.push_back(std::move(row));
  }
  return format_table(head, rows);
}

/// The line, with the file if it is an included one.
std::string place(Origin const& origin, PolicyDocument const& document) {
  std::string const line = std::to_string(origin.line);
  return origin.file == document.file ? line : origin.file + ":" + line;
}

int show(Options const& options) {
  auto const build = load_policy_file(options.file);
  if (!build) return kExitUsage;
  PolicyDocument const& document = *build->document;
  if (options.as_json) {
    print_json("shamon.policy.show/1", to_json(document));
    return kExitYes;
  }
  auto const& head = document.coalition;
  print("coalition " + head.name.text + " revision " + std::to_string(head.revision.value()) +
        (head.revision_name.empty() ? "" : " \"" + head.revision_name + "\"") + "\n\n");
  std::vector<std::vector<std::string>> rows;
  for (auto const& label : document.labels) {
    rows.push_back({label.name.text, joined(label.share), joined(label.wall.value_or(label.share)),
                    level_text(label.secrecy, label.secrecy_categories),
                    level_text(label.integrity, label.integrity_categories),
                    label.guard ? "yes" : "-", place(label.origin, document)});
  }
  print(format_table({"label", "share", "wall", "secrecy", "integrity", "guard", "line"}, rows));
  print("\n" + flow_table(build->compiled));
  return kExitYes;
}

/// The label of that name, or an unknown one: the policy then denies, which is the answer.
LabelId label_of(CompiledPolicy const& policy, std::string const& name) {
  return policy.find_label(LabelName(name)).value_or(LabelId(kLabelsMax));
}

int answer(Options const& options, PolicyBuild const& build, Request const& request) {
  Decision const decision = decide(request, build.compiled);
  StatementOrigin const origin = build.compiled.origin(decision.statement);
  if (options.as_json) {
    json data = {{"verdict", decision.allowed() ? "allow" : "deny"},
                 {"reason", to_string(decision.reason)},
                 {"operation", to_string(request.operation)},
                 {"subject", options.subject},
                 {"object", options.object},
                 {"service", to_string(request.service)},
                 {"revision", build.compiled.revision().value()},
                 {"rule", json()}};
    if (origin.line != 0) {
      data["rule"] = {{"file", origin.file}, {"line", origin.line}, {"text", origin.text}};
    }
    print_json("shamon.policy.decide/1", data);
  } else {
    std::string line = decision.allowed() ? "allowed " : "denied ";
    line += options.question + " " + options.subject;
    if (!options.object.empty()) line += " -> " + options.object;
    if (request.operation == Operation::flow) line += " " + to_string(request.service);
    line += ": " + std::string(to_string(decision.reason));
    if (origin.line != 0) {
      line += "; " + origin.file + ":" + std::to_string(origin.line) + " " + origin.text;
    }
    print(line + "\n");
  }
  return decision.allowed() ? kExitYes : kExitPolicyDenies;
}

/// A list of labels, commas between them. A label's own name may hold commas, so at each place the
/// longest name that there is counts.
bool add_labels(CompiledPolicy const& policy, std::string_view list, LabelSet& running) {
  while (!list.empty()) {
    std::size_t end = list.size();
    std::optional<LabelId> id;
    while (!(id = policy.find_label(LabelName(std::string(list.substr(0, end)))))) {
      std::size_t const comma = list.substr(0, end).rfind(',');
      if (comma == std::string_view::npos) break;
      end = comma;
    }
    if (!id) {
      complain("shamon: --running: label '" + std::string(list.substr(0, end)) +
               "' is not defined");
      return false;
    }
    running.set(id->value());
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return true;
}

int decide_question(Options const& options) {
  auto const build = load_policy_file(options.file);
  if (!build) return kExitUsage;
  CompiledPolicy const& policy = build->compiled;
  auto const service = parse_service(options.service);
  if (!service) {
    complain("shamon: --service: " + service.error().message);
    return kExitUsage;
  }
  bool const start = options.question == "start";
  if (start != options.object.empty()) {
    complain(start ? "shamon: start asks about one label; name the others with --running"
                   : "shamon: " + options.question + " asks about two labels");
    return kExitUsage;
  }
  LabelSet running;
  for (auto const& list : options.running) {
    if (!add_labels(policy, list, running)) return kExitUsage;
  }
  Request request{Operation::flow,
                  label_of(policy, options.subject),
                  label_of(policy, options.object),
                  *service,
                  policy.revision(),
                  &running};
  if (options.question == "share") request.operation = Operation::share_memory;
  if (start) request.operation = Operation::start;
  return answer(options, *build, request);
}

/// A verb with the option every verb has, FILE.
CLI::App* add_verb(CLI::App& noun, char const* name, char const* what,
                   std::shared_ptr<Options> const& options) {
  auto* verb = noun.add_subcommand(name, what);
  verb->add_option("file", options->file, "policy file")->required();
  return verb;
}

}  // namespace

void add_policy_verbs(CLI::App& app, int& exit_code) {
  auto* noun = app.add_subcommand(
      "policy", "policy files: check, format, ask, prove, unite, analyse, exchange");
  noun->require_subcommand(1);
  auto options = std::make_shared<Options>();

  add_policy_text_verbs(*noun, exit_code);
  add_policy_lsp_verbs(*noun, exit_code);

  auto* verb = add_verb(*noun, "show", "labels of FILE, and what may flow between them", options);
  verb->add_flag("--json", options->as_json, "one JSON object, every statement");
  verb->callback([options, &exit_code] { exit_code = show(*options); });

  verb = add_verb(*noun, "decide", "what the monitor would answer, and by which rule", options);
  verb->add_option("question", options->question, "flow A B, share A B or start A")
      ->required()
      ->check(CLI::IsMember({"flow", "share", "start"}));
  verb->add_option("subject", options->subject, "label")->required();
  verb->add_option("object", options->object, "label");
  verb->add_option("--service", options->service, "for flow: tcp/443, udp/9000, icmp, any");
  verb->add_option("--running", options->running, "for start: A,B running on the machine")
      ->allow_extra_args(false);
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->callback([options, &exit_code] { exit_code = decide_question(*options); });
  add_policy_flow_verbs(*noun, exit_code);
  add_policy_graph_verbs(*noun, exit_code);
  add_policy_plan_verbs(*noun, exit_code);

  add_policy_import_verbs(*noun, exit_code);
  add_policy_export_verbs(*noun, exit_code);
  add_policy_union_verbs(*noun, exit_code);
  add_policy_prove_verbs(*noun, exit_code);
}

}  // namespace shamon
