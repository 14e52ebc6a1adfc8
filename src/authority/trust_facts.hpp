// Keeps the trust engine's facts equal to what the authority knows. The words are those of
// trust/rules.shamon.
#pragma once

#include <set>

#include "attestation/appraisal.hpp"
#include "authority/record.hpp"
#include "trust/engine.hpp"

namespace shamon {

class TrustFacts {
 public:
  explicit TrustFacts(CoalitionName coalition, std::vector<std::string> const& required_components);

  void advance(WallTime now) { (void)engine_.advance(now); }

  /// The machine's registration, with how it was established.
  void set_registered(HostRecord const& record, std::string const& source);
  /// Approves exactly these versions of components; values for single files ("file:…") stay out,
  /// because the appraisal looks at them one by one.
  void set_approved(std::vector<ReferenceValueMessage> const& values);
  /// The policy in force: its digest and its labels.
  void set_policy(std::string const& digest, Revision revision,
                  std::vector<LabelName> const& labels);
  std::string const& policy_digest() const noexcept { return policy_digest_; }

  /// A quote that the machine's key signed commits to these components. Replaces what was known of
  /// its state.
  void set_state(HostName const& host, std::vector<MeasuredComponent> const& components,
                 Validity validity, std::string const& quote_source);
  /// Policy evaluation: the statement at `place` admits the machine.
  void set_fits(HostName const& host, Validity validity, std::string const& place);
  void set_enforces(HostName const& host, std::string const& source);
  /// Its quote no longer counts; nor that it fits or enforces the policy.
  void drop_state(HostName const& host);
  void set_vm(VmEntry const& vm);

  bool is_member(HostName const& host) const { return engine_.holds(member(host)); }
  std::optional<Proof> prove_member(HostName const& host) const {
    return engine_.prove(member(host));
  }
  /// Why not, one sentence a missing premise, the deepest last.
  std::vector<std::string> missing_for_member(HostName const& host) const;
  TrustEngine const& engine() const noexcept { return engine_; }

 private:
  Statement member(HostName const& host) const;
  std::string known_name(MeasuredComponent const& measured) const;
  void give(Statement const& fact, Validity validity, std::string source);
  /// Takes back all facts of a predicate that have these terms; nullopt: any.
  void take(std::string predicate, std::vector<std::optional<std::string>> terms);

  CoalitionName coalition_;
  TrustEngine engine_;
  std::string policy_digest_;
  std::set<Statement> approved_;
};

}  // namespace shamon
