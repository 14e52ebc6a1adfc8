// COSE_Sign1 and the formulas that bind evidence to nonce, key and channel.
#include "coalition/messages/status.hpp"

#include <cbor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "coalition/messages/bridge.hpp"
#include "coalition/messages/join.hpp"

namespace shamon {
namespace {

class Statement : public testing::Test {
 protected:
  PrivateKey key_ = *PrivateKey::generate(KeyType::ecdsa_p256);
  Bytes const payload_ = encode_cbor(Heartbeat{Revision(7), WallTime{1'795'296'605'123}, 3, 3000});
  Bytes const signed_ = *sign_statement(kHeartbeatContentType, payload_, key_);
};

TEST_F(Statement, ComesBackWhenSignatureAndTypeHold) {
  auto const verified = verify_statement(kHeartbeatContentType, signed_, key_.public_key());
  ASSERT_TRUE(verified) << verified.error().describe();
  EXPECT_EQ(*verified, payload_);
}

TEST_F(Statement, OfAnotherTypeIsUntrusted) {
  auto const verified = verify_statement(kChangeContentType, signed_, key_.public_key());
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Errc::untrusted);
}

TEST_F(Statement, OfAnotherSignerIsUntrusted) {
  PrivateKey const other = *PrivateKey::generate(KeyType::ecdsa_p256);
  auto const verified = verify_statement(kHeartbeatContentType, signed_, other.public_key());
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Errc::untrusted);
}

TEST_F(Statement, WithAnyBitChangedIsRefused) {
  for (std::size_t i = 0; i < signed_.size(); ++i) {
    Bytes altered = signed_;
    altered[i] ^= 1;
    EXPECT_FALSE(verify_statement(kHeartbeatContentType, altered, key_.public_key())) << i;
  }
}

TEST_F(Statement, CutOrFollowedByAnythingIsRefused) {
  for (std::size_t size = 0; size < signed_.size(); ++size) {
    EXPECT_FALSE(
        verify_statement(kHeartbeatContentType, ByteView(signed_).first(size), key_.public_key()));
  }
  Bytes longer = signed_;
  longer.push_back(0);
  EXPECT_FALSE(verify_statement(kHeartbeatContentType, longer, key_.public_key()));
}

TEST_F(Statement, NeedsAP256Key) {
  PrivateKey const p384 = *PrivateKey::generate(KeyType::ecdsa_p384);
  auto const made = sign_statement(kHeartbeatContentType, payload_, p384);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::unsupported);
}

// RFC 9052 §4.2 and §4.4, put together by hand from libcbor's reading of the envelope.
TEST_F(Statement, IsCoseSign1ToAnIndependentReader) {
  // libcbor 0.8 does not know tag 18, so the tag is looked at here and the rest by it.
  ASSERT_EQ(signed_[0], 0xd2);
  cbor_load_result result{};
  cbor_item_t* parts = cbor_load(signed_.data() + 1, signed_.size() - 1, &result);
  ASSERT_NE(parts, nullptr);
  EXPECT_EQ(result.read, signed_.size() - 1);
  ASSERT_TRUE(cbor_isa_array(parts));
  ASSERT_EQ(cbor_array_size(parts), 4u);
  auto bytes_of = [&](std::size_t i) {
    cbor_item_t* part = cbor_array_get(parts, i);
    Bytes out(cbor_bytestring_handle(part),
              cbor_bytestring_handle(part) + cbor_bytestring_length(part));
    cbor_decref(&part);
    return out;
  };
  Bytes const header = bytes_of(0);
  EXPECT_EQ(to_hex(header).substr(0, 10), "a201260378");
  EXPECT_EQ(bytes_of(2), payload_);
  Bytes message = *from_hex("846a5369676e617475726531");  // ["Signature1",
  message.push_back(0x58);
  message.push_back(static_cast<std::uint8_t>(header.size()));
  append(message, header);
  message.push_back(0x40);  // no external data
  message.push_back(0x58);
  message.push_back(static_cast<std::uint8_t>(payload_.size()));
  append(message, payload_);
  Bytes const signature = bytes_of(3);
  ASSERT_EQ(signature.size(), 64u);
  EXPECT_TRUE(key_.public_key().verify_ecdsa_raw(HashAlgorithm::sha256, message,
                                                 ByteView(signature).first(32),
                                                 ByteView(signature).subspan(32)));
  cbor_decref(&parts);
}

TEST(QualifyingData, OfAJoinIsTheHashOfNonceAndKeyHash) {
  Bytes const nonce(32, 1);
  Bytes const key(91, 2);
  Bytes text = nonce;
  append(text, sha256(key).bytes());
  EXPECT_EQ(join_qualifying_data(nonce, key), to_bytes(sha256(text).bytes()));
}

TEST(QualifyingData, OfABridgeChangesWithEachInput) {
  Bytes const nonce(32, 1);
  Bytes const exporter(32, 2);
  LabelName const green("green");
  Bytes const base = bridge_qualifying_data(nonce, exporter, green, Revision(7));
  EXPECT_EQ(base.size(), 32u);
  EXPECT_NE(base, bridge_qualifying_data(Bytes(32, 3), exporter, green, Revision(7)));
  EXPECT_NE(base, bridge_qualifying_data(nonce, Bytes(32, 3), green, Revision(7)));
  EXPECT_NE(base, bridge_qualifying_data(nonce, exporter, LabelName("red"), Revision(7)));
  EXPECT_NE(base, bridge_qualifying_data(nonce, exporter, green, Revision(8)));
}

TEST(EspKeyContext, NamesLabelBothSpisRevisionAndCipher) {
  auto context = [](AeadAlgorithm algorithm) {
    return to_hex(esp_key_context(LabelName("red"), 0x101, 0x102, Revision(9), algorithm));
  };
  std::string const before = "000372656400000101000001020000000000000009";
  EXPECT_EQ(context(AeadAlgorithm::encr_aes_gcm_16_256), before + "00140100");
  EXPECT_EQ(context(AeadAlgorithm::encr_aes_gcm_16_128), before + "00140080");
  EXPECT_EQ(context(AeadAlgorithm::encr_chacha20_poly1305), before + "001c0100");
}

}  // namespace
}  // namespace shamon
