#include "policy/flow/selinux/type_graph.hpp"

#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/folder_fixture.hpp"
#include "base/process.hpp"

namespace shamon {
namespace {

constexpr char kCheckpolicy[] = "/usr/bin/checkpolicy";
constexpr char kSetools[] = "/usr/lib/python3/dist-packages/setools/infoflow.py";
constexpr char kMap[] =
    "2\nclass file 4\nread r 10\nwrite w 9\ngetattr r 1\nappend w 3\n"
    "class process 2\nsignal w 5\nptrace b 10\n";  // process share, file quotaon: not mapped

/// The source of a policy with everything that shapes a flow graph.
std::string random_policy(std::mt19937& random) {
  std::size_t const types = 3 + random() % 10;
  std::ostringstream out;
  out << "class process\nclass file\nsid kernel\ncommon f { read write }\n"
         "class process { signal ptrace share }\nclass file inherits f { getattr append quotaon }\n"
         "attribute a0;\nattribute a1;\nattribute a2;\nbool b0 true;\nbool b1 false;\n";
  for (std::size_t i = 0; i < types; ++i) {
    out << "type ty" << i;
    for (int a = 0; a < 3; ++a) {
      if (random() % 4 == 0) out << ", a" << a;
    }
    out << ";\n";
  }
  out << "typealias ty1 alias also_ty1;\n";
  auto name = [&] {
    return random() % 5 == 0 ? "a" + std::to_string(random() % 3)
                             : "ty" + std::to_string(random() % types);
  };
  char const* what[] = {
      "file read",    "file { write getattr }", "file append",   "file getattr",
      "file quotaon", "process signal",         "process share", "process { ptrace share }"};
  auto rule = [&] {
    std::string const target = random() % 6 == 0 ? "self" : name();
    out << "allow " << name() << " " << target << ":" << what[random() % std::size(what)] << ";\n";
  };
  for (std::size_t i = random() % (2 * types); i > 0; --i) rule();
  out << "dontaudit ty0 ty1:file read;\nauditallow ty1 ty2:file write;\n"
         "type_transition ty0 ty1:process ty2;\n";
  for (char const* condition : {"b0 && !b1", "b1 || b0 == b1", "b0 != b1 ^ b0"}) {
    out << "if (" << condition << ") {\n";
    rule();
    out << "} else {\n";
    rule();
    out << "}\n";
  }
  out << "role r;\nrole r types { ty0 ty1 ty2 };\nuser u roles { r };\nsid kernel u:r:ty0\n";
  return out.str();
}

/// What setools answers: one line a graph with all its edges after weight and booleans.
constexpr char kPeer[] = R"(
import sys, setools
for name in sys.argv[2:]:
    policy = setools.SELinuxPolicy(name)
    for weight in (1, 3, 10):
        for booleans in (None, {}, {"b0": False}):
            one = setools.InfoFlowAnalysis(policy, setools.PermissionMap(sys.argv[1]), min_weight=weight, booleans=booleans)
            one._build_subgraph()
            print("= " + " ".join(sorted("%s>%s" % (a, b) for a, b in one.subG.edges())))
)";

class TypeGraphTest : public FolderTest {
 protected:
  void SetUp() override {
    if (::access(kCheckpolicy, X_OK) != 0) {
      GTEST_SKIP() << "NOT TESTED: no checkpolicy; install checkpolicy";
    }
  }

