#include "operator/lab/demo.hpp"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include <signal.h>

#include "attestation/appraisal.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "measurement/event_log.hpp"
#include "operator/cli/output.hpp"
#include "operator/lab/observer.hpp"

namespace shamon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The demonstration's cast, by role, taken from the laboratory file.
struct Cast {
  std::string client_vm, server_vm, client_host, server_host;
  std::string red_client_side, red_server_side, rogue;
};

class Demo {
 public:
  explicit Demo(Laboratory& lab) : lab_(lab), look_(lab), began_(read_monotonic_clock()) {}
  bool run();

 private:
  bool assign_cast();
  void machines();
  void measured_boot();
  void joining();
  void guests();
  void jobs();
  void refused_flows();
  void untrusted_program();
  void silent_authority();
  void altered_machine();

  void scene(int number, char const* title);
  void say(std::string const& text) {
    std::printf("   %s\n", text.c_str());
    std::fflush(stdout);
  }
  /// States something the scene must show; a failure is remembered and the demonstration goes on.
  bool expect(bool holds, std::string const& what);
  void show_findings(std::vector<FindingMessage> const& findings);
  void show_explanation(std::string const& command, std::optional<Explanation> const& explanation);
  std::optional<AssociationRow> association(std::string const& machine, std::string const& label);
  std::uint64_t passed(std::string const& machine, std::string const& label);
  std::size_t jobs_returned() { return look_.console_lines(cast_.server_vm, "returned").size(); }
  /// Time of the last packet any gate passed for this label, CLOCK_MONOTONIC.
  std::int64_t last_packet_ns(std::string const& label);

  Laboratory& lab_;
  Observer look_;
  Cast cast_;
  Instant began_;
  int failures_ = 0;
};

std::string milliseconds_text(std::int64_t ns) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f ms", static_cast<double>(ns) / 1e6);
  return buffer;
}

void Demo::scene(int number, char const* title) {
  double const at = static_cast<double>((read_monotonic_clock() - began_).count()) / 1e9;
  std::printf("\n%s  %s\n", bold("[scene " + std::to_string(number) + "/8] " + title).c_str(),
              dim("(" + std::to_string(static_cast<int>(at)) + " s)").c_str());
  std::fflush(stdout);
}

bool Demo::expect(bool holds, std::string const& what) {
  say(holds ? good("ok: ") + what : bad("NOT SHOWN: ") + what);
  if (!holds) ++failures_;
  return holds;
}

void Demo::show_findings(std::vector<FindingMessage> const& findings) {
  for (auto const& f : findings) {
    say("  " + f.text);
    say("    component " + f.component + ", log entry " + std::to_string(f.entry) + ", rule " +
        f.rule);
    if (!f.found.empty()) say("    found     " + f.found);
    for (auto const& known : f.known) say("    known     " + known);
  }
}

void Demo::show_explanation(std::string const& command,
                            std::optional<Explanation> const& explanation) {
  say(dim("$ " + command));
  if (!explanation) {
    expect(false, "an explanation");
    return;
  }
  say("  " + explanation->question + " " + bold(explanation->verdict));
  for (auto const& line : explanation->lines) say("  " + line);
  show_findings(explanation->findings);
}

bool Demo::assign_cast() {
  for (auto const& vm : lab_.spec().vms) {
    if (vm.image == "boinc-client") {
      cast_.client_vm = vm.name.value();
      cast_.client_host = vm.machine.value();
    } else if (vm.image == "boinc-server") {
      cast_.server_vm = vm.name.value();
      cast_.server_host = vm.machine.value();
    }
  }
  for (auto const& vm : lab_.spec().vms) {
    if (vm.label.value() != "red") continue;
    (vm.machine.value() == cast_.client_host ? cast_.red_client_side : cast_.red_server_side) =
        vm.name.value();
  }
  for (auto const& machine : lab_.spec().machines) {
    if (!machine.tampered.empty()) cast_.rogue = machine.name.value();
  }
  return !cast_.client_vm.empty() && !cast_.server_vm.empty() && !cast_.red_client_side.empty() &&
         !cast_.red_server_side.empty() && !cast_.rogue.empty() &&
         cast_.client_host != cast_.server_host;
}

std::optional<AssociationRow> Demo::association(std::string const& machine,
                                                std::string const& label) {
  auto const status = look_.monitor(machine);
  if (!status) return {};
  for (auto const& row : status->associations) {
    if (row.label.value() == label && row.state == "open") return row;
  }
  return {};
}

std::uint64_t Demo::passed(std::string const& machine, std::string const& label) {
  auto const row = association(machine, label);
  return row ? row->packets_in + row->packets_out : 0;
}

