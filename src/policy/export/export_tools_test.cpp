// The exports in the hands of the tools they are made for: compiled, searched and compared with
// decide(), question by question.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "base/process.hpp"
#include "policy/decide.hpp"
#include "policy/document.hpp"
#include "policy/export/decisions.hpp"
#include "policy/export/export.hpp"
#include "policy/export/selinux_names.hpp"
#include "policy/import/shype.hpp"
#include "policy/service.hpp"

namespace shamon {
namespace {

namespace fs = std::filesystem;

bool is_installed(char const* tool) {
  auto const found = run_process({"sh", "-c", std::string("command -v ") + tool});
  return found && found->status == 0;
}

#define NEEDS_TOOL(tool, package)                                                      \
  if (!is_installed(tool)) {                                                           \
    GTEST_SKIP() << "SKIPPED: " tool " is missing; install Debian's package " package; \
  }

class ExportTools : public FolderTest {
 protected:
  /// The binary policy, or an empty path and a failure.
  std::string secilc(std::string const& cil) const {
    std::string const source = write("p.cil", cil);
    auto const ran = run_process({"secilc", "-o", path("p.bin"), "-f", path("p.fc"), source},
                                 std::chrono::seconds(100));
    EXPECT_TRUE(ran && ran->status == 0) << (ran ? ran->text : ran.error().describe());
    return ran && ran->status == 0 ? path("p.bin") : "";
  }

  std::string run(std::vector<std::string> const& arguments, int status = 0) const {
    auto const ran = run_process(arguments, std::chrono::seconds(100));
    EXPECT_TRUE(ran && ran->status == status) << (ran ? ran->text : ran.error().describe());
    return ran ? ran->text : "";
  }

