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

void TrustFacts::take(std::string predicate, std::vector<std::optional<std::string>> terms) {
  engine_.retract_all({"authority", std::move(predicate), std::move(terms)});
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
  take("policy_of", {coalition_.value(), {}});
  take("label_of", {coalition_.value(), {}});
  take("fits", {{}, {}, {}});
  take("enforces", {{}, {}});
  policy_digest_ = digest;
  std::string const source = fmt::format("policy revision {}", revision.value());
  give(says("policy_of", {coalition_.value(), digest}), {}, source);
  for (auto const& label : labels) {
    give(says("label_of", {coalition_.value(), label.value()}), {}, source);
  }
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
  std::string const state = state_name(components);
  Statement const quoted = says("quoted", {host.value(), state});
  if (!engine_.holds(quoted)) {
    take("quoted", {host.value(), {}});
    take("measured", {host.value(), {}, {}, {}, {}, {}});
    std::size_t const count = components.size();
    for (std::size_t i = 0; i < count; ++i) {
      give(says("measured", {host.value(), state, place(i, count), place(i + 1, count),
                             known_name(components[i]), digest_text(components[i].digest)}),
           {}, fmt::format("event log, component {}", i));
    }
  }
  give(quoted, validity, quote_source);
}

void TrustFacts::set_fits(HostName const& host, Validity validity, std::string const& at) {
  Statement const fits = says("fits", {host.value(), policy_digest_, at});
  if (!engine_.holds(fits)) take("fits", {host.value(), {}, {}});
  give(fits, validity, at);
}

void TrustFacts::set_enforces(HostName const& host, std::string const& source) {
  give(says("enforces", {host.value(), policy_digest_}), {}, source);
}

void TrustFacts::drop_state(HostName const& host) {
  take("quoted", {host.value(), {}});
  take("fits", {host.value(), {}, {}});
  take("enforces", {host.value(), {}});
}

void TrustFacts::set_vm(VmEntry const& vm) {
  take("runs", {{}, vm.vm.value()});
  take("labelled", {vm.vm.value(), {}});
  if (vm.state != "running") return;
  std::string const source = "report of " + vm.host.value();
  give(says("runs", {vm.host.value(), vm.vm.value()}), {}, source);
  give(says("labelled", {vm.vm.value(), vm.label.value()}), {}, source);
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