std::int64_t Demo::last_packet_ns(std::string const& label) {
  std::int64_t last = 0;
  for (auto const& machine : {cast_.client_host, cast_.server_host}) {
    auto const status = look_.monitor(machine);
    if (!status) continue;
    for (auto const& row : status->associations) {
      if (row.label.value() == label)
        last = std::max(last, static_cast<std::int64_t>(row.last_passed_ns));
    }
  }
  return last;
}

void Demo::machines() {
  scene(1, "Machines, each with a TPM of its own");
  for (auto const& process : lab_.state().processes()) {
    say(process.role + "  pid " + std::to_string(process.pid));
  }
  say("Every machine is a network namespace with a software TPM (swtpm) whose endorsement key the "
      "laboratory's");
  say("own authority certified just now. State: " + lab_.state().folder());
  say("In a second terminal, meanwhile: shamon status | shamon watch | shamon host list | shamon "
      "vm list");
}

void Demo::measured_boot() {
  scene(2, "Measured boot");
  auto log = read_file(machine_paths(lab_.state(), cast_.client_host).event_log());
  auto parsed = log ? parse_event_log(*log) : Result<EventLog>(pass(log));
  if (!expect(parsed.has_value(), "the event log of " + cast_.client_host + " parses")) return;
  for (auto const& event : parsed->events) {
    auto const component = parse_component_event_data(event.data);
    if (!component || event.digests.empty()) continue;
    say("PCR " + std::to_string(event.pcr.value()) + (event.pcr.value() < 10 ? "   " : "  ") +
        event.digests.front().hex().substr(0, 16) + "…  " + *component);
  }
  say("The root of trust here is software: the boot stage of this laboratory is an ordinary "
      "program that measures");
  say("before it starts. On a real machine firmware, boot loader and kernel do this work, with the "
      "same TPM commands.");
}

void Demo::joining() {
  scene(3, "Register, attest, join; one machine is refused");
  auto settled = lab_.wait_until_settled(seconds(60), [](std::string const&) {});
  if (!settled) say(settled.error().message);
  for (auto const& name : {cast_.client_host, cast_.server_host}) {
    auto const row = look_.host(name);
    expect(row && row->state == "active", name + " registered (EK " +
                                              (row ? row->ek_fingerprint.substr(0, 16) : "?") +
                                              "…, bound to its name for ever), attested, accepted");
  }
  auto const row = look_.host(cast_.rogue);
  if (expect(row && row->state == "refused" && !row->findings.empty(),
             cast_.rogue + " is refused: " + (row ? row->reason : ""))) {
    show_findings(row->findings);
  }
}

void Demo::guests() {
  scene(4, "Virtual machines, labelled and verified before start");
  for (auto const& vm : look_.vms()) {
    say(vm.vm.value() + "  label " + vm.label.value() + "  on " + vm.host.value() + "  " +
        to_string(vm.address) + "  image " + vm.image + "  " + vm.state +
        (vm.ak_public.empty() ? "" : ", own vTPM"));
  }
  for (auto const& vm : lab_.spec().vms) {
    bool const up = Observer::wait(
        seconds(60), [&] { return !look_.console_lines(vm.name.value(), "guest: ").empty(); });
    if (!up) expect(false, vm.name.value() + " came up");
  }
  expect(true,
         std::to_string(lab_.spec().vms.size()) + " QEMU guests run Debian's kernel with IMA on");
}

void Demo::jobs() {
  scene(5, "Jobs flow over the attested, green-labelled tunnel; red does not reach green");
  std::size_t shown = 0;
  bool const flowing = Observer::wait(seconds(75), [&] {
    auto const lines = look_.console_lines(cast_.server_vm, "project: ");
    for (; shown < lines.size(); ++shown) say(lines[shown].substr(lines[shown].find("project: ")));
    return jobs_returned() >= 2;
  });
  expect(flowing, "the real boinc-client fetched work, computed and returned it (" +
                      std::to_string(jobs_returned()) + " results)");
  auto const tunnel = association(cast_.client_host, "green");
  if (expect(tunnel.has_value(), "a green association is open between the two machines")) {
    say("ESP association " + std::to_string(tunnel->association) + " with " + tunnel->peer.value() +
        ": " + std::to_string(tunnel->packets_in) + " packets in, " +
        std::to_string(tunnel->packets_out) + " out, " + tunnel->cipher + ", policy revision " +
        std::to_string(tunnel->revision.value()));
  }
  refused_flows();
}

