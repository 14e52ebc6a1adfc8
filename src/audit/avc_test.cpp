#include "audit/avc.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "audit/chain_fixture.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "policy/export/export.hpp"

namespace shamon {
namespace {

AuditRow about_vm(std::string hook, std::string verdict) {
  AuditRow row;
  row.sequence = 43;
  row.time = WallTime{1'795'309'205'007};
  row.hook = std::move(hook);
  row.verdict = std::move(verdict);
  row.reason = "no wall";
  row.subject = "vm-green";
  row.object = "port 3 10.44.0.12";
  row.subject_label = row.object_label = "green";
  row.revision = Revision(7);
  return row;
}

TEST(Avc, a_denied_flow_is_one_user_avc_line) {
  AuditRow row = denied_flow();
  row.sequence = 42;
  auto const lines = to_audit_lines(row, test_writer());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "type=USER_AVC msg=audit(1795309205.042:42): pid=4711 uid=998 auid=4294967295 "
            "ses=4294967295 subj=unconfined msg='avc:  denied  { flow_out } for  "
            "subject=\"vm-red\" object=\"vm-green\" service=tcp/22 saddr=10.44.0.11 src=40312 "
            "daddr=10.44.0.12 dest=22 reason=no_common_type rule=\"boinc.policy:12\" revision=7 "
            "scontext=shamon_u:vm_r:red_t:s0 tcontext=shamon_u:vm_r:green_t:s0 tclass=shamon_vm "
            "permissive=0 exe=\"/usr/sbin/shamond\" sauid=998 hostname=shype1 addr=? terminal=?'");
}

TEST(Avc, each_hook_has_its_libaudit_type) {
  struct Row {
    char const* hook;
    char const* type;  ///< empty: USER_AVC alone
  };
  constexpr Row kRows[] = {{"vm_define", "VIRT_MACHINE_ID"},
                           {"vm_start", "VIRT_CONTROL"},
                           {"vm_stop", "VIRT_CONTROL"},
                           {"vm_migrate", "VIRT_CONTROL"},
                           {"port_attach", "VIRT_RESOURCE"},
                           {"device_assign", "VIRT_RESOURCE"},
                           {"association_open", "CRYPTO_IPSEC_SA"},
                           {"association_close", "CRYPTO_IPSEC_SA"},
                           {"policy_load", "USER_MAC_POLICY_LOAD"},
                           {"memory_share", ""},
                           {"event_bind", ""},
                           {"flow_out", ""},
                           {"flow_in", ""}};
  for (auto const& row : kRows) {
    SCOPED_TRACE(row.hook);
    bool const plain = *row.type == 0;
    auto const allowed = to_audit_lines(about_vm(row.hook, "allowed"), test_writer());
    ASSERT_EQ(allowed.size(), 1u);
    EXPECT_EQ(allowed[0].find("type=" + std::string(plain ? "USER_AVC" : row.type) + " "), 0u);
    EXPECT_EQ(allowed[0].ends_with(" res=success'"), !plain) << allowed[0];
    // A refusal is always an AVC denial too, under the same serial.
    auto const denied = to_audit_lines(about_vm(row.hook, "denied"), test_writer());
    ASSERT_EQ(denied.size(), plain ? 1u : 2u);
    EXPECT_EQ(denied[0].find("type=USER_AVC msg=audit(1795309205.007:43): "), 0u);
    EXPECT_EQ(denied.back().ends_with(" res=failed'"), !plain) << denied.back();
  }
}

TEST(Avc, names_from_outside_can_end_neither_field_nor_message_nor_line) {
  AuditRow row = denied_flow("x' type=USER_AVC msg=\"y\nz", "a b");
  row.rule = "my policy's file:3";
  row.subject_label = "red:s0 tcontext=evil";
  row.reason = "a 'b' = c";
  std::string const line = to_audit_lines(row, test_writer())[0];
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\''), 2) << line;
  EXPECT_EQ(line.find("type=", 5), std::string::npos) << line;
  EXPECT_EQ(line.find("tcontext=evil"), std::string::npos) << line;
  EXPECT_NE(line.find(" reason=a__b____c "), std::string::npos) << line;
}

TEST(Avc, what_has_no_label_is_unlabeled) {
  AuditRow row = about_vm("policy_load", "denied");
  row.subject_label = "";
  row.object_label = "?";
  EXPECT_NE(to_avc(row).find("scontext=shamon_u:vm_r:unlabeled_t:s0 "
                             "tcontext=shamon_u:vm_r:unlabeled_t:s0 tclass=shamon_vm"),
            std::string::npos);
}

