#include "oracle/naive_decide.hpp"

#include <set>

namespace shamon::oracle {
namespace {

using Names = std::set<std::string>;

LabelStatement const* find(PolicyDocument const& policy, std::string const& name) {
  for (auto const& label : policy.labels) {
    if (label.name.text == name) return &label;
  }
  return nullptr;
}

Names to_set(std::vector<Name> const& names) {
  Names out;
  for (auto const& name : names) out.insert(name.text);
  return out;
}

Names wall_types(LabelStatement const& label) {
  return to_set(label.wall ? *label.wall : label.share);
}

Names both(Names const& a, Names const& b) {
  Names out;
  for (auto const& name : a) {
    if (b.count(name) == 1) out.insert(name);
  }
  return out;
}

Answer sharing(LabelStatement const& a, LabelStatement const& b) {
  if (both(to_set(a.share), to_set(b.share)).empty()) return {false, "no common type"};
  return {true, a.name.text == b.name.text ? "same label" : "common type"};
}

bool names_service(ServicePattern const& service, bool two_way, Question const& q) {
  if (service.protocol != q.protocol) return false;
  if (q.port >= service.port_low && q.port <= service.port_high) return true;
  return two_way && q.source_port >= service.port_low && q.source_port <= service.port_high;
}

bool covers(AllowStatement const& allow, Question const& q) {
  if (allow.services.empty()) return true;
  for (auto const& service : allow.services) {
    if (names_service(service, allow.two_way, q)) return true;
  }
  return false;
}

Answer flow(PolicyDocument const& policy, LabelStatement const& a, LabelStatement const& b,
            Question const& q) {
  Answer const shared = sharing(a, b);
  if (shared.allowed) return shared;
  bool direction_stated = false;
  for (auto const& allow : policy.allows) {
    bool const forward = allow.from.text == q.subject && allow.to.text == q.object;
    bool const backward =
        allow.two_way && allow.to.text == q.subject && allow.from.text == q.object;
    if (!forward && !backward) continue;
    direction_stated = true;
    if (covers(allow, q)) return {true, "allow statement"};
  }
  return {false, direction_stated ? "service not allowed" : "no common type"};
}

/// All types of one wall that would be on the machine.
Names on_machine(WallStatement const& wall, std::vector<LabelStatement const*> const& labels) {
  Names out;
  for (auto const* label : labels) {
    for (auto const& type : both(to_set(wall.types), wall_types(*label))) out.insert(type);
  }
  return out;
}

Answer start(PolicyDocument const& policy, LabelStatement const& label, Question const& q) {
  std::vector<LabelStatement const*> there = {&label};
  for (auto const& name : q.running) {
    auto const* other = find(policy, name);
    if (other == nullptr) return {false, "unknown label"};
    there.push_back(other);
  }
  for (auto const& wall : policy.walls) {
    if (on_machine(wall, there).size() > 1) return {false, "Chinese Wall"};
  }
  return {true, "no wall"};
}

}  // namespace

Answer decide(PolicyDocument const& policy, Question const& q) {
  if (q.revision != policy.coalition.revision.value()) return {false, "stale revision"};
  auto const* subject = find(policy, q.subject);
  if (subject == nullptr) return {false, "unknown label"};
  if (q.operation == "associate") return {true, "label known"};
  if (q.operation == "start") return start(policy, *subject, q);
  auto const* object = find(policy, q.object);
  if (object == nullptr) return {false, "unknown label"};
  if (q.operation == "flow") return flow(policy, *subject, *object, q);
  if (q.operation == "assign_device" && q.subject == q.object) return {true, "same label"};
  return sharing(*subject, *object);
}

bool contradicts_itself(PolicyDocument const& policy) {
  for (auto const& label : policy.labels) {
    if (label.wall) continue;  // as stated: it never starts
    for (auto const& wall : policy.walls) {
      if (both(to_set(wall.types), to_set(label.share)).size() > 1) return true;
    }
  }
  return false;
}

}  // namespace shamon::oracle