void Demo::refused_flows() {
  auto const* client = lab_.vm(cast_.client_vm);
  auto const* server = lab_.vm(cast_.server_vm);
  (void)lab_.type_on_console(cast_.red_client_side,
                             "\nping -c 2 -W 1 " + to_string(client->address) + "; nc -w 2 " +
                                 to_string(server->address) + " 8080 </dev/null\n");
  auto was_denied = [&](std::string const& text) {
    return [&, text] {
      for (auto const& row : look_.denied(cast_.client_host)) {
        if (row.subject_label == "red" && row.object_label == "green" &&
            row.text.find(text) != std::string::npos) {
          say("audit: " + row.text);
          return true;
        }
      }
      return false;
    };
  };
  expect(Observer::wait(seconds(10), was_denied(cast_.client_vm)),
         "red -> green on the same machine: refused and audited");
  expect(Observer::wait(seconds(10), was_denied(cast_.server_vm)),
         "red -> green across machines: refused and audited");
  std::string const target = "/v1/explain/flow?from=" + cast_.red_client_side +
                             "&to=" + cast_.server_vm + "&service=tcp/8080";
  show_explanation("shamon explain flow " + cast_.red_client_side + " " + cast_.server_vm +
                       " --port 8080 --host " + cast_.client_host,
                   look_.explain(lab_.host_socket(cast_.client_host), target));
}

void Demo::untrusted_program() {
  scene(6, "An untrusted program runs inside the client VM");
  // Something to cut off: packets that flow all the time, besides the jobs.
  (void)lab_.type_on_console(
      cast_.client_vm,
      "\nping -i 0.2 " + to_string(lab_.vm(cast_.server_vm)->address) + " >/dev/null &\n");
  say("Host and VM evidence is challenged again every " +
      std::to_string(lab_.spec().challenge_period_ms) + " ms.");
  // A program nobody vouched for: busybox with another digest.
  std::string const command =
      "cp /bin/busybox /usr/bin/untrusted; echo x >>/usr/bin/untrusted; /usr/bin/untrusted true";
  say("on the console of " + cast_.client_vm + ": " + command);
  Instant const typed = read_monotonic_clock();
  (void)lab_.type_on_console(cast_.client_vm, "\n" + command + "\n");
  auto const verdict = look_.wait_event(cast_.client_host, seconds(30), [&](EventRow const& e) {
    return e.kind == "challenge_failed" && e.subject == cast_.client_vm;
  });
  auto const peer_verdict =
      look_.wait_event(cast_.server_host, seconds(verdict ? 3 : 1), [&](EventRow const& e) {
        return e.kind == "challenge_failed" && e.subject == cast_.client_vm;
      });
  auto const& first =
      verdict && (!peer_verdict || verdict->monotonic_ns < peer_verdict->monotonic_ns)
          ? verdict
          : peer_verdict;
  if (!expect(first.has_value(), "the next challenge shows it in the IMA log")) return;
  show_findings(first->findings);
  say("verdict by " + first->source + " " + milliseconds_text(first->monotonic_ns - typed.ns) +
      " after the command was typed");
  bool const closed = Observer::wait(seconds(5), [&] {
    return !association(cast_.client_host, "green") && !association(cast_.server_host, "green");
  });
  expect(closed, "the green association is closed on both machines and the dependency ended");
  std::this_thread::sleep_for(milliseconds(1200));  // the gates' counters are read twice a second
  std::int64_t const after = last_packet_ns("green") - first->monotonic_ns;
  expect(after<1'000'000'000, after> 0
             ? "last packet that passed: " + milliseconds_text(after) + " after the verdict"
             : "last packet that passed: " + milliseconds_text(-after) +
                   " before the verdict, none after");
  std::size_t const before = jobs_returned();
  std::this_thread::sleep_for(seconds(3));
  expect(jobs_returned() == before, "no job has come through since");
  show_explanation("shamon explain vm " + cast_.client_vm,
                   look_.explain(lab_.authority_socket(), "/v1/explain/vm/" + cast_.client_vm));
}

