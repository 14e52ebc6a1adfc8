#include "policy/export/decisions.hpp"

#include <algorithm>

#include "policy/decide.hpp"
#include "policy/document.hpp"
#include "policy/export/selinux_names.hpp"

namespace shamon {
namespace {

class Asker {
 public:
  explicit Asker(PolicyBuild const& build) : policy_(build.compiled), document_(*build.document) {}

  std::vector<LabelAnswers> run() {
    for (std::uint16_t i = 0; i < policy_.label_count(); ++i) add_label(LabelId(i));
    // Which services to ask about, the statements tell; what is allowed, decide() does.
    for (auto const& allow : document_.allows) {
      auto const from = policy_.find_label(LabelName(allow.from.text));
      auto const to = policy_.find_label(LabelName(allow.to.text));
      if (!from || !to) continue;
      for (auto const& service : allow.services) {
        ask_service(*from, *to, service);
        if (allow.two_way) ask_service(*to, *from, service);
      }
    }
    return std::move(labels_);
  }

 private:
  bool ask(Operation operation, LabelId subject, LabelId object, Service service = {},
           LabelSet const* running = nullptr) const {
    return decide({operation, subject, object, service, policy_.revision(), running}, policy_)
        .allowed();
  }

  void add_label(LabelId subject) {
    LabelAnswers label;
    label.name = policy_.label_name(subject);
    label.type = selinux_type(label.name);
    label.guard = std::any_of(
        document_.labels.begin(), document_.labels.end(),
        [&](LabelStatement const& s) { return s.guard && s.name.text == label.name.value(); });
    label.associate = ask(Operation::associate, subject, subject);
    for (std::uint16_t i = 0; i < policy_.label_count(); ++i) {
      LabelId const object(i);
      PairAnswers pair;
      pair.every_service = ask(Operation::flow, subject, object);
      pair.memory = ask(Operation::share_memory, subject, object);
      pair.events = ask(Operation::bind_event, subject, object);
      pair.device = ask(Operation::assign_device, subject, object);
      LabelSet running;
      running.set(i);
      pair.start_beside = ask(Operation::start, subject, subject, {}, &running);
      label.to.push_back(std::move(pair));
    }
    labels_.push_back(std::move(label));
  }

  void ask_service(LabelId from, LabelId to, ServicePattern const& service) {
    PairAnswers& pair = labels_[from.value()].to[to.value()];
    bool const allowed = ask(Operation::flow, from, to, {service.protocol, service.port_low, 0}) &&
                         ask(Operation::flow, from, to, {service.protocol, service.port_high, 0});
    if (pair.every_service || !allowed) return;
    std::string text = to_string(service);
    bool const there =
        std::find(pair.services.begin(), pair.services.end(), text) != pair.services.end();
    if (!there) pair.services.push_back(std::move(text));
  }

  CompiledPolicy const& policy_;
  PolicyDocument const& document_;
  std::vector<LabelAnswers> labels_;
};

}  // namespace

std::vector<LabelAnswers> ask_all(PolicyBuild const& build) {
  return Asker(build).run();
}

}  // namespace shamon