  std::string compile(std::string const& source, int version, int number) {
    std::string const base = folder_ + "/" + std::to_string(number);
    EXPECT_TRUE(write_file_atomically(base + ".conf", as_bytes(source)));
    auto const out = run_process(
        {kCheckpolicy, "-c", std::to_string(version), "-o", base + ".bin", base + ".conf"});
    EXPECT_TRUE(out && out->status == 0) << (out ? out->text : out.error().describe()) << source;
    return base + ".bin";
  }
};

std::string edges_of(SelinuxPolicy const& policy, TypeGraph const& graph) {
  std::vector<std::string> edges;
  for (Node from = 0; from < graph.graph().node_count(); ++from) {
    for (Node const to : graph.graph().successors(from)) {
      edges.push_back(policy.types[from].name + ">" + policy.types[to].name);
      EXPECT_FALSE(graph.rules_of(from, to).empty()) << edges.back();
    }
  }
  std::sort(edges.begin(), edges.end());
  std::string out;
  for (auto const& edge : edges) out += (out.empty() ? "" : " ") + edge;
  return out;
}

TEST_F(TypeGraphTest, HasExactlyTheEdgesOfSetools) {
  if (::access(kSetools, R_OK) != 0) {
    GTEST_SKIP() << "NOT TESTED: no setools; install python3-setools";
  }
  std::mt19937 random(33);
  std::string const map_file = folder_ + "/map";
  ASSERT_TRUE(write_file_atomically(map_file, as_bytes(kMap)));
  std::vector<std::string> command = {"/usr/bin/python3", "-c", kPeer, map_file};
  std::vector<std::string> sources;
  for (int number = 0; number < 20; ++number) {
    sources.push_back(random_policy(random));
    command.push_back(compile(sources.back(), 24 + number % 10, number));
  }
  auto const peer = run_process(command, std::chrono::seconds(100));
  ASSERT_TRUE(peer && peer->status == 0) << (peer ? peer->text : peer.error().describe());
  std::istringstream lines(peer->text);
  auto const map = PermissionMap::parse(kMap);
  ASSERT_TRUE(map);
  std::size_t edges = 0;
  for (std::size_t number = 0; number < sources.size(); ++number) {
    auto const bytes = read_file(command[4 + number]);
    ASSERT_TRUE(bytes);
    auto const policy = read_selinux_policy(*bytes);
    ASSERT_TRUE(policy) << policy.error().describe() << "\n" << sources[number];
    EXPECT_EQ(policy->version, 24 + number % 10);
    for (unsigned const weight : {1u, 3u, 10u}) {
      for (int const booleans : {0, 1, 2}) {
        TypeGraphOptions options;
        options.min_weight = weight;
        if (booleans != 0) {
          options.booleans.emplace();
          for (auto const& one : policy->booleans) {
            options.booleans->push_back(one.state && (booleans == 1 || one.name != "b0"));
          }
        }
        TypeGraph const graph(*policy, *map, options);
        std::string expected;
        while (expected.rfind("= ", 0) != 0 && std::getline(lines, expected)) {
        }
        ASSERT_EQ("= " + edges_of(*policy, graph), expected)
            << "policy " << number << ", weight " << weight << ", booleans " << booleans << "\n"
            << sources[number];
        edges += graph.graph().edge_count();
      }
    }
  }
  EXPECT_GT(edges, 500u) << "the random policies say next to nothing";
}

TEST_F(TypeGraphTest, KnowsAliasesAndWritesRulesAsSesearchDoes) {
  std::mt19937 random(1);
  auto const bytes = read_file(compile(random_policy(random), 33, 0));
  ASSERT_TRUE(bytes);
  auto const policy = read_selinux_policy(*bytes);
  ASSERT_TRUE(policy) << policy.error().describe();
  EXPECT_EQ(policy->find_type("also_ty1"), policy->find_type("ty1"));
  EXPECT_TRUE(policy->find_type("ty1"));
  EXPECT_FALSE(policy->find_type("a0")) << "an attribute is not a type";
  EXPECT_FALSE(policy->find_type("ty99"));
  bool conditional = false;
  for (auto const& rule : policy->rules) {
    std::string const text = policy->describe(rule);
    EXPECT_EQ(text.rfind("allow ", 0), 0u);
    conditional = conditional || text.find(" ]:") != std::string::npos;
  }
  EXPECT_TRUE(conditional);
}

TEST_F(TypeGraphTest, RefusesAPolicyCutAnywhereAndSurvivesAnyByteChanged) {
  std::mt19937 random(2);
  auto const bytes = read_file(compile(random_policy(random), 33, 0));
  ASSERT_TRUE(bytes);
  for (std::size_t size = 0; size < bytes->size(); ++size) {
    auto const cut = read_selinux_policy(ByteView(*bytes).first(size));
    ASSERT_FALSE(cut) << size;
    EXPECT_TRUE(cut.error().offset) << cut.error().describe();
  }
  Bytes longer = *bytes;
  longer.push_back(0);
  EXPECT_EQ(read_selinux_policy(longer).error().code, Errc::malformed);
  for (std::size_t at = 0; at < bytes->size(); ++at) {
    for (unsigned const value : {0u, 1u, 255u}) {
      Bytes changed = *bytes;
      changed[at] = static_cast<std::uint8_t>(value);
      (void)read_selinux_policy(changed);
    }
  }
}

TEST(SelinuxPolicy, RefusesWhatIsNoKernelPolicy) {
  EXPECT_EQ(read_selinux_policy({}).error().code, Errc::truncated);
  EXPECT_EQ(read_selinux_policy(as_bytes("type a_t; type b_t;")).error().code, Errc::malformed);
  Bytes const module_start = {0x8d, 0xff, 0x7c, 0xf9, 0, 0, 0, 0};
  EXPECT_EQ(read_selinux_policy(module_start).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace shamon