  std::string folder_;
};

PolicyBuild built(std::string const& file, std::string const& text) {
  PolicyReader const reader = [](std::string const& path) { return read_text_file(path); };
  auto build = build_policy(file, text, reader);
  EXPECT_TRUE(build) << (build ? "" : build.error().front().describe());
  return build ? std::move(*build) : PolicyBuild{{}, std::make_shared<PolicyDocument>()};
}

/// With everything that decide() tells apart.
constexpr char kEverything[] =
    "coalition every revision 3\n"
    "type a_t b_t c_t d_t\n"
    "label a { share a_t }\n"
    "label A { share b_t  wall c_t }\n"
    "label ab { share a_t b_t  wall d_t }\n"
    "label hermit { }\n"
    "label \"9 dots. & (x)\" { share c_t }\n"
    "label clash { wall c_t d_t }\n"
    "label high { share a_t  secrecy secret }\n"
    "label filter { guard }\n"
    "wall w { c_t d_t }\n"
    "allow a -> hermit udp/9000-9010 icmp\n"
    "allow A <-> hermit tcp/443\n"
    "allow \"9 dots. & (x)\" -> a\n"
    "allow high <-> filter tcp/1\n"
    "allow filter <-> a\n";

std::vector<PolicyBuild> policies() {
  std::vector<PolicyBuild> out;
  out.push_back(built("everything", kEverything));
  for (auto const& entry : fs::recursive_directory_iterator(SHAMON_SOURCE_DIR "/examples")) {
    // Not the parts that others include.
    bool const whole =
        entry.path().extension() == ".policy" && entry.path().parent_path().filename() != "sites";
    // A playpen's 200 labels take minutes to ask about, and ask nothing new.
    if (!whole || entry.path().stem() == "playpen") continue;
    out.push_back(built(entry.path().string(), read_text_file(entry.path().string()).value()));
  }
  std::string const data = SHAMON_SOURCE_DIR "/tests/import_export/data/";
  auto const imported =
      import_shype(std::vector<XmlFile>{{"ports.xml", read_text_file(data + "ports.xml").value()}});
  EXPECT_TRUE(imported);
  if (imported) out.push_back(built("ports.policy", imported->text));
  return out;
}

using Rules = std::map<std::pair<std::string, std::string>, std::set<std::string>>;

/// "allow green_t red_t:shamon_vm { flow_in flow_out };", by source and target.
Rules parse_sesearch(std::string const& text) {
  Rules rules;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    for (char& c : line) {
      if (c == ':' || c == '{' || c == '}' || c == ';') c = ' ';
    }
    std::istringstream words(line);
    std::string allow, source, target, object_class;
    if (!(words >> allow >> source >> target >> object_class) || allow != "allow") continue;
    for (std::string permission; words >> permission;) {
      rules[{source, target}].insert(object_class + " " + permission);
    }
  }
  return rules;
}

/// Everything decide() allows, asked here once more and not through decisions.cpp.
Rules expected_rules(PolicyBuild const& build) {
  CompiledPolicy const& policy = build.compiled;
  Rules rules;
  auto const count = static_cast<std::uint16_t>(policy.label_count());
  for (std::uint16_t a = 0; a < count; ++a) {
    for (std::uint16_t b = 0; b < count; ++b) {
      LabelSet running;
      running.set(b);
      std::set<std::string>& to = rules[{selinux_type(policy.label_name(LabelId(a))),
                                         selinux_type(policy.label_name(LabelId(b)))}];
      auto ask = [&](Operation operation, Service service = {}) {
        return decide({operation, LabelId(a), LabelId(b), service, policy.revision(), &running},
                      policy)
            .allowed();
      };
      auto add = [&](bool allowed, std::initializer_list<char const*> names) {
        for (char const* name : names) {
          if (allowed) to.insert(std::string("shamon_vm ") + name);
        }
      };
      bool some = ask(Operation::flow);
      for (int port = 0; port < 65536 && !some; ++port) {
        for (std::uint8_t const protocol : {kProtocolIcmp, kProtocolTcp, kProtocolUdp}) {
          some |= ask(Operation::flow, {protocol, static_cast<std::uint16_t>(port), 0});
        }
      }
      add(ask(Operation::flow), {"flow_out", "flow_in"});
      add(some, {"flow_out_some", "flow_in_some"});
      add(ask(Operation::share_memory), {"memory_share"});
      add(ask(Operation::bind_event), {"event_bind"});
      add(ask(Operation::assign_device), {"device_assign"});
      add(ask(Operation::start), {"vm_start", "vm_migrate"});
      add(a == b, {"vm_define", "vm_stop", "port_attach", "association_close"});
      add(a == b && ask(Operation::associate), {"association_open"});
      if (to.empty())
        rules.erase({selinux_type(policy.label_name(LabelId(a))),
                     selinux_type(policy.label_name(LabelId(b)))});
    }
  }
  return rules;
}

TEST_F(ExportTools, SesearchSeesInTheCompiledCilWhatDecideAnswers) {
  NEEDS_TOOL("secilc", "secilc");
  NEEDS_TOOL("sesearch", "setools");
  for (auto const& build : policies()) {
    std::string const binary = secilc(export_cil(build));
    ASSERT_FALSE(binary.empty());
    Rules const seen = parse_sesearch(run({"sesearch", "-A", binary}));
    EXPECT_EQ(seen, expected_rules(build)) << build.compiled.coalition().value();
    EXPECT_FALSE(seen.empty());
    std::string const types = run({"seinfo", binary, "-t"});
    for (std::uint16_t i = 0; i < build.compiled.label_count(); ++i) {
      std::string const type = selinux_type(build.compiled.label_name(LabelId(i)));
      EXPECT_NE(types.find("   " + type + "\n"), std::string::npos) << types;
    }
  }
}

TEST_F(ExportTools, SeinfoflowFindsInformationWhereDecideLetsItPass) {
  NEEDS_TOOL("secilc", "secilc");
  NEEDS_TOOL("seinfoflow", "setools");
  auto const build = built("p",
                           "coalition c revision 1\ntype x_t\nlabel a { share x_t }\n"
                           "label b { share x_t }\nlabel c { }\nlabel d { }\n"
                           "allow b -> c udp/1\nallow d -> a\n");
  std::string const binary = secilc(export_cil(build));
  ASSERT_FALSE(binary.empty());
  std::string const map = write("map", export_permission_map());
  // a and b share, b may send to c, d may send to a: so what may reach what, directly or not.
  std::map<std::string, std::string> const reaches = {
      {"a", "bc"}, {"b", "ac"}, {"c", ""}, {"d", "abc"}};
  for (auto const& [from, targets] : reaches) {
    for (char const to : std::string("abcd")) {
      if (from[0] == to) continue;
      std::string const text = run({"seinfoflow", "-p", binary, "-m", map, "-s", from + "_t", "-t",
                                    std::string(1, to) + "_t", "-S"});
      bool const found = text.find("Flow 1:") != std::string::npos;
      EXPECT_EQ(found, targets.find(to) != std::string::npos) << from << " " << to << text;
    }
  }
}

TEST_F(ExportTools, Audit2whyKnowsWhyARecordWasDenied) {
  NEEDS_TOOL("secilc", "secilc");
  NEEDS_TOOL("audit2why", "policycoreutils-python-utils");
  auto const build = built("everything", kEverything);
  std::string const binary = secilc(export_cil(build));
  ASSERT_FALSE(binary.empty());
  auto record = [&](std::string const& from, std::string const& to) {
    return write("avc",
                 "type=USER_AVC msg=audit(1.1:1): avc:  denied  { flow_out } for  "
                 "subject=\"v\" scontext=" +
                     selinux_context(selinux_type(LabelName(from))) +
                     " tcontext=" + selinux_context(selinux_type(LabelName(to))) +
                     " tclass=shamon_vm permissive=0\n");
  };
  std::string const why = run({"audit2why", "-p", binary, "-i", record("a", "9 dots. & (x)")});
  EXPECT_NE(why.find("Missing type enforcement (TE) allow rule"), std::string::npos) << why;
  std::string const allow = run({"audit2allow", "-p", binary, "-i", record("a", "hermit")});
  EXPECT_NE(allow.find("allow a_t hermit_t:shamon_vm flow_out;"), std::string::npos) << allow;
  // Where the policy allows it, the record is none of its denials.
  std::string const allowed = run({"audit2why", "-p", binary, "-i", record("a", "ab")});
  EXPECT_EQ(allowed.find("Missing type enforcement"), std::string::npos) << allowed;
}

TEST_F(ExportTools, IpsecTypesCompileAndReceiveWhatDecideLetsThemReceive) {
  NEEDS_TOOL("secilc", "secilc");
  NEEDS_TOOL("sesearch", "setools");
  for (auto const& build : policies()) {
    CompiledPolicy const& policy = build.compiled;
    std::string const binary = secilc(export_ipsec(build));
    ASSERT_FALSE(binary.empty());
    Rules const seen = parse_sesearch(run({"sesearch", "-A", binary}));
    Rules expected;
    auto const count = static_cast<std::uint16_t>(policy.label_count());
    for (std::uint16_t a = 0; a < count; ++a) {
      std::string const from = selinux_type(policy.label_name(LabelId(a)));
      expected[{from, from}] = {"association polmatch", "association sendto"};
      expected[{"key_daemon", from}] = {"association polmatch", "association setcontext"};
    }
    for (std::uint16_t a = 0; a < count; ++a) {
      for (std::uint16_t b = 0; b < count; ++b) {
        Request const flow{Operation::flow, LabelId(a), LabelId(b), {}, policy.revision(), nullptr};
        if (!decide(flow, policy).allowed()) continue;
        auto& rules = expected[{selinux_type(policy.label_name(LabelId(b))),
                                selinux_type(policy.label_name(LabelId(a)))}];
        rules.insert({"association recvfrom", "peer recv"});
      }
    }
    EXPECT_EQ(seen, expected) << policy.coalition().value();
  }
}

/// Xen's source, from tools/fetch-xen-source.
std::string xen_source() {
  char const* const named = std::getenv("SHAMON_XEN_SOURCE");
  return named != nullptr ? named : SHAMON_SOURCE_DIR "/build/xen-source";
}

#define NEEDS_XEN()                                                                                \
  if (!fs::exists(xen_source() + "/xen/xsm/flask/policy/access_vectors")) {                        \
    GTEST_SKIP() << "SKIPPED: no Xen source; run tools/fetch-xen-source (Debian's source xen) or " \
                    "set SHAMON_XEN_SOURCE";                                                       \
  }

std::string xen_file(std::string const& name) {
  return read_text_file(xen_source() + "/" + name).value();
}

/// What FLASK lets a domain do to another with memory, events and devices.
void expect_flask_agrees(PolicyBuild const& build, Rules const& seen) {
  for (auto const& from : ask_all(build)) {
    for (std::size_t i = 0; i < from.to.size(); ++i) {
      std::string const other =
          selinux_type(build.compiled.label_name(LabelId(static_cast<std::uint16_t>(i))));
      auto allows = [&](std::string const& a, std::string const& b, char const* what) {
        auto const at = seen.find({a, b});
        return at != seen.end() && at->second.count(what) == 1;
      };
      EXPECT_EQ(allows(other, from.type, "grant map_write"), from.to[i].memory) << other;
      EXPECT_EQ(allows(from.type + "_channel", other, "event bind"), from.to[i].events) << other;
      EXPECT_EQ(allows(from.type, other + "_device", "resource use_iommu"), from.to[i].device)
          << other;
    }
  }
}

TEST_F(ExportTools, AWholeFlaskPolicyCompilesWithXensClasses) {
  NEEDS_TOOL("checkpolicy", "checkpolicy");
  NEEDS_XEN();
  std::string const folder = "xen/xsm/flask/policy/";
  XenFlaskFiles const xen{xen_file(folder + "security_classes"), xen_file(folder + "initial_sids"),
                          xen_file(folder + "access_vectors")};
  for (auto const& build : policies()) {
    auto const text = export_flask_policy(build, xen);
    ASSERT_TRUE(text) << text.error().describe();
    std::string const source = write("policy.conf", *text);
    run({"checkpolicy", "-t", "Xen", "-c", "30", source, "-o", path("xenpolicy")});
    expect_flask_agrees(build, parse_sesearch(run({"sesearch", "-A", path("xenpolicy")})));
  }
}

TEST_F(ExportTools, TheFlaskModuleCompilesAmongXensOwn) {
  NEEDS_TOOL("checkpolicy", "checkpolicy");
  NEEDS_TOOL("m4", "m4");
  NEEDS_XEN();
  auto const build = built("everything", kEverything);
  std::string const module = write("shamon.te", export_flask_module(build));
  // As tools/flask/policy/Makefile.common puts a policy together, with its modules that are on.
  std::string const script =
      "cd '" + xen_source() +
      "/tools/flask/policy' && F=../../../xen/xsm/flask/policy && "
      "M=$(awk '/^[ \\t]*[a-z]/{ if ($3 == \"on\") print \"modules/\" $1 \".te\" }' "
      "modules/modules.conf) && m4 -D self_contained_policy -s -D mls_num_sens=16 "
      "-D mls_num_cats=256 $F/security_classes policy/security_classes $F/initial_sids "
      "$F/access_vectors policy/access_vectors policy/support/*.spt policy/mls modules/xen.if "
      "policy/global_tunables $M " +
      module + " policy/users modules/vm_role.cons policy/initial_sids policy/device_contexts > " +
      path("policy.conf");
  run({"sh", "-c", script});
  run({"checkpolicy", "-t", "Xen", "-c", "30", path("policy.conf"), "-o", path("xenpolicy")});
  expect_flask_agrees(build, parse_sesearch(run({"sesearch", "-A", path("xenpolicy")})));
}

TEST(FlaskExport, DefinitionsWithoutWhatTheRulesNeedAreRefused) {
  auto const build = built("everything", kEverything);
  auto const none = export_flask_policy(build, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "access_vectors has no class domain");
  auto const few = export_flask_policy(build, {"class domain\n", "", "class domain { pause }\n"});
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().message, "access_vectors: class domain has no permission create");
}

}  // namespace
}  // namespace shamon
