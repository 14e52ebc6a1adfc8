#include "authority/trust_facts.hpp"

#include <fmt/format.h>

#include "trust/limits.hpp"

namespace shamon {
namespace {

Statement says(std::string predicate, std::vector<std::string> terms) {
  return {"authority", std::move(predicate), std::move(terms)};
}

/// The place before component `index` of a list: start, 1, 2, …, end.
std::string place(std::size_t index, std::size_t count) {
  if (index == 0) return "start";
  return index == count ? "end" : fmt::format("{}", index);
}

std::string digest_text(Digest const& digest) {
  return fmt::format("{}:{}", to_string(digest.algorithm()), digest.hex());
}

/// Names a state by what was measured, so that the same state has the same name at each quote.
std::string state_name(std::vector<MeasuredComponent> const& components) {
  Hasher hasher(HashAlgorithm::sha256);
  for (auto const& measured : components) {
    std::string const line =
        fmt::format("{} {}\n", measured.component, digest_text(measured.digest));
    hasher.update(as_bytes(line));
  }
  return hasher.finish().hex().substr(0, 32);
}

}  // namespace

TrustFacts::TrustFacts(CoalitionName coalition, std::vector<std::string> const& required_components)
    : coalition_(std::move(coalition)), engine_(builtin_rules()) {
  std::size_t const count = required_components.size();
  for (std::size_t i = 0; i < count; ++i) {
    give(says("required",
              {coalition_.value(), place(i, count), place(i + 1, count), required_components[i]}),
         {}, "authority configuration");
  }
}

Statement TrustFacts::member(HostName const& host) const {
  return says("member", {host.value(), coalition_.value()});
}

// A fact that is refused is a fact that is absent, and absence denies.
void TrustFacts::give(Statement const& fact, Validity validity, std::string source) {
  if (source.size() > kTermBytesMax) source.resize(kTermBytesMax);
  (void)engine_.insert(fact, validity, std::move(source));
}

void TrustFacts::take(std::optional<Statement>& fact) {
  if (fact) engine_.retract(*fact);
  fact.reset();
}

void TrustFacts::set_registered(HostRecord const& record, std::string const& source) {
  give(says("registered", {record.host.value(), record.ek_fingerprint}), {}, source);
  if (!record.location.empty()) {
    give(says("located", {record.host.value(), record.location}), {}, "claim at registration");
  }
}

void TrustFacts::set_approved(std::vector<ReferenceValueMessage> const& values) {
  std::set<Statement> wanted;
  for (auto const& value : values) {
    if (!value.trusted || value.component.starts_with("file:")) continue;
    Statement fact = says("approved", {value.component, value.digest});
    if (!approved_.contains(fact)) {
      give(fact, {}, value.source.empty() ? "reference values" : value.source);
    }
    wanted.insert(std::move(fact));
  }
  for (auto const& fact : approved_) {
    if (!wanted.contains(fact)) engine_.retract(fact);
  }
  approved_ = std::move(wanted);
}

void TrustFacts::set_policy(std::string const& digest, Revision revision,
                            std::vector<LabelName> const& labels) {
  for (auto const& fact : policy_facts_) engine_.retract(fact);
  policy_facts_.clear();
  for (auto& [host, facts] : hosts_) {
    take(facts.fits);
    take(facts.enforces);
  }
  policy_digest_ = digest;
  policy_facts_.push_back(says("policy_of", {coalition_.value(), digest}));
  for (auto const& label : labels) {
    policy_facts_.push_back(says("label_of", {coalition_.value(), label.value()}));
  }
  std::string const source = fmt::format("policy revision {}", revision.value());
  for (auto const& fact : policy_facts_) give(fact, {}, source);
}

/// Events that name no component are called after their stage and PCR ("firmware/pcr4"), and a
/// value for the stage counts for all its PCRs: then that is the name the logic knows.
std::string TrustFacts::known_name(MeasuredComponent const& measured) const {
  auto const slash = measured.component.find("/pcr");
  if (slash == std::string::npos) return measured.component;
  std::string const stage = measured.component.substr(0, slash);
  std::string const digest = digest_text(measured.digest);
  bool const by_stage = !approved_.contains(says("approved", {measured.component, digest})) &&
                        approved_.contains(says("approved", {stage, digest}));
  return by_stage ? stage : measured.component;
}

void TrustFacts::set_state(HostName const& host, std::vector<MeasuredComponent> const& components,
                           Validity validity, std::string const& quote_source) {
  HostFacts& facts = hosts_[host];
  std::string const state = state_name(components);
  Statement quoted = says("quoted", {host.value(), state});
  if (facts.quoted != quoted) {
    take(facts.quoted);
    for (auto const& fact : facts.measured) engine_.retract(fact);
    facts.measured.clear();
    std::size_t const count = components.size();
    for (std::size_t i = 0; i < count; ++i) {
      Statement fact =
          says("measured", {host.value(), state, place(i, count), place(i + 1, count),
                            known_name(components[i]), digest_text(components[i].digest)});
      give(fact, {}, fmt::format("event log, component {}", i));
      facts.measured.push_back(std::move(fact));
    }
  }
  give(quoted, validity, quote_source);
  facts.quoted = std::move(quoted);
}

void TrustFacts::set_fits(HostName const& host, Validity validity, std::string const& at) {
  HostFacts& facts = hosts_[host];
  Statement fits = says("fits", {host.value(), policy_digest_, at});
  if (facts.fits != fits) take(facts.fits);
  give(fits, validity, at);
  facts.fits = std::move(fits);
}

void TrustFacts::set_enforces(HostName const& host, std::string const& source) {
  HostFacts& facts = hosts_[host];
  Statement enforces = says("enforces", {host.value(), policy_digest_});
  if (facts.enforces != enforces) take(facts.enforces);
  give(enforces, {}, source);
  facts.enforces = std::move(enforces);
}

void TrustFacts::drop_state(HostName const& host) {
  HostFacts& facts = hosts_[host];
  take(facts.quoted);
  take(facts.fits);
  take(facts.enforces);
}

void TrustFacts::set_vm(VmEntry const& vm) {
  if (auto const known = vms_.find(vm.vm); known != vms_.end()) {
    engine_.retract(known->second.runs);
    engine_.retract(known->second.labelled);
    vms_.erase(known);
  }
  if (vm.state != "running") return;
  VmFacts facts{says("runs", {vm.host.value(), vm.vm.value()}),
                says("labelled", {vm.vm.value(), vm.label.value()})};
  std::string const source = "report of " + vm.host.value();
  give(facts.runs, {}, source);
  give(facts.labelled, {}, source);
  vms_.emplace(vm.vm, std::move(facts));
}

std::vector<std::string> TrustFacts::missing_for_member(HostName const& host) const {
  std::vector<std::string> lines;
  for (auto const& missing : engine_.missing(member(host))) {
    Rule const* const rule = engine_.rules().find(missing.rule);
    std::string line = "missing: " + missing.premise;
    if (rule != nullptr) line += fmt::format("   for {}: {}", rule->name, rule->meaning);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace shamon
