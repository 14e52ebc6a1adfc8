// Certificates and contexts for the tests of net/.
#pragma once

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "crypto/tls.hpp"

namespace shamon {

/// An authority made for one test run and the identities it gives out.
class TestAuthority {
 public:
  TestAuthority() : key_(*PrivateKey::generate(KeyType::ecdsa_p256)) {
    cert_ = *issue_self_signed(plan("test root", true), key_);
  }
  std::shared_ptr<TlsContext const> context(TlsRole role, std::string const& name,
                                            TestAuthority const* trusted = nullptr) const {
    TlsOptions options;
    options.role = role;
    options.trusted_roots = {*(trusted != nullptr ? trusted : this)->cert_};
    if (!name.empty()) {
      PrivateKey member = *PrivateKey::generate(KeyType::ecdsa_p256);
      CertificateTemplate what = plan(name, false);
      what.dns_names = {name};
      options.identity.chain = {*issue_certificate(what, member.public_key(), *cert_, key_)};
      options.identity.key = std::move(member);
    }
    auto made = TlsContext::create(std::move(options));
    EXPECT_TRUE(made) << made.error().describe();
    return made ? *made : nullptr;
  }

 private:
  static CertificateTemplate plan(std::string name, bool is_ca) {
    CertificateTemplate what;
    what.common_name = std::move(name);
    what.is_ca = is_ca;
    what.not_before = read_wall_clock() + -std::chrono::hours(1);
    what.not_after = read_wall_clock() + std::chrono::hours(1);
    return what;
  }

  PrivateKey key_;
  std::optional<Certificate> cert_;
};

inline TestAuthority const& test_authority() {
  static TestAuthority const authority;
  return authority;
}

}  // namespace shamon
