// For tests and the bench: the real member machine with a software TPM behind it, talking to a real
// authority over TLS.
#pragma once

#include "authority/test_machine.hpp"
#include "base/clock.hpp"
#include "coalition/member.hpp"
#include "net/http.hpp"

namespace shamon {

class TestMember {
 public:
  TestMember(EventLoop& loop, Endpoint authority, Certificate ca, TestMachine& machine)
      : loop_(loop),
        authority_(authority),
        ca_(std::move(ca)),
        machine_(machine),
        member_({machine.host(), machine.tls_public(), Revision{}, 1}) {
    clients_.push_back(std::make_unique<HttpClient>(loop_, TlsTarget{authority_, context({})}));
  }
  TestMember(TestMember const&) = delete;
  ~TestMember() {
    alive_.reset();
    if (timer_) loop_.cancel(*timer_);
  }

  /// Told of each revision the member verified and applied, right then.
  std::function<void(Revision, Instant)> on_revision;

  void start() { tell(member::Start{}); }
  Member const& member() const noexcept { return member_; }
  bool following() const { return member_.state() == MemberState::active; }
  std::vector<std::string> const& cut() const noexcept { return cut_; }

  void tell(member::Event const& event) {
    Revision const before = member_.revision();
    auto actions = member_.on(event, loop_.now(), read_wall_clock());
    if (on_revision && member_.revision() > before) on_revision(member_.revision(), loop_.now());
    for (auto& action : actions) {
      std::visit([this](auto& a) { act(a); }, action);
    }
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    auto const deadline = member_.next_deadline();
    if (!deadline) return;
    timer_ = loop_.at(*deadline, [this] {
      timer_.reset();
      tell(member::Timer{});
    });
  }

 private:
  std::shared_ptr<TlsContext const> context(std::vector<Certificate> chain) const {
    TlsOptions options;
    options.trusted_roots = {ca_};
    if (!chain.empty()) options.identity = {std::move(chain), machine_.tls_key()};
    auto made = TlsContext::create(std::move(options));
    SHAMON_ASSERT(made.has_value());
    return *made;
  }

  /// Sends a request and tells the member what became of it.
  template <class Event, class Reply, class Request>
  void post(char const* path, Request const& request, member::Ticket ticket) {
    clients_.back()->call({"POST", path, encode_json(request)},
                          [this, ticket, alive = std::weak_ptr<int>(alive_)](auto answer) {
                            if (alive.expired()) return;
                            tell(Event{ticket, to_answer<Reply>(answer)});
                          });
  }
  template <class Reply>
  static member::Answer<Reply> to_answer(Result<HttpResponse> const& response) {
    if (!response) return tl::unexpected<Refusal>(member::to_refusal(response.error()));
    if (response->status != 200) {
      auto refusal = decode_json<Refusal>(response->body);
      return tl::unexpected<Refusal>(refusal ? *refusal : Refusal{"internal", "no refusal", {}});
    }
    auto reply = decode_json<Reply>(response->body);
    if (!reply) return tl::unexpected<Refusal>(member::to_refusal(reply.error()));
    return std::move(*reply);
  }

  void act(member::SendRegister const& a) {
    post<member::RegisterAnswer, RegisterChallenge>("/v1/register", machine_.registration(),
                                                    a.ticket);
  }
  void act(member::ActivateCredential const& a) {
    later([this, a] {
      auto request = machine_.activation({"", a.id_object, a.encrypted_secret});
      tell(member::SecretReady{a.ticket, std::move(request.secret)});
    });
  }
  void act(member::SendActivate const& a) {
    post<member::ActivateAnswer, Registered>("/v1/activate", a.request, a.ticket);
  }
  void act(member::RequestChallenge const& a) {
    post<member::ChallengeAnswer, ChallengeMessage>("/v1/challenge",
                                                    ChallengeRequest{machine_.host()}, a.ticket);
  }
  void act(member::MakeQuote const& a) {
    later([this, a] {
      tell(member::QuoteReady{a.ticket, machine_.evidence(a.challenge, a.qualifying_data)});
    });
  }
  void act(member::SendJoin const& a) {
    post<member::JoinAnswer, JoinAccepted>("/v1/join", a.request, a.ticket);
  }
  void act(member::SendEvidence const& a) {
    post<member::EvidenceAnswer, EvidenceAccepted>("/v1/evidence", a.request, a.ticket);
  }
  void act(member::SendAcknowledgement const& a) {
    Acknowledgement const request{machine_.host(), a.revision};
    clients_.back()->call({"POST", "/v1/acknowledge", encode_json(request)},
                          [this, a, alive = std::weak_ptr<int>(alive_)](auto answer) {
                            if (alive.expired()) return;
                            bool const ok = answer && answer->status == 200;
                            tell(member::AcknowledgeAnswer{a.ticket, ok});
                          });
  }
  void act(member::OpenFeed const& a) {
    HttpCall call;
    call.target = "/v1/feed?from=" + std::to_string(a.from.value());
    stream_ = clients_.back()->follow(
        call,
        [this, a](ServerSentEvent const& event) {
          later([this, a, event] { tell(member::FeedEvent{a.ticket, event.name, event.data}); });
        },
        [this, a](Error const& error) {
          later([this, a, error] { tell(member::FeedEnded{a.ticket, member::to_refusal(error)}); });
        });
  }
  void act(member::CloseFeed const&) { stream_.reset(); }
  void act(member::ApplyPolicy const& a) {
    later([this, a] { tell(member::PolicyApplied{a.revision, {}}); });
  }
  void act(member::UseMembership const& a) {
    if (a.chain.empty()) return;
    std::vector<Certificate> chain;
    for (auto const& pem : a.chain) chain.push_back(*Certificate::from_pem(pem));
    // Older clients stay until the end: answers to their calls may be on the way. Without any they
    // hang up, as a member's machine does.
    for (auto const& client : clients_) client->rest();
    clients_.push_back(
        std::make_unique<HttpClient>(loop_, TlsTarget{authority_, context(std::move(chain))}));
  }
  void act(member::CutPeer const& a) { cut_.push_back(a.host.value()); }
  void act(member::ApplyReferenceValues const&) {}
  void act(member::SetLease const&) {}
  void act(member::Remember const&) {}
  void act(member::MemberChanged const&) {}
  void act(member::VmChanged const&) {}
  void act(member::CutVm const&) {}
  void act(member::CutAll const&) {}
  void act(member::Record const&) {}

  /// Not inside the call that asked for it: the machine is not re-entered.
  void later(std::function<void()> task) {
    loop_.post([task = std::move(task), alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) task();
    });
  }

  EventLoop& loop_;
  Endpoint authority_;
  Certificate ca_;
  TestMachine& machine_;
  Member member_;
  std::vector<std::unique_ptr<HttpClient>> clients_;
  std::shared_ptr<void> stream_;
  std::optional<EventLoop::TimerId> timer_;
  std::vector<std::string> cut_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace shamon
