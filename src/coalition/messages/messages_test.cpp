// Every message: out and back in both forms, read by independent libraries, and refused when wrong.
#include <nlohmann/json.hpp>

#include <cbor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "coalition/messages/bridge.hpp"
#include "coalition/messages/channel.hpp"
#include "coalition/messages/examples.hpp"
#include "coalition/messages/join.hpp"
#include "coalition/messages/operator.hpp"
#include "coalition/messages/registration.hpp"
#include "coalition/messages/status.hpp"

namespace shamon {
namespace {

template <class T>
class EveryMessage : public testing::Test {};

using AllMessages = testing::Types<
    EvidenceMessage, ChallengeMessage, FindingMessage, Refusal, ReferenceValueMessage, VmEntry,
    MemberEntry, RegisterRequest, RegisterChallenge, ActivateRequest, Registered, ChallengeRequest,
    JoinRequest, JoinAccepted, EvidenceRequest, EvidenceAccepted, StatusChange, Heartbeat,
    FeedChallenge, Acknowledgement, VmReport, FailureReport, BridgeHello, BridgeEvidence,
    BridgeRefused, BridgeChallenge, BridgeAnswer, HostRow, HostList, VmList, AuthorityStatus,
    RevokeRequest, ReferenceValueList, PolicyMessage, EventRow, EventList, AssociationRow,
    HostStatus, AuditRow, AuditList, Explanation, ShareRequest, ChannelRow, ChannelList>;
TYPED_TEST_SUITE(EveryMessage, AllMessages);

TYPED_TEST(EveryMessage, ComesBackFromCborAsItWas) {
  TypeParam const message = example<TypeParam>();
  Bytes const encoded = encode_cbor(message);
  auto const decoded = decode_cbor<TypeParam>(encoded);
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_EQ(encode_cbor(*decoded), encoded);
  EXPECT_EQ(encode_json(*decoded), encode_json(message));
}

TYPED_TEST(EveryMessage, ComesBackFromJsonAsItWas) {
  TypeParam const message = example<TypeParam>();
  auto const decoded = decode_json<TypeParam>(encode_json(message));
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_EQ(encode_cbor(*decoded), encode_cbor(message));
}

TYPED_TEST(EveryMessage, IsWellFormedToIndependentReaders) {
  TypeParam const message = example<TypeParam>();
  Bytes const encoded = encode_cbor(message);
  cbor_load_result result{};
  cbor_item_t* item = cbor_load(encoded.data(), encoded.size(), &result);
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(result.error.code, CBOR_ERR_NONE);
  EXPECT_EQ(result.read, encoded.size());
  EXPECT_TRUE(cbor_isa_map(item));
  cbor_decref(&item);
  std::string const text = encode_json(message);
  auto const parsed = nlohmann::json::parse(text, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded()) << text;
  // Written by another hand, the fields sorted and with spaces, it is still the same message.
  auto const decoded = decode_json<TypeParam>(parsed.dump(2));
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_EQ(encode_cbor(*decoded), encoded);
}

TYPED_TEST(EveryMessage, IsRefusedWhenCutAnywhereAndWhenFollowedByAnything) {
  TypeParam const message = example<TypeParam>();
  Bytes const encoded = encode_cbor(message);
  std::string const text = encode_json(message);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_FALSE(decode_cbor<TypeParam>(ByteView(encoded).first(size))) << size;
  }
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_json<TypeParam>(std::string_view(text).substr(0, size))) << size;
  }
  Bytes longer = encoded;
  longer.push_back(0xf6);
  EXPECT_FALSE(decode_cbor<TypeParam>(longer));
  EXPECT_FALSE(decode_json<TypeParam>(text + "1"));
  EXPECT_TRUE(decode_json<TypeParam>(" " + text + "\n"));
}

TYPED_TEST(EveryMessage, IsRefusedOverItsLimitBeforeItIsRead) {
  Bytes const over(TypeParam::kLimits.bytes_max + 1, 0xff);
  auto const decoded = decode_cbor<TypeParam>(over);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::too_large);
  Bytes const at(TypeParam::kLimits.bytes_max, 0xff);
  auto const read = decode_cbor<TypeParam>(at);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::malformed);
}

TEST(Messages, ErrorsNameTheFieldAndTheOffset) {
  auto const decoded =
      decode_json<JoinAccepted>(R"({"members":[{"host":"a"},{"host":"no spaces"}]})");
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message, "members[1].host: not a valid name");
  EXPECT_EQ(decoded.error().offset, 33u);
}

TEST(Messages, ALabelKeepsTheNameAnImportGaveIt) {
  VmEntry row;
  row.vm = VmName("v");
  row.label = LabelName("DHS \"secret\" & more");
  EXPECT_EQ(decode_json<VmEntry>(encode_json(row))->label, row.label);
  EXPECT_EQ(decode_cbor<VmEntry>(encode_cbor(row))->label, row.label);
  row.label = LabelName("a\tb");
  auto const refused = decode_cbor<VmEntry>(encode_cbor(row));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "label: not a valid name for a label");
}

