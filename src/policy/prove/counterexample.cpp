#include "policy/prove/counterexample.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "policy/decision_text.hpp"
#include "policy/prove/limits.hpp"
#include "policy/service.hpp"

namespace shamon {

std::string_view const kValuesWanted =
    "(get-value (to protocol port source-port statements.flow compiled.flow statements.memory "
    "compiled.memory statements.device compiled.device statements.start compiled.start "
    "compiled.unlicensed))\n";

namespace {

/// Reads ((NAME VALUE) (NAME VALUE) …).
class AnswerReader {
 public:
  explicit AnswerReader(std::string_view text) : text_(text) {}

  Result<std::map<std::string, std::string, std::less<>>> read() {
    std::map<std::string, std::string, std::less<>> out;
    if (text_.size() > kAnswerBytesMax) return fail(Errc::too_large, "an answer too long");
    if (!take('(')) return expected("(");
    while (take('(')) {
      std::string const name(word());
      std::string const value(word());
      if (name.empty() || value.empty() || !take(')')) return expected("(NAME VALUE)");
      if (!out.try_emplace(name, value).second) return expected("each name once");
    }
    if (!take(')')) return expected(")");
    skip_blanks();
    if (at_ != text_.size()) return expected("nothing more");
    return out;
  }

 private:
  tl::unexpected<Error> expected(std::string const& what) const {
    return fail_at(Errc::malformed, at_, "a solver's values: expected " + what);
  }
  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view word() {
    skip_blanks();
    std::size_t const first = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '(' && text_[at_] != ')') {
      ++at_;
    }
    return text_.substr(first, at_ - first);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

class Values {
 public:
  explicit Values(std::map<std::string, std::string, std::less<>> values)
      : values_(std::move(values)) {}

  bool flag(std::string_view name) {
    std::string const value = text(name);
    if (value != "true" && value != "false") wrong_ = name;
    return value == "true";
  }
  /// #x01bb or #b0000000110111011, with exactly that many bits.
  std::uint16_t number(std::string_view name, std::size_t width_bits) {
    std::string const value = text(name);
    bool const hex = value.starts_with("#x");
    std::size_t const digits = hex ? width_bits / 4 : width_bits;
    bool good = (hex || value.starts_with("#b")) && value.size() == digits + 2;
    std::uint32_t out = 0;
    for (std::size_t i = 2; good && i < value.size(); ++i) {
      std::size_t const digit = std::string_view("0123456789abcdef").find(value[i]);
      good = digit < (hex ? 16u : 2u);
      out = out * (hex ? 16 : 2) + static_cast<std::uint32_t>(digit);
    }
    if (!good) wrong_ = name;
    return static_cast<std::uint16_t>(out);
  }
  RowValues::Side side(std::string const& name) {
    return {flag(name + ".flow"), flag(name + ".memory"), flag(name + ".device"),
            flag(name + ".start")};
  }
  std::string const& wrong() const { return wrong_; }

