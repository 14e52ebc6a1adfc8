// What a new policy would change before it takes effect: who gains and who loses communication,
// which goals change, and what of that which runs now would be cut.
#pragma once

#include <compare>

#include "policy/flow/goals.hpp"

namespace shamon {

/// Two ordered labels whose communication changes. Empty text: nothing gained, or nothing lost.
struct PairChange {
  std::string from, to;
  std::string gained;
  std::string lost;
  StatementOrigin opened_by;  ///< in the new policy; line 0 if nothing is gained
  StatementOrigin was_by;     ///< in the old policy; line 0 if nothing is lost
};

/// A statement about a thing that has a name: a label, a wall.
struct NamedChange {
  enum class Kind : std::uint8_t { added, removed, changed };
  Kind kind{};
  std::string what;  ///< "label", "wall", "guard"
  std::string name;
  StatementOrigin before;  ///< line 0 if added
  StatementOrigin after;   ///< line 0 if removed
};

/// Two labels a wall newly keeps from one machine, or no longer does.
struct WallChange {
  std::string a, b;
  bool apart = false;  ///< in the new policy
  StatementOrigin origin;
};

struct GoalChange {
  enum class Standing : std::uint8_t { absent, holds, violated };
  StatementOrigin origin;  ///< in the new policy; in the old one if the new has no such goal
  Standing before{};
  Standing after{};
  bool becomes_violated() const noexcept {
    return after == Standing::violated && before != Standing::violated;
  }
};

struct PolicyPlan {
  bool same_coalition = true;
  bool newer = true;  ///< monitors refuse a policy whose revision is not greater
  std::vector<NamedChange> names;
  std::vector<PairChange> pairs;
  std::vector<WallChange> walls;
  std::vector<GoalChange> goals;  ///< those whose standing changes, and those violated in both
  bool violates() const noexcept;
};

/// One side of a comparison; `graph` was built from the other two.
struct PolicySide {
  CompiledPolicy const& policy;
  PolicyDocument const& document;
  LabelGraph const& graph;
};

/// Pairs are compared service by service: what passes under one policy and not under the other.
/// Labels are the same if their names are. Order: by name.
PolicyPlan compare(PolicySide const& before, PolicySide const& after);

struct RunningVm {
  std::string vm, label, host, image;
};
/// A security association: one for each (machine, peer, label).
struct RunningTunnel {
  std::string host, peer, label;
  friend auto operator<=>(RunningTunnel const&, RunningTunnel const&) = default;
};
struct Running {
  std::vector<RunningVm> vms;
  std::vector<RunningTunnel> tunnels;  ///< as machines told; may be empty
};

/// What stops, or stops talking, when the new policy takes effect.
struct Cut {
  enum class Kind : std::uint8_t {
    vm_stops,         ///< its label is gone: its monitor stops it
    image_withdrawn,  ///< runs on, but could not start again: no `member vm` names its image
    wall,             ///< two VMs run on one machine that a wall now keeps apart
    flow,             ///< VMs that talk to each other lose services
    tunnel,           ///< no VM pair is left that a tunnel carries
  };
  Kind kind{};
  std::string text;                ///< for people, one line
  std::vector<std::string> names;  ///< the VMs; of a tunnel: machine, peer, label
};
char const* to_string(Cut::Kind kind) noexcept;

/// Tunnels that are not told are derived: one for each two machines and label whose VMs may talk
/// under `before`. Every tunnel that stays is keyed anew, because the revision is part of its keys.
std::vector<Cut> find_cuts(PolicySide const& before, PolicySide const& after,
                           PolicyPlan const& plan, Running const& running);

}  // namespace shamon
