// The decision against its oracle: over all of some small worlds, and over random larger ones.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/file.hpp"
#include "oracle/naive_decide.hpp"
#include "policy/decide.hpp"
#include "policy/decision_text.hpp"
#include "policy/source.hpp"

namespace shamon::oracle {
namespace {

constexpr Operation kOperations[] = {Operation::flow,       Operation::share_memory,
                                     Operation::bind_event, Operation::start,
                                     Operation::associate,  Operation::assign_device};
constexpr char kUnknown[] = "nobody";

struct Compared {
  std::size_t questions = 0;
  std::size_t allowed = 0;
  std::string difference;  ///< empty: none
};

LabelId id_of(CompiledPolicy const& policy, std::string const& name) {
  return policy.find_label(LabelName(name)).value_or(LabelId(kLabelsMax));
}

void compare(PolicyBuild const& build, CompiledPolicy const& compiled, Operation operation,
             Question question, Compared& out) {
  question.operation = to_string(operation);
  LabelSet running;
  for (auto const& name : question.running) running.set(id_of(compiled, name).value());
  Service const service{static_cast<std::uint8_t>(question.protocol),
                        static_cast<std::uint16_t>(question.port),
                        static_cast<std::uint16_t>(question.source_port)};
  Request const request{
      operation, id_of(compiled, question.subject), id_of(compiled, question.object),
      service,   Revision(question.revision),       &running};
  Decision const real = shamon::decide(request, compiled);
  Answer const naive = decide(*build.document, question);
  ++out.questions;
  out.allowed += real.allowed() ? 1 : 0;
  if (real.allowed() == naive.allowed && naive.reason == to_string(real.reason)) return;
  out.difference = question.operation + " " + question.subject + " " + question.object + " " +
                   std::to_string(question.protocol) + "/" + std::to_string(question.port) +
                   " from " + std::to_string(question.source_port) + ": decide says " +
                   to_string(real.reason) + ", the oracle " + naive.reason;
}

struct Packet {
  int protocol, port, source_port;
};

/// Every operation over every pair of labels, one unknown among them, for each packet.
void compare_pairs(PolicyBuild const& build, CompiledPolicy const& compiled,
                   std::vector<Packet> const& packets, Compared& out) {
  std::vector<std::string> names = {kUnknown};
  for (auto const& label : build.document->labels) names.push_back(label.name.text);
  std::uint64_t const revision = compiled.revision().value();
  for (auto const& a : names) {
    for (auto const& b : names) {
      for (auto operation : kOperations) {
        for (auto const& packet : packets) {
          compare(build, compiled, operation,
                  {"", a, b, packet.protocol, packet.port, packet.source_port, {}, revision}, out);
          if (operation != Operation::flow) break;  // the packet matters to flows only
        }
        compare(build, compiled, operation, {"", a, b, 6, 5, 0, {}, revision + 1}, out);
        compare(build, compiled, operation, {"", a, b, 6, 5, 0, {}, revision - 1}, out);
      }
    }
  }
}

/// Every start beside every subset of at most eight labels.
void compare_starts(PolicyBuild const& build, CompiledPolicy const& compiled, Compared& out) {
  auto const& labels = build.document->labels;
  std::size_t const count = std::min<std::size_t>(labels.size(), 8);
  for (std::size_t subset = 0; subset < std::size_t{1} << count; ++subset) {
    Question question;
    question.revision = compiled.revision().value();
    for (std::size_t i = 0; i < count; ++i) {
      if ((subset >> i & 1) != 0) question.running.push_back(labels[i].name.text);
    }
    for (auto const& label : labels) {
      question.subject = label.name.text;
      compare(build, compiled, Operation::start, question, out);
    }
  }
}

std::vector<Packet> const kPackets = {{0, 0, 0},  {1, 0, 0},      {6, 4, 0},  {6, 5, 0},
                                      {6, 6, 0},  {6, 9, 5},      {6, 5, 9},  {17, 5, 0},
                                      {17, 6, 0}, {17, 7, 0},     {17, 8, 0}, {17, 9, 6},
                                      {17, 0, 0}, {17, 65535, 0}, {47, 5, 5}, {58, 0, 0}};

/// Compares both the built policy and the one that went through its byte image.
std::string check_policy(std::string const& text, Compared& out) {
  auto const build = build_policy("oracle.policy", text);
  if (!build) return build.error().front().describe();
  auto const image = CompiledPolicy::from_image(build->compiled.image());
  if (!image) return image.error().describe();
  if (contradicts_itself(*build->document)) return "accepted though a label is on both sides";
  compare_pairs(*build, build->compiled, kPackets, out);
  compare_pairs(*build, *image, kPackets, out);
  compare_starts(*build, build->compiled, out);
  return out.difference;
}

TEST(Oracle, AgreesOnEveryFlowPolicyOfTwoLabelsAndTwoTypes) {
  char const* const shares[] = {"", "share a_t", "share b_t", "share a_t b_t"};
  char const* const arrows[] = {"", " -> ", " <-> "};
  char const* const services[] = {"", " udp/5-7", " icmp"};
  Compared compared;
  std::vector<std::string> allows = {""};
  for (char const* pair : {"xx", "xy", "yx"}) {
    std::vector<std::string> more;
    for (auto const& before : allows) {
      for (char const* arrow : arrows) {
        for (char const* service : services) {
          if (*arrow == 0 && *service != 0) continue;
          more.push_back(*arrow == 0
                             ? before
                             : before + "allow " + pair[0] + arrow + pair[1] + service + "\n");
        }
      }
    }
    allows = more;
  }
  for (char const* x : shares) {
    for (char const* y : shares) {
      for (auto const& allow : allows) {
        std::string const text = std::string("coalition c revision 2\ntype a_t b_t\nlabel x { ") +
                                 x + " }\nlabel y { " + y + " }\n" + allow;
        ASSERT_EQ(check_policy(text, compared), "") << text;
      }
    }
  }
  EXPECT_GT(compared.allowed, 0u);
  EXPECT_LT(compared.allowed, compared.questions);
}

/// Every level over two ranks, and categories out of the given ones.
std::vector<std::string> every_level(std::string const& kind, char const* low, char const* high,
                                     std::vector<std::string> const& categories) {
  std::vector<std::string> levels;
  for (char const* rank : {low, high}) {
    for (auto const& set : categories) levels.push_back(kind + " " + rank + " " + set + " ");
  }
  return levels;
}

/// Flows, memory, events and devices over every pair of labels.
void compare_level_pairs(PolicyBuild const& build, Compared& out) {
  auto const& labels = build.document->labels;
  for (auto const& a : labels) {
    for (auto const& b : labels) {
      for (auto operation : {Operation::flow, Operation::share_memory, Operation::bind_event,
                             Operation::assign_device}) {
        compare(build, build.compiled, operation,
                {"", a.name.text, b.name.text, 17, 5, 0, {}, build.compiled.revision().value()},
                out);
      }
    }
  }
}

TEST(Oracle, AgreesOnEveryPairOfLabelsOverASmallLattice) {
  std::vector<std::string> bodies;
  for (auto const& secrecy :
       every_level("secrecy", "open", "secret", {"", "{a}", "{b}", "{a b}"})) {
    for (auto const& integrity : every_level("integrity", "low", "high", {"", "{a}"})) {
      for (char const* guard : {"", "guard "}) {
        for (char const* share : {"", "share a_t "}) {
          bodies.push_back(secrecy + integrity + guard + share);
        }
      }
    }
  }
  Compared compared;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    for (char const* arrow : {"", " -> ", " <-> "}) {
      // Label x against each of the others, two of them a policy.
      for (std::size_t j = i; j < bodies.size(); j += 2) {
        std::string text =
            "coalition c revision 2\ntype a_t\ncategory a b\nlabel x { " + bodies[i] + "}\n";
        for (std::size_t k = j; k < std::min(j + 2, bodies.size()); ++k) {
          std::string const name = k == j ? "y" : "z";
          text += "label " + name + " { " + bodies[k] + "}\n";
          if (*arrow != 0) text += "allow x" + std::string(arrow) + name + " udp/5\n";
        }
        auto const build = build_policy("oracle.policy", text);
        ASSERT_TRUE(build) << text;
        compare_level_pairs(*build, compared);
        ASSERT_EQ(compared.difference, "") << text;
      }
    }
  }
  EXPECT_GT(compared.allowed, 0u);
  EXPECT_LT(compared.allowed, compared.questions);
}

TEST(Oracle, AgreesOnEveryPolicyOfThreeLabelsWithLevelsAndGuards) {
  std::vector<std::string> bodies;
  for (char const* secrecy : {"", "secrecy internal {a} "}) {
    for (char const* integrity : {"", "integrity high "}) {
      for (char const* guard : {"", "guard "}) {
        bodies.push_back(std::string("share a_t ") + secrecy + integrity + guard);
      }
    }
  }
  Compared compared;
  for (auto const& x : bodies) {
    for (auto const& y : bodies) {
      for (auto const& z : bodies) {
        for (char const* allows : {"", "allow x -> y\n", "allow x -> y udp/5\nallow y <-> z\n",
                                   "allow x <-> x\nallow z -> x udp/6\n"}) {
          std::string const text = "coalition c revision 2\ntype a_t\ncategory a\nlabel x { " + x +
                                   "}\nlabel y { " + y + "}\nlabel z { " + z + "}\n" + allows;
          auto const build = build_policy("oracle.policy", text);
          ASSERT_TRUE(build) << text;
          compare_level_pairs(*build, compared);
          ASSERT_EQ(compared.difference, "") << text;
        }
      }
    }
  }
  EXPECT_GT(compared.allowed, 0u);
  EXPECT_LT(compared.allowed, compared.questions);
}

TEST(Oracle, AgreesOnEveryWallPolicyOfThreeLabelsAndTwoTypes) {
  std::vector<std::string> bodies;
  for (char const* share : {"", "share a_t ", "share b_t ", "share a_t b_t "}) {
    for (char const* wall : {"", "wall none", "wall a_t", "wall b_t"}) {
      bodies.push_back(std::string("{ ") + share + wall + " }\n");
    }
  }
  Compared compared;
  std::size_t refused = 0;
  for (auto const& x : bodies) {
    for (auto const& y : bodies) {
      for (auto const& z : bodies) {
        std::string const text = "coalition c revision 2\ntype a_t b_t\nlabel x " + x + "label y " +
                                 y + "label z " + z + "wall w { a_t b_t }\n";
        auto const build = build_policy("oracle.policy", text);
        bool const contradiction = x.find("share a_t b_t  }") != std::string::npos ||
                                   y.find("share a_t b_t  }") != std::string::npos ||
                                   z.find("share a_t b_t  }") != std::string::npos;
        ASSERT_EQ(build.has_value(), !contradiction) << text;
        if (!build) {
          ++refused;
          continue;
        }
        compare_starts(*build, build->compiled, compared);
        ASSERT_EQ(compared.difference, "") << text;
      }
    }
  }
  EXPECT_EQ(refused, 16u * 16 * 16 - 15 * 15 * 15);
  EXPECT_GT(compared.allowed, 0u);
  EXPECT_LT(compared.allowed, compared.questions);
}

std::string pick(std::vector<std::string> const& words) {
  return *rc::gen::elementOf(words);
}

std::vector<std::string> numbered(char const* prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

std::string random_level(char const* kind, std::vector<std::string> const& ranks,
                         std::vector<std::string> const& categories) {
  if (*rc::gen::inRange(0, 2) == 0) return "";
  std::string set;
  for (auto const& category : categories) {
    if (*rc::gen::inRange(0, 3) == 0) set += category + " ";
  }
  return std::string(kind) + " " + pick(ranks) + (set.empty() ? " " : " { " + set + "} ");
}

std::string random_label(std::string const& name, std::vector<std::string> const& types,
                         std::vector<std::string> const& categories) {
  std::string text = "label " + name + " { ";
  std::string shared;
  for (auto const& type : types) {
    if (*rc::gen::inRange(0, 3) == 0) shared += type + " ";
  }
  if (!shared.empty()) text += "share " + shared;
  // Mostly explicit wall types, or larger policies would nearly all contradict themselves.
  if (*rc::gen::inRange(0, 4) != 0) {
    text += *rc::gen::inRange(0, 3) == 0 ? std::string("wall none ") : "wall " + pick(types) + " ";
  }
  text += random_level("secrecy", {"open", "internal", "confidential", "secret"}, categories);
  text += random_level("integrity", {"low", "medium", "high"}, categories);
  return text + (*rc::gen::inRange(0, 4) == 0 ? "guard }\n" : "}\n");
}

std::string random_policy() {
  auto const types = numbered("t", *rc::gen::inRange(2, 7));
  auto const labels = numbered("l", *rc::gen::inRange(1, 9));
  std::string text =
      "coalition c revision " + std::to_string(*rc::gen::inRange(1, 1000)) + "\ntype";
  for (auto const& type : types) text += " " + type;
  text += "\n";
  auto const categories = numbered("c", *rc::gen::inRange(0, 4));
  if (!categories.empty()) text += "category";
  for (auto const& category : categories) text += " " + category;
  text += "\n";
  for (auto const& label : labels) text += random_label(label, types, categories);
  int const walls = *rc::gen::inRange(0, 3);
  for (int i = 0; i < walls; ++i) {
    auto const first = *rc::gen::inRange<std::size_t>(0, types.size() - 1);
    text += "wall w" + std::to_string(i) + " { " + types[first] + " " + types[first + 1] + " }\n";
  }
  int const allows = *rc::gen::inRange(0, 15);
  for (int i = 0; i < allows; ++i) {
    bool const two_way = *rc::gen::arbitrary<bool>();
    text += "allow " + pick(labels) + (two_way ? " <-> " : " -> ") + pick(labels);
    text += pick({"", " udp/5", " udp/6-8", " icmp", " icmp6", " udp",
                  two_way ? " tcp/5" : " udp/7", two_way ? " tcp/4-6 icmp" : " icmp udp/5"});
    text += "\n";
  }
  return text;
}

TEST(Oracle, AgreesOnRandomPolicies) {
  // As many policies as RC_PARAMS says (./test --soak: a million), ten thousand otherwise.
  ::setenv("RC_PARAMS", "max_success=10000", 0);
  Compared compared;
  EXPECT_TRUE(rc::check("decide agrees with its oracle", [&] {
    std::string const text = random_policy();
    auto const build = build_policy("oracle.policy", text);
    if (!build) {
      // The only thing that can be wrong with these texts.
      RC_ASSERT(build.error().front().message.find("stands on both sides") != std::string::npos);
      RC_DISCARD("a label on both sides of a wall");
    }
    RC_LOG(text);  // what differs belongs into tests/oracle/corpus
    RC_ASSERT(check_policy(text, compared) == "");
  }));
  EXPECT_GT(compared.allowed, 0u);
  EXPECT_LT(compared.allowed, compared.questions);
  std::printf("%zu questions, %zu allowed\n", compared.questions, compared.allowed);
}

TEST(Oracle, AgreesOnTheCorpus) {
  std::size_t files = 0;
  for (auto const& entry :
       std::filesystem::directory_iterator(SHAMON_SOURCE_DIR "/tests/oracle/corpus")) {
    auto const text = read_text_file(entry.path().string());
    ASSERT_TRUE(text) << text.error().describe();
    Compared compared;
    EXPECT_EQ(check_policy(*text, compared), "") << entry.path();
    ++files;
  }
  EXPECT_GE(files, 3u);
}

}  // namespace
}  // namespace shamon::oracle
