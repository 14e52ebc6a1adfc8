// What unite() promises, asked of the oracle: if it says yes, every policy is kept; if it says no,
// its examples are true. Over random sets of small policies that are alike enough to unite often.
#include <cstdlib>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "oracle/naive_decide.hpp"
#include "policy/decision_text.hpp"
#include "policy/unite/unite.hpp"

namespace shamon::oracle {
namespace {

using SharedPolicy = std::shared_ptr<PolicyBuild const>;

bool chance(int percent) {
  return *rc::gen::inRange(0, 100) < percent;
}

/// One coalition's mind, from which its policies are written down in part, and not always truly.
struct Mind {
  std::string coalition;
  int revision = 1;
  std::map<std::string, std::string> labels;  ///< name: attributes
  std::vector<std::string> walls, allows;
};

Mind make_mind(std::string const& coalition) {
  Mind out;
  out.coalition = coalition;
  for (char const* name : {"l0", "l1", "l2", "l3"}) {
    std::string attributes;
    bool const guard = chance(12);
    if (!guard && chance(75)) {
      attributes += "share t" + std::to_string(*rc::gen::inRange(0, 4));
      if (chance(15)) attributes += "  wall none";
    }
    if (chance(15)) attributes += "  secrecy internal";
    if (chance(10)) attributes += "  secrecy open {c}  integrity medium";
    if (attributes.find("secrecy") != attributes.rfind("secrecy")) attributes = "share t0";
    out.labels[name] = attributes + (guard ? "  guard" : "");
  }
  if (chance(40)) out.walls.push_back("wall w { t0 t1 }");
  int const allows = *rc::gen::inRange(0, 4);
  for (int i = 0; i < allows; ++i) {
    std::string const port = std::to_string(*rc::gen::inRange(1, 4));
    out.allows.push_back("allow l" + std::to_string(*rc::gen::inRange(0, 4)) +
                         (chance(50) ? " -> l" : " <-> l") +
                         std::to_string(*rc::gen::inRange(0, 4)) + " udp/" + port);
  }
  return out;
}

/// A policy of that mind: some of its labels, and what it says about those.
std::string write_down(Mind const& mind, std::vector<std::string> const& coalitions) {
  std::set<std::string> known;
  std::string text = "coalition " + mind.coalition + " revision " +
                     std::to_string(chance(3) ? mind.revision + 1 : mind.revision) +
                     "\ntype t0 t1 t2 t3\ncategory c\n";
  for (auto const& [name, attributes] : mind.labels) {
    if (chance(30)) continue;
    known.insert(name);
    text += "label " + name + " { " + (chance(4) ? "share t3" : attributes) + " }\n";
  }
  auto knows = [&](std::string const& statement) {
    for (char const* name : {"l0", "l1", "l2", "l3"}) {
      if (statement.find(name) != std::string::npos && !known.contains(name)) return false;
    }
    return true;
  };
  for (auto const& wall : mind.walls) {
    if (!chance(10)) text += wall + "\n";
  }
  for (auto const& allow : mind.allows) {
    if (knows(allow) && !chance(5)) text += allow + "\n";
  }
  std::vector<std::string> const names(known.begin(), known.end());
  if (names.empty()) return text;
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
    std::string const a = chance(15) ? "internet" : *rc::gen::elementOf(names);
    std::string const b = chance(15) ? "internet" : *rc::gen::elementOf(names);
    if (a != b) text += "goal " + a + " never reaches " + b + "\n";
  }
  for (auto const& other : coalitions) {
    if (other == mind.coalition || chance(50)) continue;
    text += "map " + other + " { l" + std::to_string(*rc::gen::inRange(0, 4)) + " = " +
            *rc::gen::elementOf(names) + " }\n";
  }
  return text;
}

std::vector<std::string> make_texts() {
  std::vector<std::string> const coalitions = {"a", "b", "c"};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(*rc::gen::inRange(1, 4)); ++i) {
    Mind const mind = make_mind(coalitions[i]);
    for (int part = *rc::gen::inRange(1, 3); part > 0; --part) {
      out.push_back(write_down(mind, coalitions));
    }
  }
  return out;
}

/// Policies the language refuses are no input of unite().
std::vector<SharedPolicy> build_all(std::vector<std::string> const& texts) {
  std::vector<SharedPolicy> out;
  for (auto const& text : texts) {
    auto build = build_policy("p" + std::to_string(out.size()), text);
    if (build) out.push_back(std::make_shared<PolicyBuild const>(std::move(*build)));
  }
  return out;
}

Question const kPackets[] = {
    {"flow", "", "", 0, 0, 0, {}, 0},       {"flow", "", "", 17, 0, 0, {}, 0},
    {"flow", "", "", 17, 1, 0, {}, 0},      {"flow", "", "", 17, 2, 0, {}, 0},
    {"flow", "", "", 17, 3, 0, {}, 0},      {"flow", "", "", 17, 4, 1, {}, 0},
    {"flow", "", "", 17, 4, 2, {}, 0},      {"flow", "", "", 17, 4, 3, {}, 0},
    {"flow", "", "", 6, 80, 0, {}, 0},      {"share_memory", "", "", 0, 0, 0, {}, 0},
    {"bind_event", "", "", 0, 0, 0, {}, 0}, {"assign_device", "", "", 0, 0, 0, {}, 0}};

bool allowed(PolicyDocument const& policy, Question question) {
  question.revision = policy.coalition.revision.value();
  return decide(policy, question).allowed;
}

