#include <algorithm>
#include <set>

#include "policy/language/parser.hpp"
#include "policy/membership.hpp"
#include "policy/unite/judge.hpp"

namespace shamon {
namespace {

using Texts = std::set<std::string>;

/// The images one policy admits under one label, and where it says so.
struct Admitted {
  std::size_t part = 0;
  std::string label;
  Texts images;
  Origin origin;
};

std::vector<Admitted> images_by_label(Parts const& parts, std::size_t index) {
  std::vector<Admitted> out;
  std::unordered_map<std::string, std::size_t> at;
  for (auto const& condition : parts.all[index].document().vm_conditions) {
    auto const [place, added] = at.try_emplace(condition.label.text, out.size());
    if (added) out.push_back({index, condition.label.text, {}, condition.origin});
    for (auto const& image : condition.images) out[place->second].images.insert(image.text);
  }
  return out;
}

class Images {
 public:
  Images(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts)
      : parts_(parts), names_(vocabulary), conflicts_(conflicts) {}

  void run() {
    for (std::size_t i = 0; i < parts_.all.size(); ++i) {
      for (auto& admitted : images_by_label(parts_, i)) {
        auto& known = by_class_[names_.class_of(parts_.all[i].group, admitted.label)];
        if (!known.empty()) compare(known.front(), admitted);
        known.push_back(std::move(admitted));
      }
    }
    for (auto const& [id, known] : by_class_) {
      if (names_.is_mapped(id)) ask_the_silent(id, known);
    }
  }

 private:
  void compare(Admitted const& one, Admitted const& other) {
    if (one.images == other.images) return;
    bool const more_in_other = !std::includes(one.images.begin(), one.images.end(),
                                              other.images.begin(), other.images.end());
    Texts const& larger = more_in_other ? other.images : one.images;
    Texts const& smaller = more_in_other ? one.images : other.images;
    auto const image = std::find_if(larger.begin(), larger.end(), [&](std::string const& name) {
      return !smaller.contains(name);
    });
    report(parts_.all[one.part], one.label, cite(one.origin), other, *image);
  }

  /// A coalition that says nothing about a label admits no image under it. Whoever wrote the map
  /// that makes another's label its own takes over what the other admits; nobody else does.
  void ask_the_silent(ClassId id, std::vector<Admitted> const& known) {
    for (auto const& [group, label] : names_.members(id)) {
      auto const group_of_part = [&](std::size_t part) { return parts_.all[part].group; };
      bool const speaks = std::any_of(known.begin(), known.end(), [&](Admitted const& a) {
        return group_of_part(a.part) == group;
      });
      auto const links = names_.links(id);
      bool const agrees = std::any_of(links.begin(), links.end(), [&](MapLink const& link) {
        return group_of_part(link.part) == group;
      });
      if (speaks || agrees) continue;
      for (auto const& part : parts_.all) {
        auto const at = part.labels.find(label);
        if (part.group != group || at == part.labels.end()) continue;
        report(part, label, cite(at->second->origin), known.front(), *known.front().images.begin());
        break;
      }
    }
  }

  void report(Part const& part, std::string const& label, Cited statement, Admitted const& other,
              std::string const& image) {
    Conflict found;
    found.kind = ConflictKind::images;
    found.text = "the images that may run under label '" + label + "' would be others";
    found.one = std::move(statement);
    Part const& from = parts_.all[other.part];
    found.other = cite(other.origin);
    auto verdict = [&](Part const& asked, std::string const& name) {
      auto const decision = admit_image(asked.document(), LabelName(name), image);
      return std::string(decision.allowed() ? "admitted by " : "refused by ") + asked.file();
    };
    found.example.text = "image '" + image + "' under label '" + label +
                         "': " + verdict(part, label) + ", " + verdict(from, other.label);
    conflicts_.add(std::move(found));
  }

  Parts const& parts_;
  Vocabulary const& names_;
  Conflicts& conflicts_;
  std::map<ClassId, std::vector<Admitted>> by_class_;
};

Texts condition_texts(PolicyDocument const& document) {
  Texts out;
  for (auto condition : document.host_conditions) {
    auto by_text = [](Name const& a, Name const& b) { return a.text < b.text; };
    std::sort(condition.platforms.begin(), condition.platforms.end(), by_text);
    std::sort(condition.locations.begin(), condition.locations.end(), by_text);
    out.insert(render(Statement(condition)));
  }
  return out;
}

/// Machines at the edges of what a condition admits; of long lists the first names.
std::vector<HostFacts> machines_at(HostCondition const& condition) {
  std::vector<std::string> platforms{"another-platform"}, locations{"another-location"};
  std::vector<std::optional<Duration>> ages{std::nullopt, std::chrono::hours(24 * 366)};
  constexpr std::size_t kNamesTriedMax = 32;
  for (auto const& [from, to] :
       {std::pair(&condition.platforms, &platforms), std::pair(&condition.locations, &locations)}) {
    for (auto const& name : *from) {
      if (to->size() < kNamesTriedMax) to->push_back(name.text);
    }
  }
  if (condition.attested_within) ages.emplace_back(*condition.attested_within);
  std::vector<HostFacts> out;
  for (auto const& age : ages) {
    for (auto const& platform : platforms) {
      for (auto const& location : locations) out.push_back({platform, location, age});
    }
  }
  return out;
}

std::string machine_text(HostFacts const& facts) {
  std::string out = "a machine of platform '" + facts.platform + "' at '" + facts.location + "', ";
  if (!facts.attested_ago) return out + "never attested";
  return out + "attested " + to_policy_text(*facts.attested_ago) + " ago";
}

void compare_machines(Part const& one, Part const& other, Conflicts& conflicts) {
  if (condition_texts(one.document()) == condition_texts(other.document())) return;
  Conflict found;
  found.kind = ConflictKind::machines;
  found.text = "coalition '" + one.document().coalition.name.text + "' would admit other machines";
  found.one = cite(one.document().host_conditions.front().origin);
  found.other = cite(other.document().host_conditions.front().origin);
  found.example.text = "the conditions differ in words; say them alike";
  auto verdict = [](bool allowed, Part const& by) {
    return std::string(allowed ? "admitted by " : "refused by ") + by.file();
  };
  for (Part const* part : {&one, &other}) {
    for (auto const& condition : part->document().host_conditions) {
      for (auto const& facts : machines_at(condition)) {
        bool const here = admit_host(one.document(), facts).allowed();
        bool const there = admit_host(other.document(), facts).allowed();
        if (here == there) continue;
        found.example.text =
            machine_text(facts) + ": " + verdict(here, one) + ", " + verdict(there, other);
        return conflicts.add(std::move(found));
      }
    }
  }
  conflicts.add(std::move(found));
}

}  // namespace

void judge_admission(Parts const& parts, Vocabulary const& vocabulary, Conflicts& conflicts) {
  Images(parts, vocabulary, conflicts).run();
  // A policy that says nothing about machines leaves them to the others of its coalition.
  std::map<std::size_t, std::size_t> first_of_group;
  for (std::size_t i = 0; i < parts.all.size(); ++i) {
    if (parts.all[i].document().host_conditions.empty()) continue;
    auto const [at, added] = first_of_group.try_emplace(parts.all[i].group, i);
    if (!added) compare_machines(parts.all[at->second], parts.all[i], conflicts);
  }
}

}  // namespace shamon
