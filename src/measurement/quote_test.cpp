#include "measurement/quote.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"
#include "base/encoding.hpp"
#include "measurement/limits.hpp"
#include "measurement/testdata.hpp"
#include "measurement/verify_logs.hpp"

namespace shamon {
namespace {

using testdata::captured;
using testdata::captured_nonce;

struct CapturedQuote {
  char const* set;
  char const* quote;
  char const* key;
};

/// Every captured set has both quotes of its RSA key, and quote1 and quote2 of its ECC key.
std::vector<CapturedQuote> captured_quotes() {
  std::vector<CapturedQuote> rows;
  for (char const* set : {"clean", "untrusted"}) {
    for (char const* quote : {"quote1", "quote2"}) {
      for (char const* key : {"ecc", "rsa"}) rows.push_back({set, quote, key});
    }
  }
  return rows;
}

struct QuoteBytes {
  TpmPublicArea ak;
  Bytes message, signature, nonce;
};

QuoteBytes load(CapturedQuote const& row) {
  std::string const set = row.set;
  std::string const folder = set + "/" + row.quote;
  auto ak = parse_tpm_public(captured(set + "/ak-" + row.key + ".tpub"));
  EXPECT_TRUE(ak) << ak.error().describe();
  return {*ak, captured(folder + "/quote-" + row.key + ".msg"),
          captured(folder + "/quote-" + row.key + ".sig"), captured_nonce(folder)};
}

TEST(Quote, CapturedQuotesHoldTheirSignatureNonceAndLogs) {
  for (CapturedQuote const& row : captured_quotes()) {
    SCOPED_TRACE(std::string(row.set) + "/" + row.quote + "/" + row.key);
    QuoteBytes const q = load(row);
    auto const verified = verify_quote(q.ak.key, q.message, q.signature, q.nonce);
    ASSERT_TRUE(verified) << verified.error().describe();
    std::string const folder = std::string(row.set) + "/" + row.quote;
    auto const boot = parse_event_log(captured(folder + "/binary_bios_measurements"));
    auto const ima = parse_ima(captured(folder + "/binary_runtime_measurements"));
    ASSERT_TRUE(boot && ima);
    auto const matched = match_logs_to_quote(*verified, &*boot, &*ima);
    ASSERT_TRUE(matched) << matched.error().error.describe();
    EXPECT_EQ(matched->ima_entries, ima->entries.size());
    EXPECT_EQ(matched->ima_offset, ima->end_offset);
    EXPECT_TRUE(matched->ima_pcr);
  }
}

TEST(Quote, TheQualifiedSignerAndNamesAreAsTpm2ToolsSawThem) {
  for (char const* set : {"clean", "untrusted"}) {
    for (char const* key : {"ecc", "rsa"}) {
      std::string const base = std::string(set) + "/ak-" + key;
      auto const area = parse_tpm_public(captured(base + ".tpub"));
      ASSERT_TRUE(area) << area.error().describe();
      EXPECT_EQ(to_hex(area->name), to_hex(captured(base + ".name")));
      EXPECT_TRUE(is_restricted_signing_key(*area));
      auto const pem = PublicKey::from_pem(as_text(captured(base + ".pem")));
      ASSERT_TRUE(pem);
      EXPECT_TRUE(area->key == *pem);
    }
  }
}

TEST(Quote, ABareTpmtPublicIsTheSameKey) {
  Bytes const sized = captured("clean/ak-ecc.tpub");
  auto const bare = parse_tpm_public(ByteView(sized).subspan(2));
  ASSERT_TRUE(bare) << bare.error().describe();
  EXPECT_EQ(bare->name, parse_tpm_public(sized)->name);
}

TEST(Quote, AnyBitOfTheQuoteTheSignatureOrTheNonceChangesTheVerdict) {
  for (char const* key : {"ecc", "rsa"}) {
    QuoteBytes const q = load({"clean", "quote1", key});
    for (std::size_t i = 0; i < q.message.size(); i += 7) {
      Bytes altered = q.message;
      altered[i] ^= 0x10;
      auto const result = verify_quote(q.ak.key, altered, q.signature, q.nonce);
      ASSERT_FALSE(result) << i;
      EXPECT_EQ(result.error().code, Errc::untrusted);
      EXPECT_TRUE(result.error().message.starts_with("signature"));
    }
    for (std::size_t i = 0; i < q.signature.size(); i += 11) {
      Bytes altered = q.signature;
      altered[i] ^= 0x01;
      EXPECT_FALSE(verify_quote(q.ak.key, q.message, altered, q.nonce)) << i;
    }
    Bytes stale = q.nonce;
    stale.back() ^= 1;
    Bytes shorter(q.nonce.begin(), q.nonce.end() - 1);
    for (Bytes const& nonce : {stale, shorter, Bytes{}}) {
      auto const result = verify_quote(q.ak.key, q.message, q.signature, nonce);
      ASSERT_FALSE(result);
      EXPECT_TRUE(result.error().message.starts_with("nonce")) << result.error().message;
    }
  }
}

TEST(Quote, AnotherKeyOrAnotherKindOfKeyIsRefused) {
  QuoteBytes const clean = load({"clean", "quote1", "ecc"});
  QuoteBytes const other = load({"untrusted", "quote1", "ecc"});
  QuoteBytes const rsa = load({"clean", "quote1", "rsa"});
  for (PublicKey const& key : {other.ak.key, rsa.ak.key}) {
    auto const result = verify_quote(key, clean.message, clean.signature, clean.nonce);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::untrusted);
  }
}

TEST(Quote, EveryPrefixOfAQuoteASignatureOrAKeyIsRefusedWithAnOffset) {
  QuoteBytes const q = load({"clean", "quote1", "ecc"});
  Bytes const key = captured("clean/ak-rsa.tpub");
  auto const refuses = [](auto const& parse, Bytes const& bytes) {
    ASSERT_TRUE(parse(bytes));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      auto const result = parse(ByteView(bytes).first(size));
      ASSERT_FALSE(result) << size;
      EXPECT_TRUE(result.error().offset) << size << ' ' << result.error().describe();
    }
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_FALSE(parse(longer));
  };
  refuses(parse_quote, q.message);
  refuses(parse_tpm_signature, q.signature);
  refuses(parse_tpm_public, key);
}

