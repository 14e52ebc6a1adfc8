// On what an open association rests: the peer's proof of acceptance at a revision. When that goes,
// the association goes.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace shamon {

struct Dependency {
  HostName peer;
  LabelName label;
  std::string proof_id;  ///< of the EAR the peer showed
  Revision revision;     ///< of the policy the association was opened under
  Instant since;
  friend bool operator==(Dependency const&, Dependency const&) = default;
};

class Dependencies {
 public:
  /// Replaces what is recorded for the same peer and label.
  void record(Dependency dependency) {
    end([&](Dependency const& old) {
      return old.peer == dependency.peer && old.label == dependency.label;
    });
    all_.push_back(std::move(dependency));
  }

  /// Forgets those `ended` is true of and returns them: their associations must close now.
  template <class Predicate>
  std::vector<Dependency> end(Predicate ended) {
    auto const first = std::stable_partition(all_.begin(), all_.end(),
                                             [&](Dependency const& d) { return !ended(d); });
    std::vector<Dependency> out(std::make_move_iterator(first),
                                std::make_move_iterator(all_.end()));
    all_.erase(first, all_.end());
    return out;
  }
  std::vector<Dependency> end_peer(HostName const& peer) {
    return end([&](Dependency const& d) { return d.peer == peer; });
  }
  std::vector<Dependency> end_association(HostName const& peer, LabelName const& label) {
    return end([&](Dependency const& d) { return d.peer == peer && d.label == label; });
  }
  /// A new policy revision: keys of older ones are bound to a policy that no longer decides.
  std::vector<Dependency> end_before(Revision revision) {
    return end([&](Dependency const& d) { return d.revision < revision; });
  }
  std::vector<Dependency> end_all() {
    return end([](Dependency const&) { return true; });
  }
  std::vector<Dependency> const& all() const noexcept { return all_; }

 private:
  std::vector<Dependency> all_;
};

}  // namespace shamon
