#include "audit/ocsf.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/ipv4_text.hpp"

namespace shamon {
namespace {

using Json = nlohmann::ordered_json;

struct Class {
  int uid;
  char const* name;
  int category;
  char const* category_name;
};
constexpr Class kNetwork{4001, "Network Activity", 4, "Network Activity"};
constexpr Class kTunnel{4014, "Tunnel Activity", 4, "Network Activity"};
constexpr Class kEntity{3004, "Entity Management", 3, "Identity & Access Management"};

struct Mapping {
  std::string_view hook;
  Class const& kind;
  int activity;
  char const* activity_name;
};

// The activities are those of the classes at version 1.3.0. Network Activity has Open for what was
// let through and Refuse for what was not.
constexpr Mapping kMappings[] = {
    {"flow_out", kNetwork, 1, "Open"},        {"flow_in", kNetwork, 1, "Open"},
    {"association_open", kTunnel, 1, "Open"}, {"association_close", kTunnel, 2, "Close"},
    {"vm_define", kEntity, 1, "Create"},      {"vm_start", kEntity, 10, "Activate"},
    {"vm_stop", kEntity, 11, "Deactivate"},   {"port_attach", kEntity, 3, "Update"},
    {"memory_share", kEntity, 3, "Update"},   {"event_bind", kEntity, 3, "Update"},
    {"device_assign", kEntity, 3, "Update"},  {"policy_load", kEntity, 3, "Update"},
    {"vm_migrate", kEntity, 5, "Move"},
};
constexpr Mapping kUnknownHook{"", kEntity, 0, "Unknown"};
constexpr int kNetworkRefuse = 5;

Mapping const& mapping_of(std::string_view hook) {
  for (auto const& one : kMappings) {
    if (one.hook == hook) return one;
  }
  return kUnknownHook;
}

Json endpoint(std::string const& name, std::string const& address) {
  Json out;
  out["name"] = name;
  if (auto const parsed = parse_endpoint(address)) {
    out["ip"] = to_string(parsed->address);
    if (parsed->port != 0) out["port"] = parsed->port;
  }
  return out;
}

int protocol_number(std::string const& service) {
  std::string const name = service.substr(0, service.find_first_of("/ "));
  if (name == "icmp") return 1;
  if (name == "tcp") return 6;
  if (name == "udp") return 17;
  constexpr std::string_view kOther = "protocol ";  // policy/service.hpp: "protocol 47"
  int number = -1;
  if (service.starts_with(kOther)) {
    std::from_chars(service.data() + kOther.size(), service.data() + service.size(), number);
  }
  return number;
}

void add_network(Json& out, AuditRow const& row) {
  bool const inward = row.hook == "flow_in";
  out["src_endpoint"] = endpoint(row.subject, row.source);
  out["dst_endpoint"] = endpoint(row.object, row.destination);
  Json info;
  info["direction_id"] = inward ? 1 : 2;
  info["direction"] = inward ? "Inbound" : "Outbound";
  if (int const number = protocol_number(row.service); number >= 0) {
    info["protocol_num"] = number;
    info["protocol_name"] = row.service.substr(0, row.service.find_first_of("/ "));
  }
  out["connection_info"] = std::move(info);
}

void add_tunnel(Json& out, AuditRow const& row, AuditStart const& writer) {
  out["src_endpoint"] = endpoint("host " + writer.host.value(), "");
  out["dst_endpoint"] = endpoint(row.object, "");
  out["tunnel_type_id"] = 99;
  out["tunnel_type"] = "IPsec ESP of one label";
  out["session"] = Json{{"uid", row.subject}};
}

void add_entity(Json& out, AuditRow const& row) {
  bool const policy = row.hook == "policy_load";
  out["entity"] = Json{{"name", row.subject}, {"type", policy ? "MAC policy" : "virtual machine"}};
  if (!row.object.empty()) out["comment"] = "with " + row.object;
}

void add_verdict(Json& out, AuditRow const& row) {
  bool const allowed = row.verdict == "allowed";
  out["severity_id"] = allowed ? 1 : 3;
  out["severity"] = allowed ? "Informational" : "Medium";
  out["status_id"] = allowed ? 1 : 2;
  out["status"] = allowed ? "Success" : "Failure";
  out["status_detail"] = row.reason;
  out["action_id"] = allowed ? 1 : 2;
  out["action"] = allowed ? "Allowed" : "Denied";
  out["disposition_id"] = allowed ? 1 : 2;
  out["disposition"] = allowed ? "Allowed" : "Blocked";
  out["policy"] = Json{{"name", row.rule.empty() ? "no rule" : row.rule},
                       {"version", std::to_string(row.revision.value())}};
}

}  // namespace

std::string to_ocsf(AuditRow const& row, AuditStart const& writer) {
  Mapping const& mapping = mapping_of(row.hook);
  bool const refused = &mapping.kind == &kNetwork && row.verdict != "allowed";
  int const activity = refused ? kNetworkRefuse : mapping.activity;
  std::string const activity_name = refused ? "Refuse" : mapping.activity_name;
  Json out;
  out["category_uid"] = mapping.kind.category;
  out["category_name"] = mapping.kind.category_name;
  out["class_uid"] = mapping.kind.uid;
  out["class_name"] = mapping.kind.name;
  out["activity_id"] = activity;
  out["activity_name"] = activity_name;
  out["type_uid"] = mapping.kind.uid * 100 + activity;
  out["type_name"] = std::string(mapping.kind.name) + ": " + activity_name;
  out["time"] = row.time.unix_ms;
  out["message"] = row.text;
  out["count"] = row.count;
  add_verdict(out, row);
  if (&mapping.kind == &kNetwork) add_network(out, row);
  if (&mapping.kind == &kTunnel) add_tunnel(out, row, writer);
  if (&mapping.kind == &kEntity) add_entity(out, row);
  out["metadata"] =
      Json{{"version", kOcsfVersion},
           {"product",
            {{"name", "Shamon"}, {"vendor_name", "Shamon"}, {"feature", {{"name", "shamond"}}}}},
           {"profiles", Json::array({"security_control"})},
           {"uid", writer.host.value() + ":" + std::to_string(row.sequence)},
           {"sequence", row.sequence},
           {"log_name", "audit"}};
  out["unmapped"] = Json{{"hook", row.hook},
                         {"subject_label", row.subject_label},
                         {"object_label", row.object_label},
                         {"service", row.service},
                         {"summary", row.summary}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace shamon
