#include "audit/ocsf.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "audit/chain_fixture.hpp"

namespace shamon {
namespace {

using Json = nlohmann::json;

Json event_of(std::string const& hook, std::string const& verdict) {
  AuditRow row = denied_flow();
  row.sequence = 42;
  row.hook = hook;
  row.verdict = verdict;
  std::string const text = to_ocsf(row, test_writer());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return Json::parse(text);
}

// What schema.ocsf.io/1.3.0 requires: of every event (base_event), of each class, and of the
// objects used in them.
constexpr char const* kEveryEvent[] = {"activity_id", "category_uid", "class_uid", "metadata",
                                       "severity_id", "time",         "type_uid"};

struct ClassRule {
  int uid;
  int category;
  std::vector<std::string> required;
  std::vector<std::string> at_least_one;
  std::vector<int> activities;
};
ClassRule const kClasses[] = {
    {4001, 4, {}, {"dst_endpoint", "src_endpoint"}, {0, 1, 2, 3, 4, 5, 6, 99}},
    {4014,
     4,
     {},
     {"connection_info", "session", "src_endpoint", "traffic", "tunnel_interface",
      "tunnel_type_id"},
     {0, 1, 2, 3, 99}},
    {3004, 3, {"entity"}, {}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99}},
};

/// The names of what is missing or wrong; empty: valid.
std::string faults_of(Json const& event) {
  std::string out;
  for (char const* name : kEveryEvent) {
    if (!event.contains(name)) out += std::string(name) + " ";
  }
  if (!out.empty()) return out;
  ClassRule const* rule = nullptr;
  for (auto const& one : kClasses) {
    if (one.uid == event["class_uid"].get<int>()) rule = &one;
  }
  if (rule == nullptr) return "class_uid";
  for (auto const& name : rule->required) {
    if (!event.contains(name)) out += name + " ";
  }
  bool any = rule->at_least_one.empty();
  for (auto const& name : rule->at_least_one) any = any || event.contains(name);
  if (!any) out += "constraint ";
  int const activity = event["activity_id"];
  if (std::find(rule->activities.begin(), rule->activities.end(), activity) ==
      rule->activities.end())
    out += "activity_id ";
  if (event["category_uid"] != rule->category) out += "category_uid ";
  if (event["type_uid"] != rule->uid * 100 + activity) out += "type_uid ";
  Json const& metadata = event["metadata"];
  if (!metadata.contains("product") || metadata.value("version", "") != "1.3.0") out += "metadata ";
  if (metadata.contains("product") && !metadata["product"].contains("vendor_name"))
    out += "product ";
  for (char const* name : {"src_endpoint", "dst_endpoint", "entity"}) {
    if (event.contains(name) && !event[name].contains("name")) out += std::string(name) + " ";
  }
  if (event.contains("connection_info") && !event["connection_info"].contains("direction_id"))
    out += "connection_info ";
  if (event.contains("policy") && !event["policy"].contains("name")) out += "policy ";
  return out;
}

TEST(Ocsf, every_hook_makes_a_valid_event_of_its_class) {
  struct Row {
    char const* hook;
    int class_uid;
    int allowed;  ///< activity
    int denied;
  };
  constexpr Row kRows[] = {
      {"flow_out", 4001, 1, 5},         {"flow_in", 4001, 1, 5},
      {"association_open", 4014, 1, 1}, {"association_close", 4014, 2, 2},
      {"vm_define", 3004, 1, 1},        {"vm_start", 3004, 10, 10},
      {"vm_stop", 3004, 11, 11},        {"port_attach", 3004, 3, 3},
      {"memory_share", 3004, 3, 3},     {"event_bind", 3004, 3, 3},
      {"device_assign", 3004, 3, 3},    {"policy_load", 3004, 3, 3},
      {"vm_migrate", 3004, 5, 5},       {"a hook of tomorrow", 3004, 0, 0},
  };
  for (auto const& row : kRows) {
    SCOPED_TRACE(row.hook);
    for (bool const allowed : {true, false}) {
      Json const event = event_of(row.hook, allowed ? "allowed" : "denied");
      EXPECT_EQ(faults_of(event), "") << event.dump(2);
      EXPECT_EQ(event["class_uid"], row.class_uid);
      EXPECT_EQ(event["activity_id"], allowed ? row.allowed : row.denied);
      EXPECT_EQ(event["action_id"], allowed ? 1 : 2);
      EXPECT_EQ(event["disposition_id"], allowed ? 1 : 2);
      EXPECT_EQ(event["status_id"], allowed ? 1 : 2);
      EXPECT_EQ(event["severity_id"], allowed ? 1 : 3);
    }
  }
}

TEST(Ocsf, the_check_of_this_test_can_fail) {
  Json event = event_of("flow_out", "denied");
  event.erase("time");
  EXPECT_EQ(faults_of(event), "time ");
  event = event_of("vm_start", "denied");
  event.erase("entity");
  EXPECT_EQ(faults_of(event), "entity ");
  event = event_of("flow_out", "denied");
  event.erase("src_endpoint");
  event.erase("dst_endpoint");
  EXPECT_EQ(faults_of(event), "constraint ");
  event["type_uid"] = 1;
  EXPECT_EQ(faults_of(event), "constraint type_uid ");
}

TEST(Ocsf, a_denied_flow_says_who_what_and_by_which_rule) {
  Json const event = event_of("flow_out", "denied");
  EXPECT_EQ(event["time"], 1'795'309'205'042);
  EXPECT_EQ(event["src_endpoint"],
            (Json{{"name", "vm-red"}, {"ip", "10.44.0.11"}, {"port", 40312}}));
  EXPECT_EQ(event["dst_endpoint"],
            (Json{{"name", "vm-green"}, {"ip", "10.44.0.12"}, {"port", 22}}));
  EXPECT_EQ(event["connection_info"]["protocol_num"], 6);
  EXPECT_EQ(event["connection_info"]["direction_id"], 2);
  EXPECT_EQ(event["policy"], (Json{{"name", "boinc.policy:12"}, {"version", "7"}}));
  EXPECT_EQ(event["status_detail"], "no common type");
  EXPECT_EQ(event["metadata"]["uid"], "shype1:42");
  EXPECT_EQ(event["unmapped"]["object_label"], "green");
}

TEST(Ocsf, services_without_a_word_and_names_that_are_no_text_do_not_break_it) {
  AuditRow row = denied_flow("vm-\xff", "b");
  row.service = "protocol 47";
  row.source = "nonsense";
  Json const event = Json::parse(to_ocsf(row, test_writer()));
  EXPECT_EQ(faults_of(event), "");
  EXPECT_EQ(event["connection_info"]["protocol_num"], 47);
  EXPECT_FALSE(event["src_endpoint"].contains("ip"));
}

}  // namespace
}  // namespace shamon
