// The machine's own policy beside the coalition's: what both say together is what is enforced here,
// and a coalition's policy that would break it is not put in force. Without one, the coalition's
// policy stands alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/journal.hpp"
#include "monitor/monitor.hpp"
#include "policy/document.hpp"
#include "policy/unite/unite.hpp"

namespace shamon {

class MachinePolicy {
 public:
  MachinePolicy() = default;  ///< none
  /// An empty path: none. Errors: as read_text_file; `malformed`, every mistake with its place.
  static Result<MachinePolicy> read(std::string const& path);

  bool present() const noexcept { return own_ != nullptr; }
  /// As it stands in the file: what is measured.
  std::string const& text() const noexcept { return text_; }

  /// What is enforced when `coalition` arrives: its names stay, and its revision.
  struct Combined {
    std::shared_ptr<PolicyBuild const> coalition;
    std::shared_ptr<PolicyBuild const> enforced;
    std::vector<LabelName> own_labels;  ///< what the machine's labels are called there, by LabelId
  };
  struct Refused {
    std::vector<Conflict> conflicts;  ///< empty: `error` says why
    Error error;                      ///< one line, with the first conflict
  };
  tl::expected<Combined, Refused> combine(std::shared_ptr<PolicyBuild const> coalition) const;

  /// combine(), and what follows from a refusal: the reference monitor denies the load for
  /// `policy_incompatible`, which is audited, and the journal gets every conflict. What is in force
  /// stays.
  Result<Combined> judge(std::shared_ptr<PolicyBuild const> coalition, Monitor& monitor,
                         Journal& journal, WallTime now) const;

  /// A VM's label as this machine's configuration spells it, in the words of what is enforced: a
  /// label of the machine's own policy, or one that the coalition's `map` for this machine's site
  /// translates. INVARIANT(unknown-label-denied): errors are as translate()'s.
  Result<LabelName> label_of(LabelName const& configured, std::string_view site,
                             Combined const& combined) const;

 private:
  std::string text_;
  std::shared_ptr<PolicyBuild const> own_;
};

}  // namespace shamon
