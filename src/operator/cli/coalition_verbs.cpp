#include "operator/cli/coalition_verbs.hpp"

#include <cstdio>
#include <iostream>

#include "base/clock.hpp"
#include "base/ipv4_text.hpp"
#include "base/time_text.hpp"
#include "coalition/messages/operator.hpp"
#include "operator/cli/api.hpp"
#include "operator/cli/channel_verbs.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/vm_verbs.hpp"

namespace shamon {
namespace {

/// Options every one of these verbs has.
struct Common {
  std::string authority;
  std::string socket;
  std::string host;
  std::string output = "table";
  bool json = false;
};

void add_output(CLI::App& verb, Common& common) {
  verb.add_flag("--json", common.json, "print {\"schema\":…,\"data\":…}");
  verb.add_option("-o,--output", common.output, "table, wide, json or name")
      ->check(CLI::IsMember({"table", "wide", "json", "name"}));
}
void add_authority(CLI::App& verb, Common& common) {
  verb.add_option("--authority", common.authority, "the authority's UNIX socket");
  add_output(verb, common);
}
void add_host(CLI::App& verb, Common& common) {
  verb.add_option("--host", common.host, "the machine whose monitor is asked");
  verb.add_option("--socket", common.socket, "its monitor's UNIX socket");
  add_output(verb, common);
}
bool wants_json(Common const& common) {
  return common.json || common.output == "json";
}

std::string ago(std::optional<WallTime> const& time) {
  if (!time) return "never";
  auto const ms = (read_wall_clock() - *time).count() / 1'000'000;
  return std::to_string(ms / 1000) + "." + std::to_string(ms / 100 % 10) + "s ago";
}

void print_findings(std::vector<FindingMessage> const& findings) {
  for (auto const& finding : findings) {
    std::printf("  %s\n", finding.text.c_str());
    std::printf("    component  %s (entry %llu, rule %s)\n", finding.component.c_str(),
                static_cast<unsigned long long>(finding.entry), finding.rule.c_str());
    if (!finding.found.empty()) std::printf("    found      %s\n", finding.found.c_str());
    for (auto const& known : finding.known) std::printf("    known      %s\n", known.c_str());
  }
}

int print_explanation(std::string const& body, Common const& common, char const* schema) {
  if (wants_json(common)) {
    std::cout << json_envelope(schema, body);
  }
  auto explanation = decode_json<Explanation>(body);
  if (!explanation) return report(explanation.error());
  if (!wants_json(common)) {
    std::printf("%s\n%s\n", explanation->question.c_str(), bold(explanation->verdict).c_str());
    for (auto const& line : explanation->lines) std::printf("%s\n", line.c_str());
    print_findings(explanation->findings);
  }
  if (explanation->verdict == "allowed" || explanation->verdict == "trusted") return kExitYes;
  if (explanation->verdict == "denied") return kExitPolicyDenies;
  if (explanation->verdict == "not trusted") return kExitAttestationFailed;
  return kExitNotFound;
}

/// Asks, and prints either the envelope or what `print` makes of the decoded message.
template <class Message>
int show(Result<std::string> const& socket, std::string const& target, Common const& common,
         char const* schema, std::function<void(Message const&)> print) {
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  auto body = client.get(target);
  if (!body) return report(body.error());
  if (wants_json(common)) {
    std::cout << json_envelope(schema, *body);
    return kExitYes;
  }
  auto message = decode_json<Message>(*body);
  if (!message) return report(message.error());
  print(*message);
  return kExitYes;
}

void print_hosts(HostList const& list, Common const& common) {
  std::vector<std::vector<std::string>> rows;
  for (auto const& row : list.hosts) {
    if (common.output == "name") {
      std::printf("%s\n", row.host.value().c_str());
      continue;
    }
    std::vector<std::string> cells = {row.host.value(), row.state, row.connected ? "yes" : "no",
                                      ago(row.last_attested),
                                      std::to_string(row.acknowledged.value())};
    if (common.output == "wide") {
      cells.insert(cells.end(), {row.platform, row.location, to_string(row.tunnel),
                                 row.ek_fingerprint.substr(0, 16)});
    }
    cells.push_back(row.reason);
    rows.push_back(std::move(cells));
  }
  if (common.output == "name") return;
  std::vector<std::string> head = {"HOST", "STATE", "CONNECTED", "ATTESTED", "ACKED"};
  if (common.output == "wide") head.insert(head.end(), {"PLATFORM", "LOCATION", "TUNNEL", "EK"});
  head.push_back("REASON");
  std::fputs(format_table(head, rows).c_str(), stdout);
}

void print_vms(VmList const& list, std::string const& label, Common const& common) {
  std::vector<std::vector<std::string>> rows;
  for (auto const& vm : list.vms) {
    if (!label.empty() && vm.label.value() != label) continue;
    if (common.output == "name") {
      std::printf("%s\n", vm.vm.value().c_str());
      continue;
    }
    rows.push_back({vm.vm.value(), vm.label.value(), vm.host.value(), to_string(vm.address),
                    vm.image, vm.state, vm.ak_public.empty() ? "-" : "vTPM"});
  }
  if (common.output == "name") return;
  std::fputs(
      format_table({"VM", "LABEL", "HOST", "ADDRESS", "IMAGE", "STATE", "EVIDENCE"}, rows).c_str(),
      stdout);
}

void print_status(AuthorityStatus const& status) {
  std::printf("coalition  %s\n", status.coalition.value().c_str());
  std::printf("revision   %llu (policy revision %llu, %.23s…)\n",
              static_cast<unsigned long long>(status.revision.value()),
              static_cast<unsigned long long>(status.policy_revision.value()),
              status.policy_digest.c_str());
  std::printf("members    %llu active, %llu connected, %llu revoked\n",
              static_cast<unsigned long long>(status.members_active),
              static_cast<unsigned long long>(status.members_connected),
              static_cast<unsigned long long>(status.members_revoked));
  std::printf("VMs        %llu running\n", static_cast<unsigned long long>(status.vms_running));
  std::string late;
  for (auto const& host : status.unacknowledged) late += " " + host.value();
  std::printf("behind     %s\n", late.empty() ? "nobody" : late.c_str() + 1);
}

void print_event(EventRow const& event) {
  std::printf("%s  %-9s %-20s %s%s%s  %s\n", to_iso8601(event.time).substr(11, 12).c_str(),
              event.source.c_str(), event.kind.c_str(), event.subject.c_str(),
              event.object.empty() ? "" : " -> ", event.object.c_str(), event.text.c_str());
  print_findings(event.findings);
  std::fflush(stdout);
}

int watch(Common const& common, bool jsonl, std::uint64_t count) {
  auto socket = common.host.empty() && common.socket.empty()
                    ? find_authority_socket(common.authority)
                    : find_host_socket(common.socket, common.host);
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  int code = kExitYes;
  std::uint64_t seen = 0;
  auto followed = client.follow("/v1/events", [&](ServerSentEvent const& event) {
    if (jsonl) {
      std::cout << event.data << std::endl;
    } else if (auto row = decode_json<EventRow>(event.data)) {
      print_event(*row);
    } else {
      code = report(row.error());
    }
    return count == 0 || ++seen < count;
  });
  return followed ? code : report(followed.error());
}

int status(Common const& common) {
  if (!common.host.empty() || !common.socket.empty()) {
    return show<HostStatus>(
        find_host_socket(common.socket, common.host), "/v1/host", common, "shamon.host.status/1",
        [](HostStatus const& s) {
          std::printf("host       %s: %s%s%s\n", s.host.value().c_str(), s.state.c_str(),
                      s.reason.empty() ? "" : ", ", s.reason.c_str());
          std::printf("coalition  %s, revision %llu, policy %llu\n", s.coalition.value().c_str(),
                      static_cast<unsigned long long>(s.revision.value()),
                      static_cast<unsigned long long>(s.policy_revision.value()));
          std::printf("lease      %lld ms left; gate %s\n", static_cast<long long>(s.lease_left_ms),
                      s.gate_connected ? "connected" : "NOT connected");
          std::vector<std::vector<std::string>> rows;
          for (auto const& a : s.associations) {
            rows.push_back({std::to_string(a.association), a.peer.value(), a.label.value(),
                            a.cipher, a.state, std::to_string(a.packets_in),
                            std::to_string(a.packets_out), a.reason});
          }
          std::fputs(
              format_table({"SA", "PEER", "LABEL", "CIPHER", "STATE", "IN", "OUT", "REASON"}, rows)
                  .c_str(),
              stdout);
        });
  }
  auto const socket = find_authority_socket(common.authority);
  int const code = show<AuthorityStatus>(socket, "/v1/status", common, "shamon.status/1",
                                         [](AuthorityStatus const& s) { print_status(s); });
  if (code != kExitYes || wants_json(common)) return code;
  return show<HostList>(socket, "/v1/hosts", common, "shamon.host.list/1",
                        [&](HostList const& list) {
                          std::printf("\n");
                          print_hosts(list, common);
                        });
}

int revoke(Common const& common, std::string const& what, std::string const& name,
           std::string const& reason) {
  auto socket = find_authority_socket(common.authority);
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  auto body = client.send("POST", "/v1/" + what + "/" + name + "/revoke",
                          encode_json(RevokeRequest{reason}));
  if (!body) return report(body.error());
  if (wants_json(common)) std::cout << json_envelope("shamon.revoke/1", *body);
  if (!wants_json(common)) std::printf("%s is revoked: %s\n", name.c_str(), reason.c_str());
  return kExitYes;
}

}  // namespace

void add_daily_verbs(CLI::App& app, int& exit_code) {
  auto* status_verb = app.add_subcommand("status", "the coalition at a glance");
  auto status_options = std::make_shared<Common>();
  add_authority(*status_verb, *status_options);
  status_verb->add_option("--host", status_options->host, "one machine instead");
  status_verb->add_option("--socket", status_options->socket, "its monitor's UNIX socket");
  status_verb->callback([=, &exit_code] { exit_code = status(*status_options); });

  auto* watch_verb = app.add_subcommand("watch", "follow what happens, one line an event");
  auto watch_options = std::make_shared<Common>();
  auto jsonl = std::make_shared<bool>(false);
  auto count = std::make_shared<std::uint64_t>(0);
  add_authority(*watch_verb, *watch_options);
  watch_verb->add_option("--host", watch_options->host, "one machine's events instead");
  watch_verb->add_option("--socket", watch_options->socket, "its monitor's UNIX socket");
  watch_verb->add_flag("--jsonl", *jsonl, "one JSON object a line");
  watch_verb->add_option("--count", *count, "stop after so many events");
  watch_verb->callback([=, &exit_code] { exit_code = watch(*watch_options, *jsonl, *count); });

  auto* explain = app.add_subcommand("explain", "why something is allowed or refused");
  explain->require_subcommand(1);
  auto* flow = explain->add_subcommand("flow", "may one VM talk to another");
  auto flow_options = std::make_shared<Common>();
  auto from = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  auto service = std::make_shared<std::string>();
  flow->add_option("from", *from, "VM")->required();
  flow->add_option("to", *to, "VM")->required();
  flow->add_option("--service", *service, "tcp/443, udp/9000 or icmp");
  flow->add_option_function<unsigned>(
      "--port", [service](unsigned port) { *service = "tcp/" + std::to_string(port); },
      "the same as --service tcp/PORT");
  add_host(*flow, *flow_options);
  flow->callback([=, &exit_code] {
    // The sender's own monitor decides first, so it is the one to ask.
    if (flow_options->socket.empty() && flow_options->host.empty()) {
      flow_options->host = find_host_of_vm("", *from).value_or("");
    }
    auto socket = find_host_socket(flow_options->socket, flow_options->host);
    if (!socket) {
      exit_code = report(socket.error());
      return;
    }
    ApiClient client(*socket);
    auto body = client.get("/v1/explain/flow?from=" + *from + "&to=" + *to +
                           (service->empty() ? "" : "&service=" + *service));
    exit_code = body ? print_explanation(*body, *flow_options, "shamon.explain.flow/1")
                     : report(body.error());
  });
  auto* share = explain->add_subcommand("share", "may two VMs of one machine share memory");
  auto share_options = std::make_shared<Common>();
  auto owner = std::make_shared<std::string>();
  auto user = std::make_shared<std::string>();
  share->add_option("owner", *owner, "VM")->required();
  share->add_option("user", *user, "VM")->required();
  add_host(*share, *share_options);
  share->callback([=, &exit_code] {
    if (share_options->socket.empty() && share_options->host.empty()) {
      share_options->host = find_host_of_vm("", *owner).value_or("");
    }
    auto const socket = find_host_socket(share_options->socket, share_options->host);
    if (!socket) {
      exit_code = report(socket.error());
      return;
    }
    auto const body =
        ApiClient(*socket).get("/v1/explain/share?owner=" + *owner + "&user=" + *user);
    exit_code = body ? print_explanation(*body, *share_options, "shamon.explain.share/1")
                     : report(body.error());
  });
  for (std::string const noun : {"host", "vm"}) {
    auto* verb = explain->add_subcommand(noun, "why this " + noun + " is or is not trusted");
    auto options = std::make_shared<Common>();
    auto name = std::make_shared<std::string>();
    verb->add_option("name", *name)->required();
    add_authority(*verb, *options);
    verb->callback([=, &exit_code] {
      auto socket = find_authority_socket(options->authority);
      if (!socket) {
        exit_code = report(socket.error());
        return;
      }
      ApiClient client(*socket);
      auto body = client.get("/v1/explain/" + noun + "/" + *name);
      exit_code =
          body ? print_explanation(*body, *options, "shamon.explain/1") : report(body.error());
    });
  }
}

void add_coalition_verbs(CLI::App& app, CLI::App& attest_noun, int& exit_code) {
  add_daily_verbs(app, exit_code);

  auto* host = app.add_subcommand("host", "machines of the coalition");
  host->require_subcommand(1);
  auto* list = host->add_subcommand("list", "every machine and its state");
  auto list_options = std::make_shared<Common>();
  add_authority(*list, *list_options);
  list->callback([=, &exit_code] {
    exit_code = show<HostList>(find_authority_socket(list_options->authority), "/v1/hosts",
                               *list_options, "shamon.host.list/1",
                               [=](HostList const& l) { print_hosts(l, *list_options); });
  });

  auto* vm = app.add_subcommand("vm", "virtual machines of the coalition");
  vm->require_subcommand(1);
  auto* vm_list = vm->add_subcommand("list", "every VM, its label and where it runs");
  auto vm_options = std::make_shared<Common>();
  auto label = std::make_shared<std::string>();
  vm_list->add_option("--label", *label, "only this label");
  auto channels = std::make_shared<bool>(false);
  vm_list->add_flag("--channels", *channels, "what VMs share with each other instead");
  vm_list->add_option("--host", vm_options->host, "with --channels: only this machine's");
  vm_list->add_option("--socket", vm_options->socket, "its monitor's UNIX socket");
  add_authority(*vm_list, *vm_options);
  vm_list->callback([=, &exit_code] {
    if (*channels) {
      exit_code = list_channels(vm_options->authority, vm_options->host, vm_options->socket,
                                wants_json(*vm_options));
      return;
    }
    exit_code = show<VmList>(find_authority_socket(vm_options->authority), "/v1/vms", *vm_options,
                             "shamon.vm.list/1",
                             [=](VmList const& l) { print_vms(l, *label, *vm_options); });
  });

  add_vm_verbs(*vm, exit_code);
  add_channel_verbs(*vm, exit_code);

  for (auto* noun : {host, vm}) {
    auto* verb = noun->add_subcommand("revoke", "cut it off everywhere, now");
    auto options = std::make_shared<Common>();
    auto name = std::make_shared<std::string>();
    auto reason = std::make_shared<std::string>();
    std::string const what = noun == host ? "hosts" : "vms";
    verb->add_option("name", *name)->required();
    verb->add_option("--reason", *reason, "kept in the audit trail")->required();
    add_authority(*verb, *options);
    verb->callback([=, &exit_code] { exit_code = revoke(*options, what, *name, *reason); });
  }

  auto* attest_explain =
      attest_noun.add_subcommand("explain", "why a machine is or is not trusted");
  auto attest_options = std::make_shared<Common>();
  auto attest_name = std::make_shared<std::string>();
  attest_explain->add_option("host", *attest_name)->required();
  add_authority(*attest_explain, *attest_options);
  attest_explain->callback([=, &exit_code] {
    auto socket = find_authority_socket(attest_options->authority);
    if (!socket) {
      exit_code = report(socket.error());
      return;
    }
    ApiClient client(*socket);
    auto body = client.get("/v1/explain/host/" + *attest_name);
    exit_code =
        body ? print_explanation(*body, *attest_options, "shamon.explain/1") : report(body.error());
  });
}

}  // namespace shamon
