// Two policies define the same thing differently: finds a question whose answer depends on which of
// the two definitions counts.
#pragma once

#include "policy/unite/compare.hpp"
#include "policy/unite/compose.hpp"

namespace shamon {

class Dispute {
 public:
  Dispute(Parts const& parts, Vocabulary const& vocabulary, std::size_t one, std::size_t other)
      : parts_(parts), names_(vocabulary), one_(one), other_(other) {}

  /// A label that nobody has yet, to show what a definition would mean for it. `attributes` are
  /// spelled in the united vocabulary. Returns its name.
  std::string probe(std::string const& attributes);
  /// Another statement for the probes.
  void say(std::string const& statement) { said_.push_back(statement); }

  /// First among the labels both policies know, then in the union with one's and with the other's
  /// word. `subjects` are united names.
  Example find(std::vector<std::string> const& subjects) const;

 private:
  std::optional<Example> among_common(std::vector<std::string> const& subjects) const;
  std::optional<Example> in_unions(std::vector<std::string> const& subjects) const;
  std::string given() const;

  Parts const& parts_;
  Vocabulary const& names_;
  std::size_t one_, other_;
  std::vector<std::string> probes_, said_;
};

}  // namespace shamon
