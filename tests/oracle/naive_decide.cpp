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

bool is(LabelStatement const& a, LabelStatement const& b) {
  return a.name.text == b.name.text;
}

/// A level in words, and whether one is at least another: its rank is not lower, and it has every
/// category of the other.
struct Height {
  int rank = 0;
  Names categories;
};
Height height(std::optional<Name> const& word, std::vector<Name> const& categories,
              std::vector<std::string> const& words) {
  Height out{0, to_set(categories)};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (word && word->text == words[i]) out.rank = static_cast<int>(i);
  }
  return out;
}
bool at_least(Height const& high, Height const& low) {
  return high.rank >= low.rank && both(high.categories, low.categories) == low.categories;
}
Height secrecy(LabelStatement const& label) {
  return height(label.secrecy, label.secrecy_categories,
                {"open", "internal", "confidential", "secret"});
}
Height integrity(LabelStatement const& label) {
  return height(label.integrity, label.integrity_categories, {"low", "medium", "high"});
}

/// Whether levels let information flow from the first to the second.
Answer levels(LabelStatement const& from, LabelStatement const& to) {
  if (!at_least(secrecy(to), secrecy(from))) return {false, "secrecy"};
  if (!at_least(integrity(from), integrity(to))) return {false, "integrity"};
  return {true, ""};
}

bool share_a_type(LabelStatement const& a, LabelStatement const& b) {
  return !both(to_set(a.share), to_set(b.share)).empty();
}

constexpr char kBesideGuard[] = "guard talks only over its allowed services";

/// A guard and another label: the narrow interface.
bool beside_guard(LabelStatement const& a, LabelStatement const& b) {
  return !is(a, b) && (a.guard || b.guard);
}

/// What informs both sides.
Answer both_ways(LabelStatement const& a, LabelStatement const& b) {
  if (!share_a_type(a, b)) return {false, "no common type"};
  Answer const there = levels(a, b);
  Answer const back = levels(b, a);
  if (there.allowed && back.allowed) return {true, is(a, b) ? "same label" : "common type"};
  bool const secret = there.reason == "secrecy" || back.reason == "secrecy";
  return {false, secret ? "secrecy" : "integrity"};
}

Answer sharing(LabelStatement const& a, LabelStatement const& b) {
  return beside_guard(a, b) ? Answer{false, kBesideGuard} : both_ways(a, b);
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
  bool const guarded = beside_guard(a, b);
  Answer const level = guarded ? Answer{true, ""} : levels(a, b);
  if (!guarded && share_a_type(a, b)) {
    return level.allowed ? Answer{true, is(a, b) ? "same label" : "common type"} : level;
  }
  bool direction_stated = false;
  for (auto const& allow : policy.allows) {
    bool const forward = allow.from.text == q.subject && allow.to.text == q.object;
    bool const backward =
        allow.two_way && allow.to.text == q.subject && allow.from.text == q.object;
    if (!forward && !backward) continue;
    direction_stated = true;
    if (covers(allow, q)) return level.allowed ? Answer{true, "allow statement"} : level;
  }
  if (direction_stated) return {false, "service not allowed"};
  return {false, guarded ? kBesideGuard : "no common type"};
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
  if (q.operation == "assign_device") {
    return q.subject == q.object ? Answer{true, "same label"} : both_ways(*subject, *object);
  }
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
