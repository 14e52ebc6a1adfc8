// A member's one connection over the renewals of its certificate: shamond's own driver of the
// member machine, a real TPM and the real service of the authority, on one event loop, so that a
// change can be made in the very moment in which neither connection carries the feed.
#include "host/membership.hpp"

#include <gtest/gtest.h>

#include "attestation/tpm/swtpm_fixture.hpp"
#include "authority/keys.hpp"
#include "authority/service.hpp"
#include "authority/sqlite/sqlite_store.hpp"
#include "authority/test_machine.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/temporary_folder.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;

/// An authority that renews certificates every two seconds.
class ShortLivedAuthority {
 public:
  ShortLivedAuthority(EventLoop& loop, std::string const& folder, std::string const& endorser_pem)
      : identity_(*load_or_create_identity(folder, CoalitionName("test"), {{}, {"127.0.0.1"}},
                                           read_wall_clock())),
        store_(*open_sqlite_store(folder + "/authority.sqlite")),
        core_(*AuthorityCore::create(options(endorser_pem), identity_.keys, *store_,
                                     read_wall_clock())),
        service_(loop, *core_, *store_, identity_.keys.status_key) {
    SHAMON_ASSERT(core_->set_policy({"test.policy", test_policy(1), {}}, read_wall_clock()));
    SHAMON_ASSERT(
        core_->set_reference_values(values_for(good_components()), false, read_wall_clock()));
    at_ = *service_.listen_tls({Ipv4{0x7f000001}, 0}, identity_.server, identity_.keys.ca);
    service_.start();
  }

  /// One more change for the feed: the list of reference values is one longer.
  void change() {
    std::string const name = "extra" + std::to_string(++changes_);
    SHAMON_ASSERT(
        core_->set_reference_values(values_for({{name, name}}), false, read_wall_clock()));
    service_.drain();
  }
  AuthorityCore const& core() const { return *core_; }
  Endpoint at() const { return at_; }
  Certificate const& ca() const { return identity_.keys.ca; }

 private:
  static AuthorityOptions options(std::string const& endorser_pem) {
    AuthorityOptions out;
    out.coalition = CoalitionName("test");
    out.endorser_roots = *Certificate::all_from_pem(*read_text_file(endorser_pem));
    out.appraisal.required_components = {"shamond", "shamon-gate"};
    out.pcr_mask = 0x1ff;
    out.heartbeat = 200ms;
    out.challenge_period = 500ms;
    out.challenge_timeout = 10s;
    out.unreachable_after = 20s;
    out.membership = 3s;
    out.random = [](std::size_t size) { return random_bytes(size); };
    return out;
  }

  AuthorityIdentity identity_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<AuthorityCore> core_;
  AuthorityService service_;
  Endpoint at_;
  int changes_ = 0;
};

TEST(Membership, no_change_is_lost_or_late_when_the_feed_goes_over_to_the_renewed_certificate) {
  if (auto missing = testing::SwTpm::missing(); !missing.empty()) GTEST_SKIP() << missing;
  auto tpm = testing::SwTpm::start();
  ASSERT_TRUE(tpm) << tpm.error().describe();
  TemporaryFolder folder;
  EventLoop loop;
  ShortLivedAuthority authority(loop, folder.path(), (*tpm)->root_pem_path());

  HostConfig config;
  config.name = HostName("shype1");
  config.platform = "lab";
  config.location = "north";
  config.state_folder = folder.path();
  config.control = config.tunnel = {Ipv4{0x7f000001}, 7001};
  config.event_log_path = folder.path() + "/event.log";
  config.ek_intermediates_path = (*tpm)->issuer_pem_path();
  config.authority = authority.at();
  AttestationKey ak;
  {
    auto machine = open_tpm((*tpm)->tcti());
    ASSERT_TRUE(machine) << machine.error().describe();
    for (auto const& [component, content] : good_components()) {
      auto const measured = measure_component(**machine, config.event_log_path, PcrIndex{8},
                                              component, as_bytes(content));
      ASSERT_TRUE(measured) << measured.error().describe();
    }
    ak = *load_or_create_ak(**machine, folder.path());
  }

  std::vector<std::size_t> lists;  // how long each list of reference values was that came
  std::set<std::string> certificates;
  Membership::Handlers handlers;
  handlers.apply_policy = [](auto const&, auto const&, Revision, auto done) { done({}); };
  handlers.apply_reference_values = [&](auto const& values) { lists.push_back(values.size()); };
  handlers.use_credentials = [&](MembershipCredentials const& current) {
    bool const renewed = certificates.insert(current.chain.front().serial_hex()).second;
    if (renewed && certificates.size() > 1) authority.change();
  };
  handlers.set_lease = [](Instant) {};
  handlers.directory_changed = [] {};
  handlers.cut_peer = [](HostName const&, std::string const&) {};
  handlers.cut_vm = [](VmName const&, std::string const&) {};
  handlers.cut_all = [](std::string const& reason) { ADD_FAILURE() << reason; };
  TpmWorker worker(loop, (*tpm)->tcti());
  auto log = AuditLog::open(folder.path(), config.name, read_wall_clock());
  ASSERT_TRUE(log) << log.error().describe();
  Journal journal(config.name, folder.path(), std::move(*log));
  Membership membership(loop, worker, journal, config, *PrivateKey::generate(KeyType::ecdsa_p256),
                        {authority.ca()}, std::move(handlers));
  membership.start(ak);
  ASSERT_TRUE(
      loop.run_until([&] { return membership.member().state() == MemberState::active; }, 30s))
      << membership.member().reason();

  // Changes all the time beside the one in the middle of each renewal.
  while (certificates.size() < 3) {
    std::size_t const before = certificates.size();
    bool const renewed = loop.run_until(
        [&, next = loop.now()]() mutable {
          if (loop.now() >= next) {
            authority.change();
            next = loop.now() + 50ms;
          }
          return certificates.size() > before;
        },
        5s);
    ASSERT_TRUE(renewed) << "no renewal after " << before;
  }
  EXPECT_TRUE(loop.run_until(
      [&] { return membership.member().revision() == authority.core().revision(); }, 1s))
      << "revision " << membership.member().revision().value() << " of "
      << authority.core().revision().value();

  EXPECT_TRUE(loop.run_until([&] { return authority.core().status().unacknowledged.empty(); }, 1s));
  for (std::size_t i = 1; i < lists.size(); ++i) EXPECT_EQ(lists[i], lists[i - 1] + 1);
  EXPECT_EQ(lists.back(), authority.core().reference_values().size());
  for (auto const& event : journal.events().events) {
    EXPECT_TRUE(event.kind == "registered" || event.kind == "joined" || event.kind == "active")
        << event.kind << ": " << event.text;
  }
  EXPECT_EQ(authority.core().status().members_connected, 1u);
}

}  // namespace
}  // namespace shamon