void expect_kept(PolicyDocument const& own, PolicyDocument const& united,
                 std::vector<LabelName> const& names) {
  std::size_t const count = own.labels.size();
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = 0; b < count; ++b) {
      for (auto question : kPackets) {
        question.subject = own.labels[a].name.text;
        question.object = own.labels[b].name.text;
        bool const in_own = allowed(own, question);
        question.subject = names[a].value();
        question.object = names[b].value();
        RC_ASSERT(in_own == allowed(united, question));
      }
    }
    for (unsigned set = 0; set < 1u << count; ++set) {
      Question in_own{"start", own.labels[a].name.text, "", 0, 0, 0, {}, 0};
      Question in_united{"start", names[a].value(), "", 0, 0, 0, {}, 0};
      for (std::size_t b = 0; b < count; ++b) {
        if ((set >> b & 1) == 0) continue;
        in_own.running.push_back(own.labels[b].name.text);
        in_united.running.push_back(names[b].value());
      }
      RC_ASSERT(allowed(own, in_own) == allowed(united, in_united));
    }
  }
}

/// All that information from `from` can get to, one decision at a time.
std::set<std::string> reached(PolicyDocument const& policy, std::string const& from) {
  std::set<std::string> out{from};
  for (bool grown = true; grown;) {
    grown = false;
    for (auto const& name : std::set<std::string>(out)) {
      for (auto const& label : policy.labels) {
        if (out.contains(label.name.text)) continue;
        for (auto question : kPackets) {
          question.subject = name;
          question.object = label.name.text;
          if (!allowed(policy, question)) continue;
          grown = out.insert(label.name.text).second || grown;
        }
      }
    }
  }
  return out;
}

void expect_goals_hold(PolicyDocument const& own, PolicyDocument const& united,
                       std::vector<LabelName> const& names, std::set<std::string> const& ours) {
  std::map<std::string, std::string> united_name;
  for (std::size_t i = 0; i < own.labels.size(); ++i) {
    united_name[own.labels[i].name.text] = names[i].value();
  }
  for (auto const& goal : own.goals) {
    std::set<std::string> from, to;
    auto fill = [&](std::set<std::string>& set, std::string const& name) {
      if (name != kInternet) set = {united_name.at(name)};
      if (name != kInternet) return;
      for (auto const& label : united.labels) {
        if (!ours.contains(label.name.text)) set.insert(label.name.text);
      }
    };
    if (goal.from.text == kInternet && goal.to.text == kInternet) continue;
    fill(from, goal.from.text);
    fill(to, goal.to.text);
    for (auto const& source : from) {
      auto const all = reached(united, source);
      for (auto const& target : to) RC_ASSERT(!all.contains(target));
    }
  }
}

void expect_true(Conflict const& conflict) {
  auto const& answers = conflict.example.answers;
  std::set<bool> verdicts;
  for (auto const& answer : answers) {
    shamon::Question const& q = answer.question;
    Question asked{to_string(q.operation),
                   q.subject.value(),
                   q.object.value(),
                   q.service.protocol,
                   q.service.port,
                   q.service.source_port,
                   {},
                   q.revision.value()};
    for (auto const& name : q.running) asked.running.push_back(name.value());
    bool const found = decide(*answer.policy->document, asked).allowed;
    RC_ASSERT(found == answer.decision.allowed());
    verdicts.insert(found);
  }
  if (answers.empty()) return;  // about a policy that would be refused
  if (conflict.kind == ConflictKind::goal) RC_ASSERT(verdicts == std::set<bool>{true});
  if (conflict.kind != ConflictKind::goal) RC_ASSERT(verdicts.size() == 2u);
}

TEST(UnionProperty, AUnionKeepsEveryPolicyAndEveryConflictIsTrue) {
  // As many as RC_PARAMS says, ten thousand otherwise: fewer would not have enough of each case.
  ::setenv("RC_PARAMS", "max_success=10000", 0);
  std::size_t united_count = 0, mapped_count = 0, answers_count = 0;
  bool const held = rc::check("unite", [&] {
    auto const texts = make_texts();
    auto const policies = build_all(texts);
    if (policies.empty()) return;
    UnionResult const result = unite(policies);
    RC_ASSERT(!result.error);
    RC_ASSERT(result.united.has_value() == result.conflicts.empty());
    // Which policy is at home changes names, and nothing else.
    std::vector<SharedPolicy> const reversed(policies.rbegin(), policies.rend());
    RC_ASSERT(unite(reversed).united.has_value() == result.united.has_value());
    for (auto const& conflict : result.conflicts) {
      expect_true(conflict);
      answers_count += conflict.example.answers.empty() ? 0 : 1;
    }
    if (!result.united) return;
    ++united_count;
    PolicyDocument const& united = *result.united->build->document;
    std::map<std::string, std::set<std::string>> of_coalition;
    for (std::size_t i = 0; i < policies.size(); ++i) {
      for (auto const& name : result.united->label_names[i]) {
        of_coalition[policies[i]->document->coalition.name.text].insert(name.value());
      }
    }
    std::size_t labels = 0;
    for (auto const& [coalition, names] : of_coalition) labels += names.size();
    mapped_count += labels > united.labels.size() ? 1 : 0;
    for (std::size_t i = 0; i < policies.size(); ++i) {
      PolicyDocument const& own = *policies[i]->document;
      expect_kept(own, united, result.united->label_names[i]);
      expect_goals_hold(own, united, result.united->label_names[i],
                        of_coalition[own.coalition.name.text]);
    }
  });
  EXPECT_TRUE(held);
  // The property must not hold for want of cases.
  EXPECT_GT(united_count, 50u);
  EXPECT_GT(mapped_count, 10u);
  EXPECT_GT(answers_count, 50u);
  RecordProperty("united", static_cast<int>(united_count));
  RecordProperty("mapped", static_cast<int>(mapped_count));
}

}  // namespace
}  // namespace shamon::oracle
