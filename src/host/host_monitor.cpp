#include "host/host_monitor.hpp"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>

#include "attestation/measured_log.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/vm_mac.hpp"
#include "host/audit_rows.hpp"
#include "host/explain_flow.hpp"
#include "host/explain_share.hpp"
#include "host/pushed_policy.hpp"
#include "monitor/audit_text.hpp"
#include "policy/membership.hpp"
#include "policy/service.hpp"

namespace shamon {
namespace {

constexpr PcrIndex kPolicyPcr{13};
constexpr Duration kOwnChallengePeriod = std::chrono::seconds(3);
constexpr Duration kJournalPeriod = std::chrono::seconds(1);

}  // namespace

Result<std::unique_ptr<HostMonitor>> HostMonitor::create(EventLoop& loop, HostConfig config,
                                                         TapQueues taps) {
  auto pem = read_text_file(config.authority_ca_path);
  if (!pem) return pass(pem);
  auto ca = Certificate::all_from_pem(*pem);
  if (!ca) return pass(ca, config.authority_ca_path);
  auto key = PrivateKey::generate(KeyType::ecdsa_p256);
  if (!key) return pass(key);
  // A damaged revision file must stop us: going on from zero would let an old state be played to
  // us.
  auto revision = load_revision(config.state_folder);
  if (!revision) return pass(revision);
  auto machine_policy = MachinePolicy::read(config.machine_policy_path);
  if (!machine_policy) return pass(machine_policy, "machine_policy");
  std::string const vms = config.state_folder + "/vm";
  if (::mkdir(vms.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir " + vms);
  // Without its trail a monitor does not start: nothing may be decided that nobody can see.
  auto log = AuditLog::open(config.state_folder, config.name, read_wall_clock());
  if (!log) return pass(log, "audit journal");
  std::unique_ptr<HostMonitor> out(new HostMonitor(loop, std::move(config), std::move(*ca),
                                                   std::move(*key), std::move(*log),
                                                   std::move(*machine_policy)));
  for (auto const& vm : out->config_.vms) out->vms_.define(vm, taps);
  return out;
}

HostMonitor::HostMonitor(EventLoop& loop, HostConfig config, std::vector<Certificate> authority_ca,
                         PrivateKey tls_key, AuditLog log, MachinePolicy machine_policy)
    : loop_(loop),
      config_(std::move(config)),
      authority_ca_(std::move(authority_ca)),
      journal_(config_.name, config_.state_folder, std::move(log)),
      monitor_(
          [this](AuditRecord const& record) { journal_.audit(row_of(record, monitor_.policy())); }),
      machine_policy_(std::move(machine_policy)),
      gate_(loop, monitor_, journal_, config_.gate_socket, gate_handlers()),
      vms_(loop, monitor_, journal_, gate_, config_.swtpm_config, vm_handlers()),
      channels_(loop, monitor_, journal_, gate_, vms_),
      tpm_(loop, config_.tpm_tcti),
      membership_(loop, tpm_, journal_, config_, std::move(tls_key), authority_ca_,
                  membership_handlers()),
      bridges_(
          {loop, journal_, monitor_, gate_, vms_, membership_, config_, reference_, authority_ca_}),
      api_(loop, journal_, api_source()),
      services_(loop, services_source()) {}

HostMonitor::~HostMonitor() {
  if (lease_timer_) loop_.cancel(*lease_timer_);
}

Status HostMonitor::start() {
  auto listening = api_.listen(config_.socket_folder);
  if (!listening) return listening;
  tick_journal();
  gate_.start();
  tpm_.run<AttestationKey>(
      [folder = config_.state_folder](Tpm& tpm) { return load_or_create_ak(tpm, folder); },
      [this](Result<AttestationKey> key) {
        if (!key) return journal_.event("error", "tpm", "", key.error().describe());
        membership_.start(std::move(*key));
      });
  loop_.after(kOwnChallengePeriod, [this] { challenge_own_vms(); });
  return {};
}

Membership::Handlers HostMonitor::membership_handlers() {
  Membership::Handlers out;
  out.apply_policy = [this](std::string const& name, std::string const& text, Revision revision,
                            auto done) { apply_policy(name, text, revision, std::move(done)); };
  out.apply_reference_values = [this](auto const& values) { apply_reference_values(values); };
  out.use_credentials = [this](auto const& credentials) {
    bridges_.use_credentials(credentials);
    start_vms_when_ready();
  };
  out.set_lease = [this](Instant until) { set_lease(until); };
  out.directory_changed = [this] { update_routes(); };
  out.cut_peer = [this](HostName const& peer, std::string const& reason) {
    bridges_.close_peer(peer, reason);
    gate_.close_where([&](AssociationRecord const& r) { return r.peer == peer; },
                      gate::CloseReason::peer_revoked, reason);
    update_routes();
  };
  out.cut_vm = [this](VmName const& vm, std::string const& reason) { cut_vm(vm, reason, {}); };
  out.cut_all = [this](std::string const& reason) {
    bridges_.close_all(reason);
    gate_.close_where([](AssociationRecord const&) { return true; },
                      gate::CloseReason::peer_revoked, reason);
    update_routes();
  };
  return out;
}

GateLink::Handlers HostMonitor::gate_handlers() {
  GateLink::Handlers out;
  out.on_ready = [this] {
    journal_.event("gate_ready", "gate", "", "holds policy, ports and routes");
    channels_.gate_ready();
    bridges_.tend_unwatched();
  };
  out.on_lost = [this] { channels_.gate_lost(); };
  out.on_share_answered = [this](ChannelId id, Status const& status) {
    channels_.answered(id, status);
  };
  out.on_share_reported = [this](gate::ShareState const& state) { channels_.reported(state); };
  out.on_share_ended = [this](gate::ShareEnded const& ended) { channels_.ended(ended); };
  out.on_association_wanted = [this](HostName const& peer, LabelName const& label) {
    bridges_.want(peer, label);
  };
  out.on_rekey_wanted = [this](HostName const& peer, LabelName const& label) {
    bridges_.rekey(peer, label);
  };
  out.on_association_ended = [this](AssociationRecord const& record) {
    journal_.event("association_closed", record.peer.value(), record.label.value(), record.reason,
                   record.revision);
    bridges_.association_ended(record);
  };
  out.on_audit = [this](gate::Audit const& audit) {
    // A total below the one told last is that of a gate that started anew.
    std::uint32_t const before = audit.lost_total < gate_lost_told_ ? 0 : gate_lost_told_;
    gate_lost_told_ = audit.lost_total;
    if (audit.lost_total > before) {
      journal_.lost(audit.lost_total - before, "records the gate could not hand over");
    }
    journal_.audit(row_of(audit, monitor_.policy(), read_wall_clock()));
  };
  out.on_port_fault = [this](PortId port, std::string const& why) { port_stopped(port, why); };
  out.will_attach = [this](PortId port, VmName const& name) {
    ManagedVm const* const vm = vms_.find(name);
    return vm != nullptr && vm->port == port && vm->spec.kind == "domain" && vm->state == "defined";
  };
  out.open_services = [this] { return services_.open(); };
  return out;
}

void HostMonitor::port_stopped(PortId port, std::string const& why) {
  AuditRow row;
  row.time = read_wall_clock();
  row.hook = to_string(Hook::port_attach);
  row.verdict = "denied";
  row.reason = "port stopped by the gate";
  row.subject = "port " + std::to_string(port.value());
  vms_.for_each([&](ManagedVm const& vm) {
    if (vm.port != port) return;
    row.subject = vm.spec.name.value();
    row.subject_label = vm.spec.label.value();
  });
  row.text = row.subject + ": the gate has stopped its port: " + why;
  row.revision = monitor_.revision();
  journal_.event("port_fault", row.subject, "", why);
  journal_.audit(std::move(row));
}

VmServicesSource HostMonitor::services_source() {
  VmServicesSource out;
  out.policy = [this]() -> CompiledPolicy const& { return monitor_.policy(); };
  out.served = [this](PortId port) {
    std::optional<ServedVm> found;
    vms_.for_each([&](ManagedVm const& vm) {
      VmSpec const& spec = vm.spec;
      if (vm.port != port) return;
      found = {spec.name, spec.label, spec.address, spec.prefix_length, spec.mac, kPortMtu};
    });
    return found;
  };
  out.ports = [this] {
    std::vector<PortId> ports;
    vms_.for_each([&](ManagedVm const& vm) {
      if (vm.state == "running") ports.push_back(vm.port);
    });
    return ports;
  };
  out.for_each_known = [this](VmVisitor const& visit) {
    vms_.for_each([&](ManagedVm const& vm) {
      VmSpec const& spec = vm.spec;
      if (vm.state == "running") visit(spec.name, spec.label, spec.address, spec.mac);
    });
    for_each_remote(
        [&](VmEntry const& vm) { visit(vm.vm, vm.label, vm.address, default_vm_mac(vm.address)); });
  };
  return out;
}

VmManager::Handlers HostMonitor::vm_handlers() {
  VmManager::Handlers out;
  out.on_changed = [this](ManagedVm const& changed) {
    for (auto const& entry : vms_.entries(config_.name)) {
      // What only this machine's own policy knows is no matter of the coalition.
      bool const theirs =
          !combined_ || combined_->coalition->compiled.find_label(entry.label).has_value();
      if (entry.vm == changed.spec.name && theirs) membership_.report_vm(entry);
    }
  };
  out.on_releasing = [this](VmName const& vm, std::string const& why) {
    channels_.vm_released(vm, why);
  };
  out.on_query = [this](ManagedVm const& vm, guest::QueryFrame const& query) {
    return answer_guest(vm, query);
  };
  return out;
}

LocalApiSource HostMonitor::api_source() {
  LocalApiSource out;
  out.status = [this] { return status(); };
  out.explain_flow = [this](auto const& from, auto const& to, auto const& service) {
    return explain(from, to, service);
  };
  out.explain_share = [this](auto const& owner, auto const& user) {
    return explain_share(owner, user);
  };
  out.channels = [this] { return channels_.list(); };
  out.open_channel = [this](ShareRequest const& request, auto done) {
    channels_.open(request, std::move(done));
  };
  out.close_channel = [this](ChannelId id) { return channels_.close(id, "asked by the operator"); };
  out.vm_action = [this](VmName const& vm, std::string const& action) -> Status {
    if (action == "suspend") return vms_.suspend(vm);
    if (action == "resume") return vms_.resume(vm);
    if (action != "stop") return fail(Errc::invalid, "a VM can be suspended, resumed or stopped");
    if (vms_.find(vm) == nullptr)
      return fail(Errc::not_found, "no VM is called '" + vm.value() + "'");
    vms_.stop(vm, "stopped", "asked by the operator");
    return {};
  };
  return out;
}

void HostMonitor::apply_policy(std::string const& name, std::string const& text, Revision revision,
                               std::function<void(Status)> done) {
  auto build = read_pushed_policy(name, text, revision);
  if (!build) return done(pass(build));
  Digest const digest = sha256(as_bytes(text));
  if (revision == monitor_.revision() && policy_digest_ == digest)
    return done({});  // in force already
  auto combined = machine_policy_.judge(std::make_shared<PolicyBuild const>(std::move(*build)),
                                        monitor_, journal_, read_wall_clock());
  if (!combined) return done(fail(combined.error().code, combined.error().message));
  // Measured first, then put in force: what decides here is never newer than what a quote can show.
  bool const machine_too = machine_policy_.present() && !machine_policy_measured_;
  tpm_.run<bool>(
      [log = config_.event_log_path, text, machine_too,
       own = machine_policy_.text()](Tpm& tpm) -> Result<bool> {
        if (machine_too) {
          auto measured = measure_component(tpm, log, kPolicyPcr, "machine-policy", as_bytes(own));
          if (!measured) return pass(measured);
        }
        auto measured = measure_component(tpm, log, kPolicyPcr, "policy", as_bytes(text));
        if (!measured) return pass(measured);
        return true;
      },
      [this, combined = std::move(*combined), digest,
       done = std::move(done)](Result<bool> measured) {
        machine_policy_measured_ = machine_policy_measured_ || measured;
        done(measured ? put_in_force(combined, digest) : Status(pass(measured)));
      });
}

Status HostMonitor::put_in_force(MachinePolicy::Combined combined, Digest const& digest) {
  Revision const revision = combined.enforced->compiled.revision();
  bool const same_coalition =
      monitor_.revision() == Revision{} ||
      monitor_.policy().coalition() == combined.enforced->compiled.coalition();
  std::shared_ptr<CompiledPolicy const> const policy(combined.enforced,
                                                     &combined.enforced->compiled);
  WallTime const now = read_wall_clock();
  // Two effects, two permits: the gate's copy and our own.
  auto for_gate = monitor_.authorize(PolicyLoad{revision, same_coalition}, now);
  auto for_us = monitor_.authorize(PolicyLoad{revision, same_coalition}, now);
  if (!for_gate || !for_us) {
    return fail(Errc::denied,
                describe((for_gate ? for_us : for_gate).error().record, monitor_.policy()));
  }
  monitor_.load(std::move(*for_us), policy);
  gate_.set_policy(std::move(*for_gate), policy);
  document_ = combined.enforced->document;
  combined_ = std::move(combined);
  policy_digest_ = digest;
  journal_.event("policy_loaded", policy->coalition().value(), "", "sha256 " + digest.hex(),
                 revision);
  bridges_.policy_changed(revision);
  channels_.policy_changed();
  for (auto const& orphan : monitor_.orphans())
    vms_.stop(orphan, "stopped", "the new policy has no such label");
  update_routes();
  start_vms_when_ready();
  return {};
}

void HostMonitor::apply_reference_values(std::vector<ReferenceValueMessage> const& values) {
  ReferenceValues next;
  for (auto const& value : values) {
    std::size_t const colon = value.digest.find(':');
    auto const algorithm = parse_hash_algorithm(value.digest.substr(0, colon));
    auto const bytes = from_hex(colon == std::string::npos ? "" : value.digest.substr(colon + 1));
    auto const digest = algorithm && bytes
                            ? Digest::from_bytes(*algorithm, *bytes)
                            : Result<Digest>(fail(Errc::malformed, "not ALGORITHM:HEX"));
    if (!digest) {
      journal_.event("error", "reference value", value.component,
                     "'" + value.digest + "': " + digest.error().describe());
      continue;
    }
    next.add({value.component, *digest, value.trusted, value.source, {}});
  }
  reference_ = std::move(next);
  start_vms_when_ready();
}

void HostMonitor::start_vms_when_ready() {
  bool const ready =
      document_ != nullptr && !reference_.all().empty() && !membership_.credentials().chain.empty();
  if (!ready || vms_started_) return;
  vms_started_ = true;
  vms_.start_all(document_, reference_, [this](LabelName const& configured) {
    return machine_policy_.label_of(configured, config_.location, *combined_);
  });
}

void HostMonitor::for_each_remote(std::function<void(VmEntry const&)> const& visit) const {
  Directory const& directory = membership_.member().directory();
  for (auto const& [name, vm] : directory.vms()) {
    MemberEntry const* host = directory.member(vm.host);
    if (vm.host == config_.name || !is_running(vm) || host == nullptr || !is_active(*host))
      continue;
    visit(vm);
  }
}

void HostMonitor::update_routes() {
  std::vector<RemoteRoute> routes;
  for_each_remote([&](VmEntry const& vm) {
    routes.push_back({vm.address, vm.vm, vm.label, vm.host});
  });
  gate_.set_routes(std::move(routes));
}

void HostMonitor::cut_vm(VmName const& name, std::string const& reason,
                         std::vector<FindingMessage> const& findings) {
  if (ManagedVm* own = vms_.find(name)) {
    if (own->state == "running") {
      FailureReport report;
      report.about_vm = name;
      report.findings = findings;
      if (!findings.empty()) membership_.report_failure(std::move(report));
      LabelName const label = own->spec.label;
      bridges_.close_all_of_label(label, name.value() + ": " + reason);
      gate_.close_where([&](AssociationRecord const& r) { return r.label == label; },
                        gate::CloseReason::challenge_failed, name.value() + ": " + reason);
      // The VM itself stays as it is, for whoever investigates; nothing of it reaches anybody.
      vms_.isolate(name, reason);
    }
  } else if (VmEntry const* entry = membership_.member().directory().vm(name)) {
    bridges_.close_label(entry->host, entry->label, name.value() + ": " + reason);
    gate_.close_where(
        [&](AssociationRecord const& r) {
          return r.peer == entry->host && r.label == entry->label;
        },
        gate::CloseReason::peer_revoked, name.value() + ": " + reason);
  }
  update_routes();
}

void HostMonitor::set_lease(Instant until) {
  lease_until_ = until;
  gate_.set_lease(until);
  bool const holds = until > loop_.now();
  if (holds && !lease_held_)
    journal_.event("lease_resumed", config_.name.value(), "", "inter-machine traffic may pass");
  if (!holds && lease_held_)
    journal_.event("lease_ended", config_.name.value(), "", "told to stop");
  lease_held_ = holds;
  if (lease_timer_) loop_.cancel(*lease_timer_);
  lease_timer_.reset();
  if (holds) lease_timer_ = loop_.at(until, [this] { check_lease(); });
}

void HostMonitor::check_lease() {
  lease_timer_.reset();
  if (!lease_held_ || loop_.now() < lease_until_) return;
  lease_held_ = false;
  journal_.event("lease_ended", config_.name.value(), "",
                 "no fresh heartbeat of the authority: inter-machine traffic has stopped");
}

void HostMonitor::tick_journal() {
  journal_.tick(loop_.now());
  loop_.after(kJournalPeriod, [this] { tick_journal(); });
}

void HostMonitor::challenge_own_vms() {
  auto const& acceptance = membership_.member().acceptance();
  Duration const period =
      acceptance ? std::chrono::milliseconds(acceptance->challenge_period_ms) : kOwnChallengePeriod;
  vms_.for_each([this](ManagedVm& vm) {
    if (vm.state != "running" || !vm.agent || !vm.ak) return;
    Challenge challenge;
    challenge.nonce = random_bytes(32);
    challenge.pcrs = {HashAlgorithm::sha256, kVmPcrMask};
    challenge.ima_offset = vm.memory.valid ? vm.memory.ima_offset : 0;
    challenge.reset_count = vm.memory.valid ? vm.memory.reset_count : 0;
    vms_.challenge(vm.spec.name, challenge,
                   [this, name = vm.spec.name, challenge](Result<Evidence> evidence) {
                     if (ManagedVm* found = vms_.find(name))
                       judge_own_vm(*found, challenge, evidence);
                   });
  });
  loop_.after(period, [this] { challenge_own_vms(); });
}

void HostMonitor::judge_own_vm(ManagedVm& vm, Challenge const& challenge,
                               Result<Evidence> const& evidence) {
  if (vm.state != "running" || !vm.ak) return;
  if (!evidence) {
    // A guest needs some seconds to start its agent; until then nobody vouches for it, and peers'
    // challenges fail as well. Later silence is no good news.
    if (vm.challenges_passed == 0) return;
    FindingMessage finding{
        "unreachable", vm.spec.name.value(), 0, "", {}, evidence.error().describe()};
    journal_.event("challenge_failed", vm.spec.name.value(), vm.spec.label.value(), finding.text,
                   monitor_.revision(), {finding});
    return cut_vm(vm.spec.name, finding.text, {finding});
  }
  auto const ak = parse_tpm_public(vm.ak->public_area);
  if (!ak) return journal_.event("error", vm.spec.name.value(), "", ak.error().describe());
  auto const result = appraise(*evidence, challenge, *ak, reference_, vm_appraisal_policy(),
                               vm.memory, read_wall_clock());
  if (result.accepted) {
    vm.memory = result.memory;
    if (vm.challenges_passed++ == 0) {
      journal_.event("vm_attested", vm.spec.name.value(), vm.spec.label.value(),
                     std::to_string(result.ima_entries) + " IMA entries, all known");
    }
    return;
  }
  std::vector<FindingMessage> findings;
  for (auto const& finding : result.findings) findings.push_back(to_message(finding));
  std::string const why = findings.empty() ? "its evidence does not hold" : findings.front().text;
  journal_.event("challenge_failed", vm.spec.name.value(), vm.spec.label.value(), why,
                 monitor_.revision(), findings);
  cut_vm(vm.spec.name, why, findings);
}

guest::AnswerFrame HostMonitor::answer_guest(ManagedVm const& vm, guest::QueryFrame const& query) {
  switch (query.question) {
    case guest::Question::label: return {query.sequence, true, vm.spec.label.value()};
    case guest::Question::may_talk: {
      if (!is_valid_name(query.argument)) return {query.sequence, false, "not a VM's name"};
      Explanation const explanation = explain(vm.spec.name.value(), query.argument, "");
      return {query.sequence, explanation.verdict == "allowed", explanation.verdict};
    }
    case guest::Question::attestation:
      return {query.sequence, vm.challenges_passed > 0 && vm.state == "running",
              vm.state + ", " + std::to_string(vm.challenges_passed) + " challenges passed"};
  }
  return {query.sequence, false, "unknown question"};
}

Explanation HostMonitor::explain(std::string const& from, std::string const& to,
                                 std::string const& service) {
  FlowQuestion question;
  question.from_name = from;
  question.to_name = to;
  question.service_text = service;
  question.document = document_.get();
  if (!service.empty()) {
    auto parsed = parse_service(service);
    if (!parsed)
      return {"may " + from + " talk to " + to + "?", "unknown", {parsed.error().describe()}, {}};
    question.service = *parsed;
  }
  Directory const& directory = membership_.member().directory();
  auto find = [&](std::string const& name) -> std::optional<VmEntry> {
    for (auto const& own : vms_.entries(config_.name)) {
      if (own.vm.value() == name) return own;
    }
    VmEntry const* entry = directory.vm(VmName(name));
    return entry == nullptr ? std::nullopt : std::optional<VmEntry>(*entry);
  };
  auto state_of = [&](std::optional<VmEntry> const& vm) -> std::string {
    if (!vm) return "unknown";
    if (vm->host == config_.name) return to_string(membership_.member().state());
    MemberEntry const* member = directory.member(vm->host);
    return member == nullptr ? "unknown" : member->state;
  };
  question.from = find(from);
  question.to = find(to);
  question.from_host_state = state_of(question.from);
  question.to_host_state = state_of(question.to);
  question.same_machine = question.from && question.to && question.from->host == question.to->host;
  question.lease_left_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(lease_until_ - loop_.now()).count();
  for (auto const& record : gate_.associations()) {
    bool const between = question.from && question.to &&
                         (record.peer == question.from->host || record.peer == question.to->host);
    if (record.open && between && record.label == question.from->label)
      question.association_cipher = to_string(record.algorithm);
  }
  return explain_flow(question, monitor_.policy());
}

Explanation HostMonitor::explain_share(std::string const& owner, std::string const& user) {
  ShareQuestion question;
  question.gate_connected = gate_.connected();
  for (auto const& [name, party] :
       {std::pair{&owner, &question.owner}, std::pair{&user, &question.user}}) {
    party->name = *name;
    ManagedVm const* const vm = vms_.find(VmName(*name));
    if (vm == nullptr) continue;
    party->state = vm->state;
    party->kind = vm->spec.kind;
    party->label = vm->spec.label;
  }
  return shamon::explain_share(question, monitor_.policy());
}

HostStatus HostMonitor::status() const {
  HostStatus out;
  Member const& member = membership_.member();
  out.host = config_.name;
  out.coalition = monitor_.policy().coalition();
  out.state = to_string(member.state());
  out.revision = member.revision();
  out.policy_revision = monitor_.revision();
  out.lease_left_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(lease_until_ - loop_.now()).count();
  out.reason = member.reason();
  out.gate_connected = gate_.connected();
  out.vms = vms_.entries(config_.name);
  for (auto const& record : gate_.associations()) {
    AssociationRow row;
    row.association = record.id.value();
    row.peer = record.peer;
    row.label = record.label;
    row.revision = record.revision;
    row.cipher = to_string(record.algorithm);
    row.state = record.open ? "open" : "closed";
    row.packets_in = record.statistics.packets_in;
    row.packets_out = record.statistics.packets_out;
    row.bytes_in = record.statistics.bytes_in;
    row.bytes_out = record.statistics.bytes_out;
    row.last_passed_ns = static_cast<std::uint64_t>(record.statistics.last_passed_ns);
    row.reason = record.reason;
    row.closed_ns = record.open ? 0 : static_cast<std::uint64_t>(record.closed_at.ns);
    out.associations.push_back(std::move(row));
  }
  return out;
}

}  // namespace shamon
