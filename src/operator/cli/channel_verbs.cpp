#include "operator/cli/channel_verbs.hpp"

#include <charconv>
#include <cstdio>
#include <iostream>
#include <set>

#include "coalition/messages/channel.hpp"
#include "coalition/messages/operator.hpp"
#include "operator/cli/api.hpp"
#include "operator/cli/exit_code.hpp"
#include "operator/cli/output.hpp"

namespace shamon {
namespace {

struct Where {
  std::string host, socket, authority;
  bool json = false;
};

void add_where(CLI::App& verb, Where& where) {
  verb.add_option("--host", where.host, "the machine (else the authority says)");
  verb.add_option("--socket", where.socket, "its monitor's admin socket");
  verb.add_option("--authority", where.authority, "the authority's UNIX socket");
  verb.add_flag("--json", where.json, "one JSON object");
}

/// Beside the reading socket stands the one that only the administrator may open.
Result<std::string> admin_socket(Where const& where, std::string const& host) {
  if (!where.socket.empty()) return where.socket;
  auto const socket = find_host_socket("", host);
  if (!socket) return pass(socket);
  return socket->substr(0, socket->rfind('/') + 1) + "shamond-admin.sock";
}

Result<std::string> host_of(Where const& where, std::string const& vm) {
  if (!where.host.empty() || !where.socket.empty()) return where.host;
  auto host = find_host_of_vm(where.authority, vm);
  if (!host) return pass(host, "say --host NAME, because");
  return host;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= 1u << 20 && bytes % (1u << 20) == 0) return std::to_string(bytes >> 20) + "M";
  return std::to_string(bytes >> 10) + "K";
}

int share(Where const& where, ShareRequest const& request) {
  auto const host = host_of(where, request.owner.value());
  if (!host) return report(host.error());
  auto const socket = admin_socket(where, *host);
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  auto const body = client.send("POST", "/v1/channels", encode_json(request));
  if (!body) return report(body.error());
  auto const row = decode_json<ChannelRow>(*body);
  if (!row) return report(row.error());
  if (where.json) {
    std::cout << json_envelope("shamon.vm.share/1", *body);
  } else {
    std::printf("channel %llu: %s and %s share %s%s, %llu events each way\n",
                static_cast<unsigned long long>(row->channel), row->owner.value().c_str(),
                row->user.value().c_str(), size_text(row->size_bytes).c_str(),
                row->read_only ? " (the latter reads only)" : "",
                static_cast<unsigned long long>(row->events));
  }
  return kExitYes;
}

int unshare(Where const& where, std::uint32_t channel) {
  auto const socket = admin_socket(where, where.host);
  if (!socket) return report(socket.error());
  ApiClient client(*socket);
  auto const done = client.send("POST", "/v1/channels/" + std::to_string(channel) + "/close", "");
  if (!done) return report(done.error());
  if (where.json) {
    std::cout << json_envelope("shamon.vm.unshare/1", *done);
  } else {
    std::printf("channel %u: its events are dead and its memory is cleared\n", channel);
  }
  return kExitYes;
}

/// The machines asked: the one named, or all on which VMs run.
Result<std::vector<std::string>> hosts_of(Where const& where) {
  if (!where.host.empty() || !where.socket.empty()) return std::vector<std::string>{where.host};
  auto const authority = find_authority_socket(where.authority);
  if (!authority) return std::vector<std::string>{""};  // then there may be but one monitor here
  auto const body = ApiClient(*authority).get("/v1/vms");
  if (!body) return pass(body);
  auto const vms = decode_json<VmList>(*body);
  if (!vms) return pass(vms);
  std::set<std::string> hosts;
  for (auto const& vm : vms->vms) hosts.insert(vm.host.value());
  return std::vector<std::string>(hosts.begin(), hosts.end());
}

void print_channels(std::vector<std::vector<std::string>> const& rows) {
  std::fputs(format_table({"HOST", "CHANNEL", "OWNER", "USER", "LABELS", "SIZE", "USER MAY",
                           "EVENTS", "RINGS", "STATE", "REASON"},
                          rows)
                 .c_str(),
             stdout);
}

std::vector<std::string> cells_of(std::string const& host, ChannelRow const& row) {
  std::string labels = row.owner_label.value();
  if (row.user_label != row.owner_label) labels += ", " + row.user_label.value();
  return {host,
          std::to_string(row.channel),
          row.owner.value(),
          row.user.value(),
          labels,
          size_text(row.size_bytes),
          row.read_only ? "read" : "write",
          std::to_string(row.events),
          std::to_string(row.rings_of_owner) + "/" + std::to_string(row.rings_of_user),
          row.state,
          row.reason};
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string const& text) {
  std::uint64_t number = 0;
  char const* const end = text.data() + text.size();
  auto const [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at == text.data() || number >> 40 != 0) return std::nullopt;
  std::string_view const unit(at, static_cast<std::size_t>(end - at));
  if (unit.empty()) return number;
  if (unit == "K") return number << 10;
  if (unit == "M") return number << 20;
  return std::nullopt;
}

int list_channels(std::string const& authority, std::string const& host, std::string const& socket,
                  bool json) {
  Where const where{host, socket, authority, json};
  auto const hosts = hosts_of(where);
  if (!hosts) return report(hosts.error());
  std::vector<std::vector<std::string>> rows;
  ChannelList all;
  for (auto const& name : *hosts) {
    auto const path = find_host_socket(socket, name);
    if (!path) return report(path.error());
    auto const body = ApiClient(*path).get("/v1/channels");
    if (!body) return report(body.error());
    auto const list = decode_json<ChannelList>(*body);
    if (!list) return report(list.error());
    for (auto const& row : list->channels) {
      rows.push_back(cells_of(name.empty() ? "-" : name, row));
      all.channels.push_back(row);
    }
  }
  if (json) {
    std::cout << json_envelope("shamon.vm.channels/1", encode_json(all));
  } else {
    print_channels(rows);
  }
  return kExitYes;
}

void add_channel_verbs(CLI::App& vm_noun, int& exit_code) {
  auto* share_verb =
      vm_noun.add_subcommand("share", "memory and events between two VMs of one machine");
  auto where = std::make_shared<Where>();
  auto owner = std::make_shared<std::string>(), user = std::make_shared<std::string>();
  auto size = std::make_shared<std::string>("1M");
  auto events = std::make_shared<unsigned>(1);
  auto read_only = std::make_shared<bool>(false);
  share_verb->add_option("owner", *owner, "VM that writes the memory")->required();
  share_verb->add_option("user", *user, "VM it is shared with")->required();
  share_verb->add_option("--size", *size, "a power of two from 4K to 64M")->capture_default_str();
  share_verb->add_option("--events", *events, "in each direction, at most 8")
      ->capture_default_str();
  share_verb->add_flag("--read-only", *read_only, "the user may not write");
  add_where(*share_verb, *where);
  share_verb->callback([=, &exit_code] {
    auto const bytes = parse_size(*size);
    if (!bytes) {
      exit_code = report({Errc::invalid, "--size " + *size + ": say for example 64K or 1M", {}});
      return;
    }
    exit_code = share(*where, {VmName(*owner), VmName(*user), *bytes, *events, *read_only});
  });

  auto* unshare_verb = vm_noun.add_subcommand("unshare", "end a channel, now");
  auto place = std::make_shared<Where>();
  auto channel = std::make_shared<std::uint32_t>(0);
  unshare_verb->add_option("channel", *channel, "its number in vm list --channels")->required();
  add_where(*unshare_verb, *place);
  unshare_verb->callback([=, &exit_code] { exit_code = unshare(*place, *channel); });
}

}  // namespace shamon
