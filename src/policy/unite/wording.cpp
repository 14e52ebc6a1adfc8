#include "policy/service.hpp"
#include "policy/unite/judge.hpp"
#include "policy/unite/limits.hpp"

namespace shamon {

char const* to_string(ConflictKind kind) noexcept {
  switch (kind) {
    case ConflictKind::revision: return "revision";
    case ConflictKind::label: return "label";
    case ConflictKind::level: return "level";
    case ConflictKind::type: return "type";
    case ConflictKind::wall: return "wall";
    case ConflictKind::allow: return "allow";
    case ConflictKind::guard: return "guard";
    case ConflictKind::machines: return "machines";
    case ConflictKind::images: return "images";
    case ConflictKind::map: return "map";
    case ConflictKind::merge: return "merge";
    case ConflictKind::goal: return "goal";
  }
  return "unknown conflict";
}

std::string Cited::describe() const {
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + text;
}

std::string Question::describe() const {
  std::string const who = "a VM labelled '" + subject.value() + "'";
  std::string const whom = " one labelled '" + object.value() + "'";
  switch (operation) {
    case Operation::flow: {
      bool const every = service.protocol == 0;
      return who + " sends " + (every ? "anything" : to_string(service)) + " to" + whom;
    }
    case Operation::share_memory: return who + " shares memory with" + whom;
    case Operation::bind_event: return who + " has an event channel to" + whom;
    case Operation::start: {
      std::string out = who + " starts";
      for (auto const& name : running) {
        out += (&name == &running.front() ? " beside one labelled '" : ", '") + name.value() + "'";
      }
      return out;
    }
    case Operation::associate:
      return "a machine opens an association for label '" + subject.value() + "'" +
             (revision == Revision{} ? "" : " by revision " + std::to_string(revision.value()));
    case Operation::assign_device:
      return who + " is given a device labelled '" + object.value() + "'";
  }
  return "an unknown question";
}

std::string Conflict::describe() const {
  std::string out = std::string("conflict (") + to_string(kind) + "): " + text;
  for (Cited const* cited : {&one, &other}) {
    if (cited->line != 0) out += "\n  " + cited->describe();
  }
  return out + "\n  for example: " + example.text;
}

void Conflicts::add(Conflict conflict) {
  if (!full()) found_.push_back(std::move(conflict));
}
bool Conflicts::full() const noexcept {
  return found_.size() >= kConflictsMax;
}

}  // namespace shamon