struct JsonRow {
  char const* name;
  char const* text;
  char const* error;  ///< part of it; empty: accepted
};

TEST(Messages, JsonIsAcceptedOrRefusedForTheRightReason) {
  JsonRow const rows[] = {
      {"absent fields keep defaults", R"({})", ""},
      {"unknown fields are skipped", R"({"new":[1,{"a":null}],"sequence":3})", ""},
      {"skipped values must still be JSON", R"({"new":[1,}],"sequence":3})", "expected"},
      {"a field twice", R"({"sequence":1,"sequence":2})", "sequence: given twice"},
      {"greatest integer", R"({"sequence":18446744073709551615})", ""},
      {"one more", R"({"sequence":18446744073709551616})", "at most 64 bits"},
      {"negative", R"({"sequence":-1})", "unsigned"},
      {"minus zero", R"({"sequence":-0})", "unsigned"},
      {"fraction", R"({"sequence":1.0})", "unsigned"},
      {"exponent", R"({"sequence":1e3})", "unsigned"},
      {"leading zero", R"({"sequence":01})", "leading zero"},
      {"text for a number", R"({"sequence":"1"})", "expected a number"},
      {"null for a number", R"({"sequence":null})", "expected a number"},
      {"comma at the end", R"({"sequence":1,})", "expected a text"},
      {"no comma", R"({"sequence":1 "revision":1})", "expected ','"},
      {"a time", R"({"time":"2026-11-21T21:30:05.123Z"})", ""},
      {"a time without fraction", R"({"time":"2026-11-21T21:30:05Z"})", ""},
      {"no such day", R"({"time":"2026-02-29T21:30:05Z"})", "no such date"},
      {"leap second", R"({"time":"2026-12-31T23:59:60Z"})", "no such date"},
      {"a zone", R"({"time":"2026-12-31T23:59:59+01:00"})", "not a time"},
      {"array for an object", R"([])", "expected an object"},
      {"nothing", R"()", "expected an object"},
      {"single quotes", R"({'sequence':1})", "expected a text"},
      {"a comment", R"({/**/})", "expected a text"},
  };
  for (JsonRow const& row : rows) {
    SCOPED_TRACE(row.name);
    auto const decoded = decode_json<Heartbeat>(row.text);
    std::string const error = decoded ? "" : decoded.error().message;
    if (*row.error == '\0') {
      EXPECT_TRUE(decoded) << error;
    } else {
      EXPECT_FALSE(decoded);
      EXPECT_THAT(error, testing::HasSubstr(row.error));
    }
  }
}

TEST(Messages, JsonTextsAreReadAsRfc8259Says) {
  JsonRow const rows[] = {
      {"escapes", R"({"reason":"\"\\\/\b\f\n\r\t\u0041"})", ""},
      {"surrogate pair", R"({"reason":"\ud83d\ude00"})", ""},
      {"half a pair", R"({"reason":"\ud83d"})", "surrogate"},
      {"the wrong half", R"({"reason":"\ude00"})", "surrogate"},
      {"two first halves", R"({"reason":"\ud83d\ud83d"})", "surrogate"},
      {"unknown escape", R"({"reason":"\x41"})", "unknown escape"},
      {"short escape", R"({"reason":"\u00"})", "hex"},
      {"raw newline", "{\"reason\":\"\n\"}", "control"},
      {"overlong slash", "{\"reason\":\"\xc0\xaf\"}", "UTF-8"},
      {"encoded surrogate", "{\"reason\":\"\xed\xa0\x80\"}", "UTF-8"},
      {"beyond Unicode", "{\"reason\":\"\xf4\x90\x80\x80\"}", "UTF-8"},
      {"the last of Unicode", "{\"reason\":\"\xf4\x8f\xbf\xbf\"}", ""},
      {"cut sequence", "{\"reason\":\"\xe2\x82\"}", "UTF-8"},
  };
  for (JsonRow const& row : rows) {
    SCOPED_TRACE(row.name);
    auto const decoded = decode_json<RevokeRequest>(row.text);
    auto const oracle = nlohmann::json::parse(std::string(row.text), nullptr, false);
    EXPECT_EQ(decoded.has_value(), !oracle.is_discarded());
    EXPECT_EQ(decoded.has_value(), *row.error == '\0');
    if (decoded) {
      EXPECT_EQ(decoded->reason, oracle["reason"].get<std::string>());
    } else {
      EXPECT_THAT(decoded.error().message, testing::HasSubstr(row.error));
    }
  }
}

TEST(Messages, TextThatIsNotUtf8IsMendedOnTheWayOut) {
  RevokeRequest request;
  request.reason =
      "a\xff"
      "b";
  EXPECT_EQ(encode_json(request),
            "{\"reason\":\"a\xef\xbf\xbd"
            "b\"}");
  auto const decoded = decode_cbor<RevokeRequest>(encode_cbor(request));
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_EQ(decoded->reason,
            "a\xef\xbf\xbd"
            "b");
}

struct CborRow {
  char const* name;
  char const* hex;
  char const* error;
};