 private:
  std::string text(std::string_view name) const {
    auto const at = values_.find(name);
    return at == values_.end() ? "" : at->second;
  }
  std::map<std::string, std::string, std::less<>> values_;
  std::string wrong_;
};

bool names(std::vector<Name> const& list, std::string const& name) {
  return std::any_of(list.begin(), list.end(), [&](auto const& n) { return n.text == name; });
}

/// For showing only: that an `allow` is about this packet was decided by the solver.
bool covers(AllowStatement const& allow, Service service) {
  auto holds = [&](ServicePattern const& pattern, std::uint16_t port) {
    return port >= pattern.port_low && port <= pattern.port_high;
  };
  return allow.services.empty() ||
         std::any_of(allow.services.begin(), allow.services.end(), [&](auto const& pattern) {
           if (pattern.protocol == 0) return true;
           if (pattern.protocol != service.protocol) return false;
           return holds(pattern, service.port) ||
                  (allow.two_way && holds(pattern, service.source_port));
         });
}

bool about(AllowStatement const& allow, std::string const& from, std::string const& to) {
  return (allow.from.text == from && allow.to.text == to) ||
         (allow.two_way && allow.from.text == to && allow.to.text == from);
}

std::vector<Origin> statements_about(Counterexample const& found, PolicyDocument const& document) {
  std::vector<Origin> out;
  if (found.operation == Operation::flow) {
    for (auto const& allow : document.allows) {
      bool const relevant = !found.statements_allow || covers(allow, found.service);
      if (relevant && about(allow, found.from, found.to)) out.push_back(allow.origin);
    }
    if (found.statements_allow && !out.empty()) return out;
  }
  for (auto const& label : document.labels) {
    if (label.name.text == found.from || label.name.text == found.to) out.push_back(label.origin);
  }
  if (found.operation != Operation::start) return out;
  for (auto const& wall : document.walls) {
    auto touches = [&](std::string const& name) {
      return std::any_of(document.labels.begin(), document.labels.end(), [&](auto const& label) {
        if (label.name.text != name) return false;
        auto const& types = label.wall ? *label.wall : label.share;
        return std::any_of(types.begin(), types.end(),
                           [&](auto const& type) { return names(wall.types, type.text); });
      });
    };
    if (touches(found.from) && touches(found.to)) out.push_back(wall.origin);
  }
  return out;
}

Decision ask(Counterexample const& found, LabelId from, LabelId to, CompiledPolicy const& policy) {
  LabelSet running;
  if (to.value() < running.size()) running.set(to.value());
  return decide({found.operation, from, to, found.service, policy.revision(), &running}, policy);
}

}  // namespace

Result<RowValues> parse_row_values(std::string_view answer) {
  auto read = AnswerReader(answer).read();
  if (!read) return pass(read);
  Values values(std::move(*read));
  RowValues out;
  out.to = values.number("to", 16);
  out.service.protocol = static_cast<std::uint8_t>(values.number("protocol", 8));
  out.service.port = values.number("port", 16);
  out.service.source_port = values.number("source-port", 16);
  out.statements = values.side("statements");
  out.compiled = values.side("compiled");
  out.unlicensed = values.flag("compiled.unlicensed");
  if (values.wrong().empty()) return out;
  return fail_at(Errc::malformed, 0, "a solver's values: no value of " + values.wrong());
}

Counterexample explain_difference(RowValues const& values, LabelStatement const& from,
                                  PolicyDocument const& document, CompiledPolicy const& policy) {
  auto const& said = values.statements;
  auto const& compiled = values.compiled;
  Counterexample out;
  auto take = [&](Operation operation, bool statements_allow, bool tables_allow) {
    out.operation = operation;
    out.statements_allow = statements_allow;
    out.tables_allow = tables_allow;
  };
  if (said.flow != compiled.flow) {
    take(Operation::flow, said.flow, compiled.flow);
  } else if (said.memory != compiled.memory) {
    take(Operation::share_memory, said.memory, compiled.memory);
  } else if (said.device != compiled.device) {
    take(Operation::assign_device, said.device, compiled.device);
  } else if (said.start != compiled.start) {
    take(Operation::start, said.start, compiled.start);
  } else {
    take(Operation::flow, said.flow, compiled.flow);
    out.unlicensed = values.unlicensed;
  }
  out.from = from.name.text;
  out.to = "label " + std::to_string(values.to);
  LabelId const to_id(values.to);
  if (values.to < policy.label_count()) out.to = policy.label_name(to_id).value();
  if (out.operation == Operation::flow) out.service = values.service;
  auto const from_id = policy.find_label(LabelName(from.name.text));
  out.decision = ask(out, from_id.value_or(LabelId(kLabelsMax)), to_id, policy);
  bool const differ = out.statements_allow != out.tables_allow || out.unlicensed;
  out.confirmed = differ && out.decision.allowed() == out.tables_allow;
  out.statements = statements_about(out, document);
  return out;
}

std::string Counterexample::describe() const {
  std::string what = to_string(operation);
  what += operation == Operation::start ? " " + from + " beside " + to : " " + from + " -> " + to;
  if (operation == Operation::flow) what += " " + to_string(service);
  auto verdict = [](bool allowed) { return std::string(allowed ? "allow" : "deny"); };
  std::string out = what + ": the statements " + verdict(statements_allow) + " it, the tables " +
                    verdict(tables_allow) + " it";
  if (unlicensed) out += ", but by a rule that lets more pass than the statement it names";
  for (auto const& origin : statements) {
    out += "\n  " + origin.file + ":" + std::to_string(origin.line) + ": " + origin.text;
  }
  out += std::string("\n  decide() on these tables: ") + verdict(decision.allowed()) + ", " +
         to_string(decision.reason);
  if (!confirmed)
    out += "\n  decide() does not bear this out: the translation of the tables is wrong";
  return out;
}

}  // namespace shamon
