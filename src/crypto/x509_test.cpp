#include "crypto/x509.hpp"

#include <gtest/gtest.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base/file.hpp"
#include "crypto/limits.hpp"
#include "crypto/x509_internal.hpp"

namespace shamon {
namespace {

constexpr WallTime kNow{1'800'000'000'000};
constexpr Duration kDay = std::chrono::hours(24);

CertificateTemplate plan(std::string name, bool is_ca = false) {
  CertificateTemplate what;
  what.common_name = std::move(name);
  what.is_ca = is_ca;
  what.not_before = kNow;
  what.not_after = kNow + 30 * kDay;
  return what;
}

struct Authority {
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  Certificate cert;
  explicit Authority(std::string name)
      : cert(*issue_self_signed(plan(std::move(name), true), key)) {}
};

TEST(Certificate, says_what_it_was_issued_with) {
  Authority const root("root");
  PrivateKey const key = *PrivateKey::generate(KeyType::ecdsa_p384);
  CertificateTemplate what = plan("shype1, O=evil");
  what.dns_names = {"shype1.example"};
  what.uris = {"shamon://coalition/boinc/host/shype1"};
  what.ip_addresses = {"10.0.0.1"};
  what.extensions = {{"1.3.6.1.4.1.99999.1", {0x04, 0x01, 0x2a}}};
  auto cert = issue_certificate(what, key.public_key(), root.cert, root.key);
  ASSERT_TRUE(cert) << cert.error().describe();
  EXPECT_EQ(cert->common_name(), "shype1, O=evil");
  EXPECT_EQ(cert->subject(), "CN=shype1\\, O=evil");
  EXPECT_EQ(cert->issuer(), "CN=root");
  EXPECT_EQ(cert->not_before(), kNow);
  EXPECT_EQ(cert->not_after(), kNow + 30 * kDay);
  EXPECT_FALSE(cert->is_ca());
  EXPECT_TRUE(root.cert.is_ca());
  EXPECT_EQ(cert->alternative_names(),
            (std::vector<std::string>{"shype1.example", "shamon://coalition/boinc/host/shype1"}));
  EXPECT_EQ(cert->extension("1.3.6.1.4.1.99999.1"), (Bytes{0x04, 0x01, 0x2a}));
  EXPECT_EQ(cert->extension("1.3.6.1.4.1.99999.2"), std::nullopt);
  EXPECT_EQ(cert->extension("not an oid"), std::nullopt);
  EXPECT_TRUE(cert->public_key() == key.public_key());
  EXPECT_EQ(cert->serial_hex().size(), 32u);
  EXPECT_EQ(Certificate::from_pem(cert->pem())->der(), cert->der());
  EXPECT_EQ(cert->sha256_fingerprint(), sha256(cert->der()));
}

TEST(Certificate, issuing_refuses_names_that_do_not_fit) {
  PrivateKey const key = *PrivateKey::generate(KeyType::ecdsa_p256);
  Authority const other("other");
  CertificateTemplate what = plan(std::string(kCommonNameBytesMax, 'a'));
  EXPECT_TRUE(issue_self_signed(what, key));
  what.common_name += 'a';
  EXPECT_EQ(issue_self_signed(what, key).error().code, Errc::invalid);
  what.common_name = "";
  EXPECT_EQ(issue_self_signed(what, key).error().code, Errc::invalid);
  what = plan("x");
  what.not_after = what.not_before;
  EXPECT_EQ(issue_self_signed(what, key).error().code, Errc::invalid);
  what = plan("x");
  what.dns_names = {"with space"};
  EXPECT_EQ(issue_self_signed(what, key).error().code, Errc::invalid);
  what = plan("x");
  what.ip_addresses = {"300.0.0.1"};
  EXPECT_FALSE(issue_self_signed(what, key));
  what = plan("x");
  what.extensions = {{"bad oid", {}}};
  EXPECT_EQ(issue_self_signed(what, key).error().code, Errc::invalid);
  EXPECT_EQ(issue_certificate(plan("x"), key.public_key(), other.cert, key).error().code,
            Errc::invalid);
}

TEST(Certificate, parsing_refuses_cut_and_lengthened_der_with_a_reason) {
  Bytes const der = Authority("root").cert.der();
  for (std::size_t size = 0; size < der.size(); size += 7) {
    EXPECT_EQ(Certificate::from_der(ByteView(der).first(size)).error().code, Errc::malformed);
  }
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_EQ(Certificate::from_der(longer).error().offset, der.size());
  EXPECT_EQ(Certificate::from_der(Bytes(kCertificateBytesMax + 1)).error().code, Errc::too_large);
}

TEST(Certificate, a_bundle_is_read_whole_or_refused) {
  std::string const a = Authority("a").cert.pem(), b = Authority("b").cert.pem();
  auto both = Certificate::all_from_pem("text before\n" + a + "between\n" + b + "after\n");
  ASSERT_TRUE(both) << both.error().describe();
  ASSERT_EQ(both->size(), 2u);
  EXPECT_EQ((*both)[1].common_name(), "b");
  EXPECT_FALSE(Certificate::all_from_pem(""));
  std::string broken = b;
  broken.replace(broken.size() / 2, 4, "AAAA");
  EXPECT_FALSE(Certificate::all_from_pem(a + b.substr(0, b.size() / 2)));
}

TEST(VerifyChain, accepts_a_chain_and_says_why_it_refuses_others) {
  Authority const root("root"), stranger("root");
  PrivateKey const middle_key = *PrivateKey::generate(KeyType::ecdsa_p256);
  PrivateKey const leaf_key = *PrivateKey::generate(KeyType::ecdsa_p256);
  Certificate const middle =
      *issue_certificate(plan("middle", true), middle_key.public_key(), root.cert, root.key);
  Certificate const leaf =
      *issue_certificate(plan("leaf"), leaf_key.public_key(), middle, middle_key);
  Certificate const no_ca =
      *issue_certificate(plan("no ca"), middle_key.public_key(), root.cert, root.key);
  Certificate const below_no_ca =
      *issue_certificate(plan("leaf"), leaf_key.public_key(), no_ca, middle_key);

  struct Row {
    char const* name;
    Certificate leaf;
    std::vector<Certificate> intermediates, roots;
    WallTime now;
    std::string_view reason;  ///< empty: accepted
  };
  WallTime const end = kNow + 30 * kDay;
  Row const rows[] = {
      {"whole", leaf, {middle}, {root.cert}, kNow, ""},
      {"root offered too", leaf, {middle, root.cert}, {root.cert}, kNow, ""},
      {"pinned intermediate", leaf, {}, {middle}, kNow, ""},
      {"several roots", leaf, {middle}, {stranger.cert, root.cert}, kNow, ""},
      {"last second", leaf, {middle}, {root.cert}, end + std::chrono::seconds(-1), ""},
      {"first second", leaf, {middle}, {root.cert}, kNow, ""},
      {"a second late", leaf, {middle}, {root.cert}, end, "expired"},
      {"a second early",
       leaf,
       {middle},
       {root.cert},
       kNow + std::chrono::seconds(-1),
       "not yet valid"},
      {"no intermediate", leaf, {}, {root.cert}, kNow, "unable to get local issuer"},
      {"same name, other key", leaf, {middle}, {stranger.cert}, kNow, "certificate"},
      {"no roots", leaf, {middle}, {}, kNow, "certificate"},
      {"issuer is no CA", below_no_ca, {no_ca}, {root.cert}, kNow, "invalid CA"},
  };
  for (Row const& row : rows) {
    Status const status = verify_chain(row.leaf, row.intermediates, row.roots, row.now);
    EXPECT_EQ(status.has_value(), row.reason.empty())
        << row.name << (status ? "" : status.error().describe());
    if (status || row.reason.empty()) continue;
    EXPECT_EQ(status.error().code, Errc::untrusted) << row.name;
    EXPECT_NE(status.error().message.find(row.reason), std::string::npos)
        << row.name << ": " << status.error().message;
  }
  std::vector<Certificate> const many(kChainCertificatesMax + 1, middle);
  EXPECT_EQ(verify_chain(leaf, many, {root.cert}, kNow).error().code, Errc::too_large);
}

TEST(VerifyChain, understands_the_critical_names_of_an_ek_certificate) {
  std::string const folder = SHAMON_SOURCE_DIR "/tests/data/captured/";
  auto root_pem = read_text_file(folder + "swtpm-localca-rootca-cert.pem");
  if (!root_pem) GTEST_SKIP() << "no tests/data/captured";
  std::vector<Certificate> const roots = *Certificate::all_from_pem(*root_pem);
  std::vector<Certificate> const issuers =
      *Certificate::all_from_pem(*read_text_file(folder + "issuercert.pem"));
  for (std::string const machine : {"clean", "untrusted"}) {
    auto ek = Certificate::from_der(*read_file(folder + machine + "/ekcert-rsa.der"));
    ASSERT_TRUE(ek) << ek.error().describe();
    WallTime const now = ek->not_before() + kDay;
    Status const status = verify_chain(*ek, issuers, roots, now);
    EXPECT_TRUE(status) << machine << ": " << status.error().describe();
    EXPECT_FALSE(verify_chain(*ek, {}, roots, now));
    EXPECT_FALSE(verify_chain(*ek, issuers, roots, ek->not_before() + -kDay));
    EXPECT_GT(ek->not_after().unix_ms, 253'402'300'000'000);  // year 9999
  }
}

/// The certificate again with one more critical extension, signed anew.
Result<Certificate> with_critical_extension(Certificate const& cert, char const* oid,
                                            ByteView content, PrivateKey const& issuer_key) {
  X509Ptr copy(X509_dup(cert.native()));
  OpensslPtr<ASN1_OBJECT, ASN1_OBJECT_free> const object(OBJ_txt2obj(oid, 1));
  OpensslPtr<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> const data(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(data.get(), content.data(), static_cast<int>(content.size()));
  OpensslPtr<X509_EXTENSION, X509_EXTENSION_free> const extension(
      X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 1, data.get()));
  EXPECT_EQ(X509_add_ext(copy.get(), extension.get(), -1), 1);
  EXPECT_GT(X509_sign(copy.get(), issuer_key.native(), EVP_sha256()), 0);
  return Certificate::from_der(Certificate(share_certificate(std::move(copy))).der());
}

TEST(VerifyChain, refuses_critical_extensions_it_does_not_understand) {
  Authority const root("root");
  PrivateKey const key = *PrivateKey::generate(KeyType::ecdsa_p256);
  Certificate const leaf = *issue_certificate(plan("leaf"), key.public_key(), root.cert, root.key);
  // SEQUENCE of one GeneralName: [4] Name of one attribute with the text "x", or [8] registeredID.
  auto directory_name = [](Bytes oid) {
    Bytes attribute = {0x06, static_cast<std::uint8_t>(oid.size())};
    append(attribute, oid);
    append(attribute, Bytes{0x0c, 0x01, 'x'});
    for (std::uint8_t const tag : Bytes{0x30, 0x31, 0x30, 0xa4, 0x30}) {
      Bytes outer = {tag, static_cast<std::uint8_t>(attribute.size())};
      append(outer, attribute);
      attribute = outer;
    }
    return attribute;
  };
  struct Row {
    char const* name;
    char const* oid;
    Bytes content;
    bool accepted;
    bool malformed = false;  ///< refused before there is a chain to verify
  };
  Row const rows[] = {
      {"private extension", "1.3.6.1.4.1.99999.7", {0x05, 0x00}, false},
      {"TPM manufacturer 2.23.133.2.1", "2.5.29.17", directory_name({0x67, 0x81, 0x05, 0x02, 0x01}),
       true},
      {"neighbour 2.23.133.3.1", "2.5.29.17", directory_name({0x67, 0x81, 0x05, 0x03, 0x01}),
       false},
      {"common name", "2.5.29.17", directory_name({0x55, 0x04, 0x03}), false},
      {"registered id", "2.5.29.17", {0x30, 0x03, 0x88, 0x01, 0x2a}, false},
      {"dNSName", "2.5.29.17", {0x30, 0x03, 0x82, 0x01, 'a'}, true},
      {"not a SEQUENCE", "2.5.29.17", {0x05, 0x00}, false, true},
  };
  for (Row const& row : rows) {
    auto const cert = with_critical_extension(leaf, row.oid, row.content, root.key);
    if (row.malformed) {
      ASSERT_FALSE(cert);
      EXPECT_EQ(cert.error().code, Errc::malformed);
      continue;
    }
    ASSERT_TRUE(cert) << row.name << ": " << cert.error().describe();
    Status const status = verify_chain(*cert, {}, {root.cert}, kNow);
    EXPECT_EQ(status.has_value(), row.accepted)
        << row.name << ": " << (status ? "accepted" : status.error().describe());
    if (!row.accepted && !status) {
      EXPECT_EQ(status.error().code, Errc::untrusted) << row.name;
    }
  }
}

}  // namespace
}  // namespace shamon