// An Acknowledgement: {"host": "a", "revision": 7}.
TEST(Messages, CborIsAcceptedInItsOneEncodingOnly) {
  CborRow const rows[] = {
      {"as it should be", "a264686f737461616872 65766973696f6e07", ""},
      {"revision 23 in one byte", "a264686f73746161687265766973696f6e17", ""},
      {"revision 23 in two bytes", "a264686f73746161687265766973696f6e1817", "shortest"},
      {"revision 24 in two bytes", "a264686f73746161687265766973696f6e1818", ""},
      {"revision 255 in three bytes", "a264686f73746161687265766973696f6e1900ff", "shortest"},
      {"revision 65535 in five", "a264686f73746161687265766973696f6e1a0000ffff", "shortest"},
      {"2^32-1 in nine", "a264686f73746161687265766973696f6e1b00000000ffffffff", "shortest"},
      {"2^32 in nine", "a264686f73746161687265766973696f6e1b0000000100000000", ""},
      {"fields in the other order", "a2687265766973696f6e0764686f73746161", "ascending"},
      {"a field twice", "a364686f7374616164686f73746161687265766973696f6e07", "ascending"},
      {"a field missing", "a164686f73746161", "'revision' is missing"},
      {"a field too many", "a364686f73746161647a7a7a7a01687265766973696f6e07", "unknown field"},
      {"indefinite map", "bf64686f73746161687265766973696f6e07ff", "indefinite"},
      {"indefinite text", "a264686f73747f6161ff687265766973696f6e07", "indefinite"},
      {"bytes for a text", "a264686f73744161687265766973696f6e07", "expected text"},
      {"float for an integer", "a264686f73746161687265766973696f6ef90000", "floating"},
      {"tagged integer", "a264686f73746161687265766973696f6ec107", "expected an unsigned"},
      {"text longer than the input", "a264686f73747a7fffffff", "longer than the input"},
      {"map longer than the input", "ba7fffffff64686f73746161", "longer than the input"},
      {"an array", "82616107", "expected a map"},
      {"integer key", "a201616102616207", "text key"},
      {"not UTF-8", "a264686f737461ff687265766973696f6e07", "UTF-8"},
      {"not a name", "a264686f7374612f687265766973696f6e07", "host: not a valid name"},
      {"empty", "", "input ends"},
  };
  for (CborRow const& row : rows) {
    SCOPED_TRACE(row.name);
    std::string hex = row.hex;
    std::erase(hex, ' ');
    auto const decoded = decode_cbor<Acknowledgement>(*from_hex(hex));
    std::string const error = decoded ? "" : decoded.error().message;
    if (*row.error == '\0') {
      EXPECT_TRUE(decoded) << error;
    } else {
      EXPECT_FALSE(decoded);
      EXPECT_THAT(error, testing::HasSubstr(row.error));
    }
  }
}

TEST(Messages, CborSkipsUnknownFieldsWhereItMay) {
  // {"host":"a","zzzz":{"x":[1,h'00',true]},"revision":7}
  Bytes const input = *from_hex("a364686f73746161647a7a7a7aa1617883014100f5687265766973696f6e07");
  auto const decoded = decode_cbor<Acknowledgement>(input, UnknownFields::ignore);
  ASSERT_TRUE(decoded) << decoded.error().describe();
  EXPECT_EQ(decoded->revision, Revision(7));
  EXPECT_FALSE(decode_cbor<Acknowledgement>(input, UnknownFields::refuse));
}

TEST(Messages, NestingDeeperThanTheLimitIsRefused) {
  auto nested = [](std::size_t depth) {
    return R"({"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(decode_json<Heartbeat>(nested(Heartbeat::kLimits.depth_max - 1)));
  auto const deeper = decode_json<Heartbeat>(nested(Heartbeat::kLimits.depth_max));
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().code, Errc::too_large);
}

TEST(Messages, MoreElementsThanTheLimitAreRefused) {
  auto events = [](std::size_t count) {
    std::string text = R"({"events":[)";
    for (std::size_t i = 0; i < count; ++i) text += i == 0 ? "{}" : ",{}";
    return text + "]}";
  };
  EXPECT_TRUE(decode_json<EventList>(events(EventList::kLimits.elements_max)));
  auto const decoded = decode_json<EventList>(events(EventList::kLimits.elements_max + 1));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::too_large);
}

TEST(Messages, EnumsAreNamesForPeopleAndNumbersWhereSigned) {
  StatusChange change;
  change.kind = ChangeKind::vm_revoked;
  EXPECT_THAT(encode_json(change), testing::HasSubstr(R"("kind":"vm_revoked")"));
  Bytes const encoded = encode_cbor(change);
  auto const key = to_bytes(std::string_view("dkind\x07"));
  EXPECT_NE(std::search(encoded.begin(), encoded.end(), key.begin(), key.end()), encoded.end());
  EXPECT_FALSE(decode_json<StatusChange>(R"({"kind":"vm_lost"})"));
}

}  // namespace
}  // namespace shamon
