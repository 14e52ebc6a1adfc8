#include "operator/cli/audit_verbs.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "audit/chain_fixture.hpp"
#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "operator/cli/verbs_fixture.hpp"

namespace shamon {
namespace {

class AuditVerbs : public FolderTest {
 protected:
  void SetUp() override {
    TestJournal journal;
    AuditRow allowed = denied_flow("vm-blue");
    allowed.verdict = "allowed";
    journal.records(2).record(allowed).head("rotation");
    std::string const first = journal.text();
    journal.start("rotation").records(2).head("shutdown");
    write("audit.000000000001.jsonl", first);
    write("audit.jsonl", journal.text().substr(first.size()));
    last_head_ = journal.lines.back();
    key_ = write("audit.pub", journal_key().public_key().pem());
  }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "audit");
    return run_verbs(add_audit_verbs, std::move(words));
  }

  std::string key_, last_head_;
};

TEST_F(AuditVerbs, verify_takes_a_folder_and_says_what_holds) {
  Outcome const yes = run({"verify", folder_, "--key", key_});
  EXPECT_EQ(yes.exit_code, 0) << yes.out << yes.err;
  EXPECT_EQ(yes.out, "holds: lines 1 to 9 of shype1, 5 records, 2 signed heads, 0 restarts\n");
  auto const json = nlohmann::json::parse(run({"verify", folder_, "--key", key_, "--json"}).out);
  EXPECT_EQ(json["schema"], "shamon.audit.verify/1");
  EXPECT_EQ(json["data"]["holds"], true);
  EXPECT_EQ(json["data"]["ended_cleanly"], true);
}

TEST_F(AuditVerbs, verify_names_file_line_and_fault_and_ends_with_15) {
  std::string text = *read_text_file(folder_ + "/audit.jsonl");
  std::string altered = text;
  altered.replace(altered.find("no common type"), 14, "allow statemen");
  write("audit.jsonl", altered);
  Outcome const no = run({"verify", folder_, "--key", key_});
  EXPECT_EQ(no.exit_code, 15);
  EXPECT_EQ(no.out.find(folder_ + "/audit.jsonl:2: altered: "), 0u) << no.out;
  auto const json = nlohmann::json::parse(run({"verify", folder_, "--key", key_, "--json"}).out);
  EXPECT_EQ(json["data"]["fault"], "altered");
  EXPECT_EQ(json["data"]["line"], 2);
}

TEST_F(AuditVerbs, verify_uses_the_head_beside_the_files_or_one_kept_elsewhere) {
  std::string const text = *read_text_file(folder_ + "/audit.jsonl");
  write("audit.jsonl", text.substr(0, text.size() - last_head_.size()));
  EXPECT_EQ(run({"verify", folder_, "--key", key_}).exit_code, 0);
  std::string const kept = write("kept", last_head_);
  Outcome const no = run({"verify", folder_, "--key", key_, "--head", kept});
  EXPECT_EQ(no.exit_code, 15);
  EXPECT_NE(no.out.find(": truncated: "), std::string::npos) << no.out;
  write("audit.head", last_head_);
  EXPECT_EQ(run({"verify", folder_, "--key", key_}).exit_code, 15);
  EXPECT_EQ(run({"verify", folder_, "--key", key_, "--signed"}).exit_code, 15);
}

TEST_F(AuditVerbs, verify_does_not_take_another_key_or_none) {
  std::string const other =
      write("other.pub", PrivateKey::generate(KeyType::ecdsa_p256)->public_key().pem());
  Outcome const no = run({"verify", folder_, "--key", other});
  EXPECT_EQ(no.exit_code, 15);
  EXPECT_NE(no.out.find(":1: wrong key: "), std::string::npos) << no.out;
  EXPECT_EQ(run({"verify", folder_, "--key", other, "--key", key_}).exit_code, 0);
  EXPECT_EQ(run({"verify", folder_}).exit_code, 2);
  EXPECT_NE(run({"verify", folder_, "--key", folder_ + "/nothing"}).exit_code, 0);
  EXPECT_NE(run({"verify", folder_ + "/nothing", "--key", key_}).exit_code, 0);
}

TEST_F(AuditVerbs, export_writes_each_format_a_line_an_event) {
  auto lines = [](std::string const& text) { return std::count(text.begin(), text.end(), '\n'); };
  Outcome const avc = run({"export", folder_});
  EXPECT_EQ(avc.exit_code, 0) << avc.err;
  EXPECT_EQ(lines(avc.out), 5);
  EXPECT_EQ(avc.out.find("type=USER_AVC msg=audit(1795309205.042:2): pid=4711 "), 0u) << avc.out;
  EXPECT_EQ(lines(run({"export", folder_, "--denied"}).out), 4);
  Outcome const ocsf = run({"export", folder_, "--format", "ocsf", "--denied"});
  EXPECT_EQ(lines(ocsf.out), 4);
  EXPECT_EQ(nlohmann::json::parse(ocsf.out.substr(0, ocsf.out.find('\n')))["class_uid"], 4001);
  Outcome const rows = run({"export", folder_ + "/audit.jsonl", "--format", "jsonl"});
  EXPECT_EQ(lines(rows.out), 2);
  write("audit.jsonl", "no journal\n");
  Outcome const bad = run({"export", folder_});
  EXPECT_NE(bad.exit_code, 0);
  EXPECT_NE(bad.err.find("audit.jsonl:1: "), std::string::npos) << bad.err;
}

}  // namespace
}  // namespace shamon
