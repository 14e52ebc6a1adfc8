#include "host/explain_flow.hpp"

#include "host/journal.hpp"
#include "policy/decision_text.hpp"

namespace shamon {
namespace {

class Argument {
 public:
  void premise(bool holds, std::string const& text) {
    lines_.push_back(std::string(holds ? "  [yes] " : "  [no]  ") + text);
    all_hold_ = all_hold_ && holds;
  }
  void remark(std::string const& text) { lines_.push_back("        " + text); }
  bool all_hold() const noexcept { return all_hold_; }
  std::vector<std::string> take() && { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
  bool all_hold_ = true;
};

void argue_vm(Argument& argument, std::string const& name, std::optional<VmEntry> const& vm) {
  if (!vm) {
    argument.premise(false, name + " is in the coalition's directory");
    return;
  }
  argument.premise(vm->state == "running", name + " is " + vm->state + " on " + vm->host.value() +
                                               " with label " + vm->label.value());
}

void argue_policy(Argument& argument, FlowQuestion const& q, CompiledPolicy const& policy) {
  auto const from = policy.find_label(q.from->label);
  auto const to = policy.find_label(q.to->label);
  Decision const decision =
      decide({Operation::flow, from.value_or(LabelId(kLabelsMax)), to.value_or(LabelId(kLabelsMax)),
              q.service, policy.revision(), nullptr},
             policy);
  StatementOrigin const origin = policy.origin(decision.statement);
  argument.premise(decision.allowed(), "policy lets " + q.from->label.value() + " reach " +
                                           q.to->label.value() +
                                           (q.service_text.empty() ? "" : " on " + q.service_text) +
                                           ": " + to_string(decision.reason) + " (" +
                                           rule_text(origin, policy.revision()) + ")");
  if (!origin.text.empty()) argument.remark(origin.text);
  if (!decision.allowed()) {
    argument.remark("to allow it, the coalition's policy owner would add: allow " +
                    q.from->label.value() + " <-> " + q.to->label.value() +
                    (q.service_text.empty() ? "" : " " + q.service_text));
  }
}

void argue_machines(Argument& argument, FlowQuestion const& q) {
  argument.premise(q.from_host_state == "active",
                   q.from->host.value() + " is an active member (" + q.from_host_state + ")");
  argument.premise(q.to_host_state == "active",
                   q.to->host.value() + " is an active member (" + q.to_host_state + ")");
  argument.premise(q.lease_left_ms > 0,
                   "this machine's lease holds (" + std::to_string(q.lease_left_ms) + " ms left)");
  argument.remark(q.association_open
                      ? "an association for this label is open"
                      : "no association for this label is open: the first packet asks for one");
}

}  // namespace

Explanation explain_flow(FlowQuestion const& q, CompiledPolicy const& policy) {
  Explanation out;
  out.question = "may " + q.from_name + " talk to " + q.to_name +
                 (q.service_text.empty() ? "" : " on " + q.service_text) + "?";
  Argument argument;
  argue_vm(argument, q.from_name, q.from);
  argue_vm(argument, q.to_name, q.to);
  if (q.from && q.to) {
    argue_policy(argument, q, policy);
    if (!q.same_machine) argue_machines(argument, q);
  }
  out.verdict = argument.all_hold() ? "allowed" : "denied";
  out.lines = std::move(argument).take();
  return out;
}

}  // namespace shamon
