#include "operator/cli/policy_flow_verbs.hpp"

#include <cstdio>

#include "operator/cli/exit_code.hpp"
#include "operator/cli/flow_text.hpp"
#include "operator/cli/output.hpp"
#include "operator/cli/policy_file.hpp"
#include "operator/cli/policy_source.hpp"
#include "operator/cli/selinux_flow.hpp"

namespace shamon {
namespace {

using nlohmann::json;

struct Options {
  std::vector<std::string> words;  ///< [FILE] ['A ~> B']
  std::string authority;
  std::vector<std::string> avoid;
  bool goals = false;
  bool as_json = false;
  SelinuxFlowOptions selinux;
};

void print(std::string const& text) {
  std::fputs(text.c_str(), stdout);
}
int complain(std::string const& text) {
  std::fputs(("shamon: " + text + "\n").c_str(), stderr);
  return kExitUsage;
}
void print_json(json const& data) {
  print(json_envelope("shamon.policy.flow/1",
                      data.dump(-1, ' ', false, json::error_handler_t::replace)));
}

struct Question {
  std::string from, to;
};

/// "A ~> B", blanks around the arrow as one likes.
std::optional<Question> parse_question(std::string const& text) {
  auto const arrow = text.find("~>");
  if (arrow == std::string::npos) return std::nullopt;
  auto trimmed = [](std::string part) {
    auto const first = part.find_first_not_of(" \t");
    if (first == std::string::npos) return std::string();
    return part.substr(first, part.find_last_not_of(" \t") - first + 1);
  };
  Question question{trimmed(text.substr(0, arrow)), trimmed(text.substr(arrow + 2))};
  if (question.from.empty() || question.to.empty()) return std::nullopt;
  return question;
}

int answer_goals(Options const& options, PolicyBuild const& build, LabelGraph const& graph) {
  auto const verdicts = check_goals(graph, build.compiled, *build.document);
  std::size_t violated = 0;
  json goals = json::array();
  for (auto const& verdict : verdicts) {
    violated += verdict.holds() ? 0 : 1;
    if (options.as_json) goals.push_back(to_json(graph, verdict));
    if (!options.as_json) print(describe_goal(graph, verdict));
  }
  if (options.as_json) {
    print_json({{"coalition", build.compiled.coalition().value()},
                {"revision", build.compiled.revision().value()},
                {"violated", violated},
                {"goals", std::move(goals)}});
  } else if (verdicts.empty()) {
    std::fputs("the policy states no goals\n", stderr);
  }
  return violated == 0 ? kExitYes : kExitFlowViolation;
}

int answer_question(Options const& options, LabelGraph const& graph, Question const& question) {
  std::vector<std::string> names = {question.from, question.to};
  names.insert(names.end(), options.avoid.begin(), options.avoid.end());
  std::vector<Node> nodes;
  for (auto const& name : names) {
    auto const node = graph.find(name);
    if (!node) return complain("label '" + name + "' is not defined");
    nodes.push_back(*node);
  }
  if (nodes[0] == nodes[1]) return complain("a label always reaches itself");
  FlowAnswer const answer =
      find_flow(graph, nodes[0], nodes[1], std::vector<Node>(nodes.begin() + 2, nodes.end()));
  bool const internet = nodes[0] == graph.internet() || nodes[1] == graph.internet();
  if (options.as_json) {
    print_json({{"from", question.from},
                {"to", question.to},
                {"avoid", options.avoid},
                {"reaches", answer.reaches()},
                {"about_internet", internet},
                {"path", path_json(graph, answer)},
                {"open_guards", open_guards_json(graph, answer)}});
  } else {
    std::string const head = question.from + " ~> " + question.to + ": ";
    std::size_t const steps = answer.path.size();
    print(head +
          (!answer.reaches()
               ? std::string("no path")
               : "a path of " + std::to_string(steps) + (steps == 1 ? " step" : " steps")) +
          (internet ? "; no statement opens a way to or from the internet" : "") + "\n" +
          describe_path(graph, answer) + describe_open_guards(graph, answer));
  }
  return answer.reaches() ? kExitFlowViolation : kExitYes;
}

int flow(Options const& options) {
  std::optional<Question> question;
  std::string file;
  for (auto const& word : options.words) {
    auto const parsed = parse_question(word);
    if (parsed && !question) {
      question = parsed;
    } else if (!parsed && file.empty()) {
      file = word;
    } else {
      return complain("policy flow takes one FILE and one question, 'A ~> B'");
    }
  }
  if (question.has_value() == options.goals) {
    return complain("policy flow needs a question, 'A ~> B', or --goals; not both");
  }
  if (options.goals && !options.avoid.empty()) return complain("--avoid is for a question");
  if (!options.selinux.policy.empty()) {
    if (!file.empty() || !question) return complain("--selinux takes one question, 'a_t ~> b_t'");
    SelinuxFlowOptions selinux = options.selinux;
    selinux.exclude = options.avoid;
    selinux.as_json = options.as_json;
    return selinux_flow(selinux, question->from, question->to);
  }
  int failed = kExitUsage;
  auto const build =
      file.empty() ? load_policy_in_force(options.authority, failed) : load_policy_file(file);
  if (!build) return failed;
  LabelGraph const graph(build->compiled, *build->document);
  return options.goals ? answer_goals(options, *build, graph)
                       : answer_question(options, graph, *question);
}

}  // namespace

void add_policy_flow_verbs(CLI::App& policy_noun, int& exit_code) {
  auto options = std::make_shared<Options>();
  auto* verb = policy_noun.add_subcommand(
      "flow", "the shortest path from A to B, or what becomes of the goals");
  verb->add_option("what", options->words,
                   "[FILE] 'A ~> B'; without FILE the policy in force at the authority")
      ->expected(0, 2);
  verb->add_option("--avoid", options->avoid, "labels the path must not pass, as `except through`")
      ->delimiter(',');
  verb->add_flag("--goals", options->goals, "judge every goal of the policy");
  verb->add_option("--authority", options->authority, "the authority's UNIX socket");
  verb->add_flag("--json", options->as_json, "one JSON object");
  auto* selinux = verb->add_option("--selinux", options->selinux.policy,
                                   "ask about a compiled SELinux policy instead: policy.33");
  verb->add_option("--perm-map", options->selinux.permission_map, "permission map, as setools'")
      ->needs(selinux);
  verb->add_option("-w,--min-weight", options->selinux.min_weight,
                   "least weight of a permission, as seinfoflow's; 3 if not said")
      ->check(CLI::Range(1, 10))
      ->needs(selinux);
  verb->add_option("-b,--booleans", options->selinux.booleans,
                   "'default' or NAME:true,NAME:false; left out: every conditional rule counts")
      ->needs(selinux);
  verb->callback([options, &exit_code] { exit_code = flow(*options); });
}

}  // namespace shamon