/// A file of audit lines that is gone at the end of the test.
class LogFile {
 public:
  LogFile()
      : path_(std::filesystem::temp_directory_path() /
              ("shamon-avc-" + std::to_string(::getpid()) + ".log")) {
    std::uint64_t sequence = 0;
    std::string text;
    auto add = [&](AuditRow row) {
      row.sequence = ++sequence;
      for (auto const& line : to_audit_lines(row, test_writer())) text += line + "\n";
    };
    add(denied_flow());
    add(about_vm("vm_start", "allowed"));
    add(about_vm("vm_start", "denied"));
    add(about_vm("port_attach", "allowed"));
    AuditRow association = about_vm("association_open", "allowed");
    association.subject = "association 7";
    association.object = "host shype2";
    add(association);
    AuditRow policy = about_vm("policy_load", "allowed");
    policy.subject = "revision 8";
    add(policy);
    EXPECT_TRUE(write_file_atomically(path_, as_bytes(text)));
  }
  ~LogFile() { std::filesystem::remove(path_); }
  std::string const& path() const { return path_; }

 private:
  std::string path_;
};

bool have(char const* program) {
  return std::filesystem::exists("/usr/sbin/" + std::string(program)) ||
         std::filesystem::exists("/usr/bin/" + std::string(program)) ||
         std::filesystem::exists("/sbin/" + std::string(program));
}

std::size_t count_of(std::string const& text, std::string const& what) {
  std::size_t out = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++out;
  return out;
}

TEST(Avc, ausearch_finds_each_type) {
  if (!have("ausearch")) GTEST_SKIP() << "needs the Debian package auditd (ausearch)";
  LogFile const log;
  struct Row {
    std::vector<std::string> filter;
    std::size_t events;
    char const* holds;
  };
  Row const kRows[] = {
      {{"-m", "USER_AVC"}, 2, "scontext=shamon_u:vm_r:red_t:s0"},
      {{"-m", "VIRT_CONTROL"}, 2, "op=start"},
      {{"-m", "VIRT_RESOURCE"}, 1, "resrc=net"},
      {{"-m", "CRYPTO_IPSEC_SA"}, 1, "satype=ipsec-esp"},
      {{"-m", "USER_MAC_POLICY_LOAD"}, 1, "op=load_policy"},
      {{"-m", "USER_AVC", "-se", "green_t"}, 2, "scontext=shamon_u:vm_r:red_t:s0"},
      {{"-o", "green_t"}, 2, "flow_out"},
      {{"-m", "VIRT_CONTROL", "-sv", "no"}, 1, "res=failed"},
  };
  for (auto const& row : kRows) {
    std::vector<std::string> command = {"ausearch", "-if", log.path()};
    command.insert(command.end(), row.filter.begin(), row.filter.end());
    auto const output = run_process(command);
    ASSERT_TRUE(output) << output.error().describe();
    SCOPED_TRACE(row.filter.back() + "\n" + output->text);
    EXPECT_EQ(output->status, 0);
    EXPECT_EQ(count_of(output->text, "----"), row.events);
    EXPECT_NE(output->text.find(row.holds), std::string::npos);
  }
}

TEST(Avc, audit2why_and_audit2allow_know_why_and_what_would_allow_it) {
  for (char const* program : {"audit2allow", "secilc"}) {
    if (!have(program)) {
      GTEST_SKIP() << "needs the Debian packages policycoreutils-python-utils and secilc: no "
                   << program;
    }
  }
  LogFile const log;
  std::string const cil = log.path() + ".cil";
  std::string const policy = log.path() + ".policy";
  // Looked up in the exported policy, whose types, class and permissions are those of the records.
  auto const build = build_policy("p",
                                  "coalition c revision 7\ntype a\ntype b\n"
                                  "label red { share a }\nlabel green { share b }\n");
  ASSERT_TRUE(build) << build.error().front().describe();
  ASSERT_TRUE(write_file_atomically(cil, as_bytes(export_cil(*build))));
  auto const compiled = run_checked({"secilc", "-f", "/dev/null", "-o", policy, cil});
  ASSERT_TRUE(compiled) << compiled.error().describe();
  struct Row {
    char const* tool;
    char const* says;
  };
  constexpr Row kRows[] = {{"audit2why", "Missing type enforcement (TE) allow rule."},
                           {"audit2allow", "allow red_t green_t:shamon_vm flow_out;"}};
  for (auto const& row : kRows) {
    auto const output =
        run_process({row.tool, "-p", policy, "-i", log.path()}, std::chrono::seconds(60));
    ASSERT_TRUE(output) << output.error().describe();
    EXPECT_NE(output->text.find(row.says), std::string::npos) << output->text;
  }
  std::filesystem::remove(cil);
  std::filesystem::remove(policy);
}

}  // namespace
}  // namespace shamon