void Demo::silent_authority() {
  scene(7, "The authority falls silent; then a machine changes");
  (void)lab_.type_on_console(
      cast_.red_client_side,
      "\nping -i 0.2 " + to_string(lab_.vm(cast_.red_server_side)->address) + " >/dev/null &\n");
  if (!expect(Observer::wait(seconds(15), [&] { return passed(cast_.client_host, "red") > 5; }),
              "red talks to red across the machines")) {
    return;
  }
  (void)lab_.kill_authority(SIGKILL);
  Instant const killed = read_monotonic_clock();
  say("kill -9 of shamon-authority");
  std::this_thread::sleep_for(milliseconds(700));
  std::uint64_t const early = passed(cast_.client_host, "red");
  expect(
      Observer::wait(milliseconds(1200), [&] { return passed(cast_.client_host, "red") > early; }),
      "members keep working while their lease lasts");
  auto const ended = look_.wait_event(cast_.client_host, seconds(10), [&](EventRow const& e) {
    return e.kind == "lease_ended" && e.monotonic_ns > killed.ns;
  });
  if (expect(ended.has_value(), "the lease ended " +
                                    milliseconds_text(ended ? ended->monotonic_ns - killed.ns : 0) +
                                    " after the kill")) {
    std::this_thread::sleep_for(milliseconds(800));
    std::uint64_t const at_end = passed(cast_.client_host, "red");
    std::this_thread::sleep_for(milliseconds(1500));
    expect(passed(cast_.client_host, "red") == at_end,
           "inter-machine traffic has stopped by itself");
  }
  auto restarted = lab_.start_authority();
  if (!expect(restarted.has_value(),
              "the authority returns" + (restarted ? "" : ": " + restarted.error().message)))
    return;
  std::uint64_t const then = passed(cast_.client_host, "red");
  expect(Observer::wait(seconds(25), [&] { return passed(cast_.client_host, "red") > then + 3; }),
         "members renew their lease and traffic resumes");
}

void Demo::altered_machine() {
  auto changed = lab_.room().tamper(cast_.client_host, "shamon-gate");
  if (changed) changed = lab_.room().measure_again(*lab_.machine(cast_.client_host), "shamon-gate");
  if (!expect(changed.has_value(), "an altered shamon-gate took the good one's place on " +
                                       cast_.client_host +
                                       "; the boot stage measured it, as before every start" +
                                       (changed ? "" : ": " + changed.error().message))) {
    return;
  }
  auto const verdict = look_.wait_event("authority", seconds(20), [&](EventRow const& e) {
    return e.kind == "revoked" && e.subject == cast_.client_host;
  });
  if (!expect(verdict.has_value(),
              "re-attestation of " + cast_.client_host + " fails and the authority revokes it"))
    return;
  show_findings(verdict->findings);
  bool const closed =
      Observer::wait(seconds(5), [&] { return !association(cast_.server_host, "red"); });
  std::this_thread::sleep_for(milliseconds(1200));
  std::int64_t last = 0;
  std::int64_t closed_ns = 0;
  if (auto const status = look_.monitor(cast_.server_host)) {
    for (auto const& row : status->associations) {
      last = std::max(last, static_cast<std::int64_t>(row.last_passed_ns));
      closed_ns = std::max(closed_ns, static_cast<std::int64_t>(row.closed_ns));
    }
  }
  std::int64_t const after = closed_ns - verdict->monotonic_ns;
  expect(
      closed && after < 1'000'000'000,
      cast_.server_host + " dropped its associations " + milliseconds_text(std::abs(after)) +
          (after >= 0 ? " after the authority's verdict"
                      : " before the authority's verdict: its own challenge had failed already") +
          "; the last packet it passed was " + milliseconds_text(std::abs(last - closed_ns)) +
          (last <= closed_ns ? " before that" : " after that"));
  show_explanation("shamon attest explain " + cast_.client_host,
                   look_.explain(lab_.authority_socket(), "/v1/explain/host/" + cast_.client_host));
}

bool Demo::run() {
  if (!assign_cast()) {
    std::fprintf(stderr,
                 "shamon: the demonstration needs a boinc-client and a boinc-server VM on two "
                 "machines, a red VM on\n"
                 "each of the two, and a machine with tampered = \"shamon-gate\"; see "
                 "examples/boinc/lab.toml\n");
    return false;
  }
  machines();
  measured_boot();
  joining();
  guests();
  jobs();
  untrusted_program();
  silent_authority();
  altered_machine();
  scene(8, "The end");
  auto ended = lab_.tear_down();
  expect(ended.has_value(),
         "every process ended, every namespace and file of the laboratory is gone" +
             (ended ? "" : ": " + ended.error().message));
  double const took = static_cast<double>((read_monotonic_clock() - began_).count()) / 1e9;
  std::printf("\n%s in %.0f s\n",
              failures_ == 0 ? good("All scenes shown").c_str()
                             : bad(std::to_string(failures_) + " things were not shown").c_str(),
              took);
  return failures_ == 0;
}

}  // namespace

bool run_demo(Laboratory& lab) {
  return Demo(lab).run();
}

}  // namespace shamon
