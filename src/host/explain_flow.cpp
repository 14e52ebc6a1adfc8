#include "host/explain_flow.hpp"

#include "host/journal.hpp"
#include "policy/decision_text.hpp"
#include "policy/language/spelling.hpp"

namespace shamon {
namespace {

class Argument {
 public:
  bool premise(bool holds, std::string const& text, std::string const& rule = {}) {
    std::string const source = rule.empty() ? "" : " (" + rule + ")";
    out_.lines.push_back((holds ? "  [yes] " : "  [no]  ") + text + source);
    out_.premises.push_back({holds, text, rule});
    all_hold_ = all_hold_ && holds;
    return holds;
  }
  void remark(std::string const& text) { out_.lines.push_back("        " + text); }
  void remedy(std::string what, std::string who, std::string command) {
    remark("to change it: " + what + " — " + who + (command.empty() ? "" : ": " + command));
    out_.remedies.push_back({std::move(what), std::move(who), std::move(command)});
  }
  Explanation take() && {
    out_.verdict = all_hold_ ? "allowed" : "denied";
    return std::move(out_);
  }

 private:
  Explanation out_;
  bool all_hold_ = true;
};

std::string administrator_of(HostName const& host) {
  return "the administrator of " + host.value();
}
constexpr char const* kPolicyOwner = "the operator of the coalition's authority";
constexpr char const* kApply = "shamon policy lint FILE, then give FILE to the authority";

void argue_vm(Argument& argument, std::string const& name, std::optional<VmEntry> const& vm) {
  if (!vm) {
    argument.premise(false, name + " is in the coalition's directory");
    argument.remedy("a VM of that name has to be defined and started on a member machine",
                    "that machine's administrator", "");
    return;
  }
  bool const running = argument.premise(
      vm->state == "running",
      name + " is " + vm->state + " on " + vm->host.value() + " with label " + vm->label.value());
  if (running) return;
  if (vm->state == "suspended") {
    argument.remedy("the VM has to be resumed", administrator_of(vm->host),
                    "shamon vm resume " + name);
  } else if (vm->state == "revoked" || vm->state == "isolated" || vm->state == "challenge_failed") {
    argument.remedy("the VM has to run approved software again and be started anew",
                    administrator_of(vm->host), "shamon explain vm " + name);
  } else {
    argument.remedy("the VM has to run", administrator_of(vm->host), "shamon explain vm " + name);
  }
}

/// The label's statement, with its place: what the levels in question are.
void quote_label(Argument& argument, FlowQuestion const& q, CompiledPolicy const& policy,
                 LabelName const& label) {
  if (q.document == nullptr) return;
  for (auto const& statement : q.document->labels) {
    if (statement.name.text != label.value()) continue;
    StatementOrigin const origin = policy.origin(statement.origin.statement);
    argument.remark(statement.origin.text + " (" + rule_text(origin, policy.revision()) + ")");
  }
}

/// What a policy would have to say instead. The authority's operator writes it; a machine cannot.
void remedy_policy(Argument& argument, FlowQuestion const& q, CompiledPolicy const& policy,
                   Reason reason) {
  std::string const from = q.from->label.value();
  std::string const to = q.to->label.value();
  std::string const service = q.service_text.empty() ? "" : " " + q.service_text;
  std::string const allow = "allow " + spell_name(from) + " <-> " + spell_name(to) + service;
  auto say = [&](std::string what) { argument.remedy(std::move(what), kPolicyOwner, kApply); };
  auto quote_both = [&] {
    quote_label(argument, q, policy, q.from->label);
    quote_label(argument, q, policy, q.to->label);
  };
  switch (reason) {
    case Reason::no_common_type:
      quote_both();
      return say("the policy needs a line '" + allow + "', or a type that both labels share");
    case Reason::service_not_allowed:
      return say("the policy needs a line '" + allow + "'; other services are allowed");
    case Reason::secrecy:
      quote_both();
      return say("the secrecy of " + to + " must reach that of " + from +
                 ", level and categories; or the data goes through a label marked 'guard' that may "
                 "receive from " +
                 from + " and send to " + to);
    case Reason::integrity:
      quote_both();
      return say("the integrity of " + from + " must reach that of " + to +
                 ", level and categories; or the data goes through a label marked 'guard' that may "
                 "receive from " +
                 from + " and send to " + to);
    case Reason::guard_interface:
      quote_both();
      return say("the guard's interface needs a line '" + allow +
                 "': with a guard only 'allow' grants, "
                 "and only for its services");
    case Reason::unknown_label:
      return say("both labels, " + from + " and " + to + ", have to be defined in the policy");
    case Reason::label_retired:
      return say("a label that is not retired has to be given to the VM, or the retirement undone");
    case Reason::stale_revision:
    case Reason::missing_input:
    case Reason::unknown_operation:
      return argument.remedy("this machine has to hold the policy in force",
                             administrator_of(q.from->host),
                             "shamon status --host " + q.from->host.value());
    case Reason::common_type:
    case Reason::allow_statement:
    case Reason::same_label:
    case Reason::no_wall:
    case Reason::label_known:
    case Reason::releases:
    case Reason::policy_newer:
    case Reason::chinese_wall:
    case Reason::image_not_verified:
    case Reason::peer_not_member:
    case Reason::peer_not_attested:
    case Reason::policy_incompatible:
    case Reason::policy_not_newer:
    case Reason::label_changed: return say("the policy has to allow it");
  }
}

void argue_policy(Argument& argument, FlowQuestion const& q, CompiledPolicy const& policy) {
  auto const from = policy.find_label(q.from->label);
  auto const to = policy.find_label(q.to->label);
  Decision const decision =
      decide({Operation::flow, from.value_or(LabelId(kLabelsMax)), to.value_or(LabelId(kLabelsMax)),
              q.service, policy.revision(), nullptr},
             policy);
  StatementOrigin const origin = policy.origin(decision.statement);
  argument.premise(decision.allowed(),
                   "policy lets " + q.from->label.value() + " reach " + q.to->label.value() +
                       (q.service_text.empty() ? "" : " on " + q.service_text) + ": " +
                       to_string(decision.reason),
                   rule_text(origin, policy.revision()));
  if (!origin.text.empty()) argument.remark(origin.text);
  if (!decision.allowed()) remedy_policy(argument, q, policy, decision.reason);
}

void argue_member(Argument& argument, HostName const& host, std::string const& state) {
  if (argument.premise(state == "active", host.value() + " is an active member (" + state + ")")) {
    return;
  }
  std::string const name = host.value();
  if (state == "revoked" || state == "suspended") {
    argument.remedy(
        "the authority has to admit the machine again, after what led to it is repaired",
        kPolicyOwner, "shamon explain host " + name);
  } else if (state == "unknown") {
    argument.remedy("the machine has to register and join", administrator_of(host),
                    "shamon status --host " + name);
  } else {
    // refused, suspect, registered …: the evidence does not satisfy the authority.
    argument.remedy("the machine has to run approved software and be attested again",
                    administrator_of(host), "shamon attest explain " + name);
  }
}

void argue_machines(Argument& argument, FlowQuestion const& q) {
  argue_member(argument, q.from->host, q.from_host_state);
  argue_member(argument, q.to->host, q.to_host_state);
  bool const leased =
      argument.premise(q.lease_left_ms > 0, "this machine's lease holds (" +
                                                std::to_string(q.lease_left_ms) + " ms left)");
  if (!leased) {
    argument.remedy("this machine has to hear the authority's heartbeat again",
                    "whoever runs the network between the two, or the authority", "shamon watch");
  }
  argument.remark(!q.association_cipher.empty()
                      ? "an association for this label is open, " + q.association_cipher
                      : "no association for this label is open: the first packet asks for one");
}

}  // namespace

Explanation explain_flow(FlowQuestion const& q, CompiledPolicy const& policy) {
  Argument argument;
  argue_vm(argument, q.from_name, q.from);
  argue_vm(argument, q.to_name, q.to);
  if (q.from && q.to) {
    argue_policy(argument, q, policy);
    if (!q.same_machine) argue_machines(argument, q);
  }
  Explanation out = std::move(argument).take();
  out.question = "may " + q.from_name + " talk to " + q.to_name +
                 (q.service_text.empty() ? "" : " on " + q.service_text) + "?";
  return out;
}

}  // namespace shamon
