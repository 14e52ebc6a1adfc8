#include "operator/cli/policy_plan_verbs.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "coalition/messages/operator.hpp"
#include "operator/cli/api.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/flow_text.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"
#include "operator/cli/policy_source.hpp"
#include "policy/flow/plan.hpp"

namespace shamon {
namespace {

using nlohmann::json;

struct Options {
  std::vector<std::string> files;  ///< [OLD] NEW
  std::string old;
  std::string authority;
  std::vector<std::string> running;
  bool as_json = false;
};

void print(std::string const& text) {
  std::fputs(text.c_str(), stdout);
}
int complain(std::string const& text) {
  std::fputs(("shamon: " + text + "\n").c_str(), stderr);
  return kExitUsage;
}

void add_vms(VmList const& list, Running& running) {
  for (auto const& vm : list.vms) {
    if (vm.state != "running") continue;
    running.vms.push_back({vm.vm.value(), vm.label.value(), vm.host.value(), vm.image});
  }
}

void add_tunnels(HostStatus const& status, Running& running) {
  for (auto const& one : status.associations) {
    if (one.state != "open") continue;
    running.tunnels.push_back({status.host.value(), one.peer.value(), one.label.value()});
  }
}

/// The schema and the data of `{"schema":…,"data":…}`, or the text itself without an envelope.
std::pair<std::string, std::string> opened(std::string const& text) {
  auto const parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("data")) return {"", text};
  return {parsed.value("schema", ""), parsed["data"].dump()};
}

/// What `shamon vm list --json` or `shamon status --host H --json` printed.
Status read_running(std::string const& file, Running& running) {
  auto const text = read_text_file(file);
  if (!text) return pass(text);
  auto const [schema, data] = opened(*text);
  if (schema.starts_with("shamon.host.status/")) {
    auto const status = decode_json<HostStatus>(data);
    if (!status) return pass(status, file);
    add_tunnels(*status, running);
    add_vms({status->vms}, running);
    return {};
  }
  auto const list = decode_json<VmList>(data);
  if (!list) return pass(list, file);
  add_vms(*list, running);
  return {};
}

/// The coalition's VMs, and the tunnels of every monitor whose socket is here.
Status ask_running(std::string const& authority, Running& running) {
  auto const socket = find_authority_socket(authority);
  if (!socket) return pass(socket);
  auto const body = ApiClient(*socket).get("/v1/vms");
  auto const list = body ? decode_json<VmList>(*body) : pass(body);
  if (!list) return pass(list);
  add_vms(*list, running);
  auto const hosts_body = ApiClient(*socket).get("/v1/hosts");
  auto const hosts = hosts_body ? decode_json<HostList>(*hosts_body) : pass(hosts_body);
  if (!hosts) return pass(hosts);
  for (auto const& host : hosts->hosts) {
    auto const monitor = find_host_socket("", host.host.value());
    auto const told = monitor ? ApiClient(*monitor).get("/v1/host") : pass(monitor);
    auto const status = told ? decode_json<HostStatus>(*told) : pass(told);
    if (status) add_tunnels(*status, running);
  }
  return {};
}

char const* word(NamedChange::Kind kind) {
  switch (kind) {
    case NamedChange::Kind::added: return "added";
    case NamedChange::Kind::removed: return "removed";
    case NamedChange::Kind::changed: return "changed";
  }
  return "?";
}

char const* word(GoalChange::Standing standing) {
  switch (standing) {
    case GoalChange::Standing::absent: return "absent";
    case GoalChange::Standing::holds: return "holds";
    case GoalChange::Standing::violated: return "violated";
  }
  return "?";
}

void print_part(char const* title, std::string const& lines) {
  if (!lines.empty()) print(std::string(title) + "\n" + lines);
}

std::string names_text(PolicyPlan const& plan) {
  std::string out;
  for (auto const& change : plan.names) {
    auto const& origin = change.after.line != 0 ? change.after : change.before;
    out += "  " + std::string(word(change.kind)) + " " + change.what + " " + change.name + "  " +
           place_of(origin) + "  " + origin.text + "\n";
    if (change.kind == NamedChange::Kind::changed) {
      out += "      was " + place_of(change.before) + "  " + change.before.text + "\n";
    }
  }
  return out;
}

std::string pairs_text(PolicyPlan const& plan, bool gained) {
  std::string out;
  for (auto const& pair : plan.pairs) {
    std::string const& services = gained ? pair.gained : pair.lost;
    if (services.empty()) continue;
    auto const& origin = gained ? pair.opened_by : pair.was_by;
    out += "  " + pair.from + " -> " + pair.to + "  " + services + "  " + place_of(origin) + "  " +
           origin.text + "\n";
  }
  return out;
}

std::string walls_text(PolicyPlan const& plan) {
  std::string out;
  for (auto const& wall : plan.walls) {
    out += "  " + wall.a + " and " + wall.b +
           (wall.apart ? " may no longer run on one machine  " : " may now run on one machine  ") +
           place_of(wall.origin) + "  " + wall.origin.text + "\n";
  }
  return out;
}

/// Each line further in, so that a path reads as part of the goal above it.
std::string deeper(std::string const& lines) {
  std::string out;
  bool at_start = true;
  for (char const c : lines) {
    if (at_start) out += "    ";
    out += c;
    at_start = c == '\n';
  }
  return out;
}

std::string goals_text(PolicyPlan const& plan, PolicySide const& after) {
  auto const verdicts = check_goals(after.graph, after.policy, after.document);
  std::string out;
  for (auto const& goal : plan.goals) {
    std::string const change = goal.before == goal.after
                                   ? std::string("still ") + word(goal.after)
                                   : std::string(word(goal.before)) + " -> " + word(goal.after);
    out += "  " + (goal.becomes_violated() ? bad(change) : change) + "  " + place_of(goal.origin) +
           "  " + goal.origin.text + "\n";
    for (auto const& verdict : verdicts) {
      bool const this_one =
          verdict.origin.line == goal.origin.line && verdict.origin.file == goal.origin.file;
      if (this_one && goal.after == GoalChange::Standing::violated) {
        out += deeper(describe_path(after.graph, verdict.answer) +
                      describe_open_guards(after.graph, verdict.answer));
      }
    }
  }
  return out;
}

std::string revision_text(PolicySide const& before, PolicySide const& after,
                          PolicyPlan const& plan) {
  std::string out = "coalition " + after.policy.coalition().value() + ", revision " +
                    std::to_string(before.policy.revision().value()) + " -> " +
                    std::to_string(after.policy.revision().value()) + "\n";
  if (!plan.same_coalition) {
    out += "refused by every monitor: the policy in force is of coalition " +
           before.policy.coalition().value() + "\n";
  }
  if (!plan.newer) out += "refused by every monitor: the revision must grow\n";
  return out;
}

void print_plan(PolicySide const& before, PolicySide const& after, PolicyPlan const& plan,
                std::vector<Cut> const& cuts, bool running_known) {
  print(revision_text(before, after, plan));
  print_part("labels and walls", names_text(plan));
  print_part("gains communication", pairs_text(plan, true));
  print_part("loses communication", pairs_text(plan, false));
  print_part("placement", walls_text(plan));
  print_part("goals", goals_text(plan, after));
  std::string lines;
  for (auto const& cut : cuts) lines += "  " + cut.text + "\n";
  print_part("would be cut", lines);
  if (running_known && cuts.empty()) print("nothing that runs would be cut\n");
  bool const nothing =
      plan.names.empty() && plan.pairs.empty() && plan.walls.empty() && plan.goals.empty();
  if (nothing) print("no label, pair or goal changes\n");
}

json plan_json(PolicySide const& before, PolicySide const& after, PolicyPlan const& plan,
               std::vector<Cut> const& cuts, bool running_known) {
  json out = {{"from_revision", before.policy.revision().value()},
              {"to_revision", after.policy.revision().value()},
              {"newer", plan.newer},
              {"same_coalition", plan.same_coalition},
              {"violates", plan.violates()},
              {"running_known", running_known}};
  for (char const* list : {"names", "pairs", "walls", "goals", "cuts"}) out[list] = json::array();
  for (auto const& change : plan.names) {
    out["names"].push_back({{"change", word(change.kind)},
                            {"what", change.what},
                            {"name", change.name},
                            {"before", to_json(change.before)},
                            {"after", to_json(change.after)}});
  }
  for (auto const& pair : plan.pairs) {
    out["pairs"].push_back({{"from", pair.from},
                            {"to", pair.to},
                            {"gained", pair.gained},
                            {"lost", pair.lost},
                            {"opened_by", to_json(pair.opened_by)},
                            {"was_by", to_json(pair.was_by)}});
  }
  for (auto const& wall : plan.walls) {
    out["walls"].push_back(
        {{"a", wall.a}, {"b", wall.b}, {"apart", wall.apart}, {"rule", to_json(wall.origin)}});
  }
  for (auto const& goal : plan.goals) {
    out["goals"].push_back({{"goal", goal.origin.text},
                            {"rule", to_json(goal.origin)},
                            {"before", word(goal.before)},
                            {"after", word(goal.after)}});
  }
  for (auto const& cut : cuts) {
    out["cuts"].push_back(
        {{"kind", to_string(cut.kind)}, {"text", cut.text}, {"names", cut.names}});
  }
  return out;
}

int plan(Options const& options) {
  bool const two = options.files.size() == 2;
  if (two && !options.old.empty())
    return complain("policy plan takes OLD once: as a file or --old");
  std::string const old = two ? options.files.front() : options.old;
  int failed = kExitUsage;
  auto const was =
      old.empty() ? load_policy_in_force(options.authority, failed) : load_policy_file(old);
  if (!was) return failed;
  auto const is = load_policy_file(options.files.back());
  if (!is) return kExitUsage;
  Running running;
  bool running_known = false;
  for (auto const& file : options.running) {
    auto const read = read_running(file, running);
    if (!read) return report(read.error());
    running_known = true;
  }
  if (!running_known && old.empty()) {
    auto const asked = ask_running(options.authority, running);
    if (!asked) return report(asked.error());
    running_known = true;
  }
  LabelGraph const graph_before(was->compiled, *was->document);
  LabelGraph const graph_after(is->compiled, *is->document);
  PolicySide const before{was->compiled, *was->document, graph_before};
  PolicySide const after{is->compiled, *is->document, graph_after};
  PolicyPlan const result = compare(before, after);
  auto const cuts = find_cuts(before, after, result, running);
  if (options.as_json) {
    print(json_envelope("shamon.policy.plan/1",
                        plan_json(before, after, result, cuts, running_known)
                            .dump(-1, ' ', false, json::error_handler_t::replace)));
  } else {
    print_plan(before, after, result, cuts, running_known);
  }
  return result.violates() ? kExitFlowViolation : kExitYes;
}

}  // namespace

void add_policy_plan_verbs(CLI::App& policy_noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* verb = policy_noun.add_subcommand(
      "plan", "what NEW would change: pairs, goals, and what that runs would be cut");
  verb->add_option("files", options->files,
                   "[OLD] NEW; without OLD the policy in force at the authority")
      ->required()
      ->expected(1, 2);
  verb->add_option("--old", options->old, "the policy to compare with");
  verb->add_option("--running", options->running,
                   "what runs: `shamon vm list --json` or `shamon status --host H --json`, files");
  verb->add_option("--authority", options->authority, "the authority's UNIX socket");
  verb->add_flag("--json", options->as_json, "one JSON object");
  verb->callback([options, &exit_code] { exit_code = plan(*options); });
}

}  // namespace shamon
