#include "policy/unite/dispute.hpp"

#include <algorithm>

namespace shamon {
namespace {

/// One of `subjects` with each of `all`, both ways.
struct NamedPair {
  LabelPair in_one;
  LabelPair in_other;
};

std::optional<Example> first_difference(Comparable const& one, Comparable const& other,
                                        std::vector<NamedPair> const& pairs) {
  // What needs no word of explanation first: who may start where, then what passes.
  for (Asked asked : {Asked::exchange, Asked::start}) {
    for (auto const& pair : pairs) {
      auto found = find_difference(one, pair.in_one, other, pair.in_other, asked);
      if (found) return two_answers(std::move(found->first), std::move(found->second));
    }
  }
  return std::nullopt;
}

}  // namespace

std::string Dispute::probe(std::string const& attributes) {
  std::string name;
  auto taken = [&] {
    for (ClassId id = 0; id < names_.class_count(); ++id) {
      if (names_.name(id) == name) return true;
    }
    return false;
  };
  std::size_t number = probes_.size() + 1;
  do {
    name = "another-" + std::to_string(number++);
  } while (taken() || std::find(probes_.begin(), probes_.end(), name) != probes_.end());
  probes_.push_back(name);
  said_.push_back("label " + name + " { " + attributes + " }");
  return name;
}

std::optional<Example> Dispute::among_common(std::vector<std::string> const& subjects) const {
  Part const& one = parts_.all[one_];
  Part const& other = parts_.all[other_];
  // Names of each by class, for the classes both know.
  std::unordered_map<ClassId, std::pair<std::string, std::string>> common;
  for (auto const& [name, label] : one.labels) {
    common[names_.class_of(one.group, name)].first = name;
  }
  for (auto const& [name, label] : other.labels) {
    common[names_.class_of(other.group, name)].second = name;
  }
  std::erase_if(common, [](auto const& entry) {
    return entry.second.first.empty() || entry.second.second.empty();
  });
  std::vector<NamedPair> pairs;
  for (auto const& [subject, s] : common) {
    bool const wanted =
        std::find(subjects.begin(), subjects.end(), names_.name(subject)) != subjects.end();
    if (!wanted) continue;
    for (auto const& [object, o] : common) {
      LabelName const s1(s.first), s2(s.second), o1(o.first), o2(o.second);
      pairs.push_back({{s1, o1}, {s2, o2}});
      pairs.push_back({{o1, s1}, {o2, s2}});
    }
  }
  std::sort(pairs.begin(), pairs.end(), [](NamedPair const& a, NamedPair const& b) {
    return std::pair(a.in_one.subject, a.in_one.object) <
           std::pair(b.in_one.subject, b.in_one.object);
  });
  return first_difference(comparable(one.file(), one.policy),
                          comparable(other.file(), other.policy), pairs);
}

std::optional<Example> Dispute::in_unions(std::vector<std::string> const& subjects) const {
  std::optional<Comparable> unions[2];
  for (bool second : {false, true}) {
    std::vector<std::size_t> const order =
        second ? std::vector{other_, one_} : std::vector{one_, other_};
    Composition composition = compose(parts_, names_, order, Differences::first);
    for (auto const& statement : said_) composition.text += statement + "\n";
    std::string const name = "the union by " + parts_.all[order.front()].file();
    auto build = build_composition(composition, name);
    if (!build) {
      return Example{name + " would be refused: " + build.error().front().message, {}};
    }
    unions[second] = comparable(name, std::make_shared<PolicyBuild const>(std::move(*build)));
  }
  std::vector<NamedPair> pairs;
  auto const& labels = unions[0]->policy->document->labels;
  for (auto const& subject : subjects) {
    for (auto const& label : labels) {
      LabelPair const there{LabelName(subject), LabelName(label.name.text)};
      LabelPair const back{there.object, there.subject};
      pairs.push_back({there, there});
      pairs.push_back({back, back});
    }
  }
  return first_difference(*unions[0], *unions[1], pairs);
}

std::string Dispute::given() const {
  std::string out;
  for (auto const& statement : said_) out += (out.empty() ? "with `" : "`, `") + statement;
  return out.empty() ? "" : out + "`: ";
}

Example Dispute::find(std::vector<std::string> const& subjects) const {
  if (auto found = among_common(subjects)) return std::move(*found);
  std::vector<std::string> with_probes = subjects;
  with_probes.insert(with_probes.end(), probes_.begin(), probes_.end());
  auto found = in_unions(with_probes);
  if (!found) return {"no label of these policies shows the difference", {}};
  bool const probed =
      std::any_of(found->answers.begin(), found->answers.end(), [&](Answer const& a) {
        auto is_probe = [&](LabelName const& name) {
          return std::find(probes_.begin(), probes_.end(), name.value()) != probes_.end();
        };
        return is_probe(a.question.subject) || is_probe(a.question.object);
      });
  if (probed) found->text = given() + found->text;
  return std::move(*found);
}

}  // namespace shamon