TEST(Quote, MisshapenQuotesAreRefused) {
  Bytes const good = load({"clean", "quote1", "ecc"}).message;
  ASSERT_TRUE(parse_quote(good));
  struct Row {
    char const* what;
    std::size_t at;
    std::uint8_t value;
    std::uint64_t offset;
  };
  // 145 bytes: head 6, signer 36, nonce 34, clock 17, firmware 8, count 4, selection 6, digest 34.
  ASSERT_EQ(good.size(), 145u);
  Row const rows[] = {
      {"magic of something else", 0, 0xfe, 0},
      {"an attestation of a key", 5, 0x17, 4},
      {"a nonce past its bound", 42, 0x01, 44},
      {"a clock neither safe nor unsafe", 92, 2, 92},
      {"more selections than there may be", 104, kPcrSelectionsMax + 1, 101},
      {"a bank nobody knows", 106, 0x55, 105},
      {"a digest past its bound", 111, 0x01, 113},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.what);
    Bytes bad = good;
    bad[row.at] = row.value;
    auto const result = parse_quote(bad);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().offset, row.offset) << result.error().describe();
  }
}

TEST(Quote, ASignatureOverSha1IsNotAccepted) {
  auto const key = PrivateKey::generate(KeyType::ecdsa_p256);
  ASSERT_TRUE(key);
  QuoteBytes const q = load({"clean", "quote1", "ecc"});
  for (HashAlgorithm hash : {HashAlgorithm::sha1, HashAlgorithm::sha256}) {
    auto const raw = key->sign_ecdsa_raw(hash, q.message);
    ASSERT_TRUE(raw);
    ByteWriter signature;
    signature.u16be(0x18).u16be(static_cast<std::uint16_t>(hash));
    signature.u16be(32).bytes(ByteView(*raw).first(32)).u16be(32).bytes(ByteView(*raw).last(32));
    auto const result = verify_quote(key->public_key(), q.message, signature.view(), q.nonce);
    EXPECT_EQ(result.has_value(), hash == HashAlgorithm::sha256);
  }
}

TEST(Quote, KeysThatSignAnythingAreToldFromAttestationKeys) {
  auto area = parse_tpm_public(captured("clean/ak-ecc.tpub"));
  ASSERT_TRUE(area);
  std::uint32_t const good = area->attributes;
  for (unsigned bit : {1u, 4u, 16u, 18u}) {
    area->attributes = good & ~(1u << bit);
    EXPECT_FALSE(is_restricted_signing_key(*area)) << bit;
  }
  area->attributes = good | 1u << 17;
  EXPECT_FALSE(is_restricted_signing_key(*area));
}

TEST(Quote, AQuoteOfAnotherProjectHoldsWithItsPcrValues) {
  auto const text = testdata::shared("quote/trustee_tpm_evidence.json");
  SHAMON_SKIP_WITHOUT(text, "quote/trustee_tpm_evidence.json");
  auto const json = nlohmann::json::parse(as_text(*text));
  auto const bytes = [](nlohmann::json const& value) {
    return *from_base64(value.get<std::string>());
  };
  auto const ak = PublicKey::from_spki_der(bytes(json["ak_public"]));
  ASSERT_TRUE(ak) << ak.error().describe();
  auto const& quote = json["tpm_quote"];
  Bytes const message = bytes(quote["message"]);
  auto const statement = parse_quote(message);
  ASSERT_TRUE(statement) << statement.error().describe();
  auto const verified =
      verify_quote(*ak, message, bytes(quote["signature"]), statement->extra_data);
  ASSERT_TRUE(verified) << verified.error().describe();
  PcrBank bank(HashAlgorithm::sha256);
  for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
    bank.set(PcrIndex{pcr}, *Digest::from_bytes(HashAlgorithm::sha256,
                                                *from_hex(quote["pcrs"][pcr].get<std::string>())));
  }
  EXPECT_TRUE(match_pcrs_to_quote(*verified, {bank}));
  bank.set(PcrIndex{3}, Digest::ones(HashAlgorithm::sha256));
  EXPECT_FALSE(match_pcrs_to_quote(*verified, {bank}));
  EXPECT_FALSE(match_pcrs_to_quote(*verified, {}));
}

}  // namespace
}  // namespace shamon
