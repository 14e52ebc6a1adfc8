#include "policy/unite/compare.hpp"

#include <algorithm>
#include <set>

#include "policy/decision_text.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

std::uint32_t pair_key(LabelId from, LabelId to) {
  return std::uint32_t{from.value()} << 16 | to.value();
}

using Rules = std::vector<ServicesOfPairs::Rule>;

/// What one policy says about a pair, in both directions.
struct PairRules {
  Rules const& there;
  Rules const& back;
  friend bool operator==(PairRules const& a, PairRules const& b) {
    return a.there == b.there && a.back == b.back;
  }
  bool empty() const { return there.empty() && back.empty(); }
};

/// Every service for which the verdicts of two policies can differ from their neighbours': a rule's
/// bounds, the ports just outside, and a protocol that nobody named.
std::vector<Service> services_to_ask(PairRules const& one, PairRules const& other) {
  if (one.empty() && other.empty()) return {Service{}};  // then one service is like another
  // In the order in which an example is easiest to understand.
  std::vector<Service> out{{}, {kProtocolIcmp, 0, 0}};
  std::set<std::pair<std::uint8_t, std::uint16_t>> ports;
  for (auto const* rules : {&one.there, &one.back, &other.there, &other.back}) {
    for (auto const& [p, two_way] : *rules) {
      if (p.protocol != kProtocolTcp && p.protocol != kProtocolUdp) continue;
      for (int port : {p.port_low - 1, int{p.port_low}, int{p.port_high}, p.port_high + 1}) {
        if (port > 0 && port <= 65535) {
          ports.emplace(p.protocol, static_cast<std::uint16_t>(port));
        }
      }
    }
  }
  bool const same = one == other;
  for (auto const& [protocol, port] : ports) out.push_back({protocol, port, 0});
  for (std::uint8_t protocol : {kProtocolTcp, kProtocolUdp}) out.push_back({protocol, 0, 0});
  for (auto const& [protocol, port] : ports) {
    out.push_back({protocol, 0, port});
    if (same) continue;
    for (auto const& [also, source] : ports) {
      if (also == protocol) out.push_back({protocol, port, source});
    }
  }
  return out;
}

std::string verdict_text(Answer const& answer) {
  std::string out = answer.decision.allowed() ? "allowed by " : "denied by ";
  out += answer.policy_name + " (" + to_string(answer.decision.reason);
  if (answer.policy != nullptr) {
    StatementOrigin const origin = answer.policy->compiled.origin(answer.decision.statement);
    if (origin.line != 0) out += ", " + origin.file + ":" + std::to_string(origin.line);
  }
  return out + ")";
}

}  // namespace

ServicesOfPairs::ServicesOfPairs(PolicyBuild const& build) {
  for (auto const& rule : build.compiled.tables().rules.allows) {
    rules_[pair_key(rule.from, rule.to)].push_back(
        {{rule.protocol, rule.port_low, rule.port_high}, rule.two_way});
  }
}

Rules const& ServicesOfPairs::of(LabelId from, LabelId to) const {
  static Rules const none;
  auto const at = rules_.find(pair_key(from, to));
  return at == rules_.end() ? none : at->second;
}

Comparable comparable(std::string name, SharedPolicy policy) {
  ServicesOfPairs services(*policy);
  return {std::move(name), std::move(policy), std::move(services)};
}

std::optional<std::pair<Answer, Answer>> find_difference(Comparable const& one,
                                                         LabelPair const& in_one,
                                                         Comparable const& other,
                                                         LabelPair const& in_other, Asked asked) {
  CompiledPolicy const& a = one.policy->compiled;
  CompiledPolicy const& b = other.policy->compiled;
  LabelId const unknown(kLabelsMax);
  LabelId const a_subject = a.find_label(in_one.subject).value_or(unknown);
  LabelId const a_object = a.find_label(in_one.object).value_or(unknown);
  LabelId const b_subject = b.find_label(in_other.subject).value_or(unknown);
  LabelId const b_object = b.find_label(in_other.object).value_or(unknown);
  LabelSet a_running, b_running;
  if (a_object != unknown) a_running.set(a_object.value());
  if (b_object != unknown) b_running.set(b_object.value());
  auto differs = [&](Operation operation,
                     Service service) -> std::optional<std::pair<Answer, Answer>> {
    Decision const in_a =
        decide({operation, a_subject, a_object, service, a.revision(), &a_running}, a);
    Decision const in_b =
        decide({operation, b_subject, b_object, service, b.revision(), &b_running}, b);
    if (in_a.verdict == in_b.verdict) return std::nullopt;
    auto answer = [&](Comparable const& from, LabelPair const& labels, Decision const& decision) {
      Question question{operation, labels.subject, labels.object, service, {}, {}};
      question.revision = from.policy->compiled.revision();
      if (operation == Operation::start) question.running = {labels.object};
      return Answer{from.name, from.policy, question, decision};
    };
    return std::pair{answer(one, in_one, in_a), answer(other, in_other, in_b)};
  };
  if (asked == Asked::start) return differs(Operation::start, {});
  PairRules const a_rules{one.services.of(a_subject, a_object),
                          one.services.of(a_object, a_subject)};
  PairRules const b_rules{other.services.of(b_subject, b_object),
                          other.services.of(b_object, b_subject)};
  for (Service const& service : services_to_ask(a_rules, b_rules)) {
    if (auto found = differs(Operation::flow, service)) return found;
  }
  for (Operation operation :
       {Operation::share_memory, Operation::bind_event, Operation::assign_device}) {
    if (auto found = differs(operation, {})) return found;
  }
  return std::nullopt;
}

Example two_answers(Answer one, Answer other) {
  for (Answer* answer : {&one, &other}) {
    if (answer->question.revision == Revision{}) {
      answer->question.revision = answer->policy->compiled.revision();
    }
    answer->decision = ask(answer->question, answer->policy->compiled);
  }
  Example out;
  out.text = one.question.describe() + ": " + verdict_text(one) + ", ";
  bool const renamed = one.question.subject != other.question.subject ||
                       one.question.object != other.question.object;
  if (renamed) out.text += "but " + other.question.describe() + ": ";
  out.text += verdict_text(other);
  out.answers = {std::move(one), std::move(other)};
  return out;
}

}  // namespace shamon
