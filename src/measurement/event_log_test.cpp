#include "measurement/event_log.hpp"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include "base/byte_writer.hpp"
#include "measurement/limits.hpp"
#include "measurement/testdata.hpp"

namespace shamon {
namespace {

constexpr std::uint32_t kIpl = 0xd;
constexpr std::uint32_t kNoAction = 0x3;

Bytes concat(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (Bytes const& part : parts) append(all, part);
  return all;
}

BootEvent event(std::uint8_t pcr, std::uint32_t type, std::vector<Digest> digests, Bytes data) {
  BootEvent e;
  e.pcr = PcrIndex{pcr};
  e.type = type;
  e.digests = std::move(digests);
  e.data = std::move(data);
  return e;
}

Bytes sha256_header() {
  return encode_event_log_header({HashAlgorithm::sha256});
}

Bytes ipl(std::uint8_t pcr, std::string_view content) {
  return encode_event(event(pcr, kIpl, {sha256(as_bytes(content))}, to_bytes(content)));
}

/// The values a TPM would hold, computed without PcrBank.
Digest extended(Digest const& old, std::string_view content) {
  Bytes both = to_bytes(old.bytes());
  append(both, sha256(as_bytes(content)).bytes());
  return sha256(both);
}

TEST(EventLog, ThirdPartyLogsReplayToTheirExpectedValues) {
  auto const text = testdata::shared("eventlog/expected-pcrs.json");
  SHAMON_SKIP_WITHOUT(text, "eventlog/expected-pcrs.json");
  auto const expected = nlohmann::json::parse(as_text(*text));
  ASSERT_EQ(expected.size(), 6u);
  for (auto const& [file, banks] : expected.items()) {
    SCOPED_TRACE(file);
    auto const bytes = testdata::shared("eventlog/" + file);
    ASSERT_TRUE(bytes);
    auto const log = parse_event_log(*bytes);
    ASSERT_TRUE(log) << log.error().describe();
    for (auto const& [bank, values] : banks.items()) {
      auto const replayed = replay(*log, *parse_hash_algorithm(bank));
      ASSERT_TRUE(replayed) << replayed.error().describe();
      std::size_t touched = 0;
      for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr)
        touched += replayed->touched(PcrIndex{pcr});
      EXPECT_EQ(touched, values.size());
      for (auto const& [pcr, value] : values.items()) {
        PcrIndex const index{static_cast<std::uint8_t>(std::stoi(pcr))};
        EXPECT_TRUE(replayed->touched(index)) << pcr;
        EXPECT_EQ(replayed->value(index).hex(), value.get<std::string>()) << bank << ' ' << pcr;
      }
    }
  }
}

TEST(EventLog, FedoraLogReplaysToWhatTpm2EventlogPrints) {
  auto const bytes = testdata::shared("eventlog/event-sd-boot-fedora37.bin");
  auto const yaml = testdata::shared("eventlog/event-sd-boot-fedora37.yaml");
  SHAMON_SKIP_WITHOUT(bytes && yaml, "eventlog/event-sd-boot-fedora37");
  auto const log = parse_event_log(*bytes);
  ASSERT_TRUE(log) << log.error().describe();
  EXPECT_EQ(log->events.size(), 28u);
  auto const replayed = replay(*log, HashAlgorithm::sha256);
  ASSERT_TRUE(replayed);
  std::string const text(as_text(*yaml));
  std::string const values = text.substr(text.find("\npcrs:"));
  std::size_t checked = 0;
  for (std::uint8_t pcr = 0; pcr < kPcrCount; ++pcr) {
    if (!replayed->touched(PcrIndex{pcr})) continue;
    std::string const line = std::to_string(pcr) + std::string(pcr < 10 ? "  " : " ") + ": 0x" +
                             replayed->value(PcrIndex{pcr}).hex();
    EXPECT_NE(values.find(line), std::string::npos) << line;
    ++checked;
  }
  EXPECT_EQ(checked, 10u);
}

TEST(EventLog, EveryThirdPartyLogParsesToItsEnd) {
  struct Row {
    char const* file;
    std::size_t events;
    std::vector<HashAlgorithm> banks;
  };
  using enum HashAlgorithm;
  Row const rows[] = {
      {"eventlog/crypto_agile_eventlog.bin", 27, {sha256}},
      {"eventlog/binary_bios_measurements-secureboot.bin", 99, {sha256}},
      {"eventlog/debian-10.bin", 25, {sha1}},
      {"eventlog/eventlogwithsp800155.bin", 54, {sha1, sha256, sha384}},
      {"ima/boot_aggregate/sample-binary_bios_measurements-pcrs-8-9", 162, {sha1, sha256}},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.file);
    auto const bytes = testdata::shared(row.file);
    SHAMON_SKIP_WITHOUT(bytes, row.file);
    auto const log = parse_event_log(*bytes);
    ASSERT_TRUE(log) << log.error().describe();
    EXPECT_EQ(log->events.size(), row.events);
    EXPECT_EQ(log->banks, row.banks);
  }
}

TEST(EventLog, CapturedLogsReplayToThePcrsTheTpmHeld) {
  for (std::string const folder : {"clean/quote1", "clean/quote2", "untrusted/quote1"}) {
    SCOPED_TRACE(folder);
    auto const log = parse_event_log(testdata::captured(folder + "/binary_bios_measurements"));
    ASSERT_TRUE(log) << log.error().describe();
    auto const replayed = replay(*log, HashAlgorithm::sha256);
    ASSERT_TRUE(replayed);
    EXPECT_EQ(replayed->value(PcrIndex{0}).hex(),
              "d8279ad1f8ff0acfc4215a908d3bea9c32c09e763c621a4e9c97e2a62da6c164");
    EXPECT_FALSE(replayed->touched(PcrIndex{8}));
    EXPECT_FALSE(replayed->touched(PcrIndex{10}));
  }
}

TEST(EventLog, AnEmptyLogIsValidAndEmpty) {
  auto const log = parse_event_log({});
  ASSERT_TRUE(log);
  EXPECT_TRUE(log->events.empty());
  auto const replayed = replay(*log, HashAlgorithm::sha384);
  ASSERT_TRUE(replayed);
  EXPECT_FALSE(replayed->touched(PcrIndex{0}));
}

TEST(EventLog, WhatWeWriteWeRead) {
  using enum HashAlgorithm;
  Bytes const data = to_bytes("shamon:component=gate");
  std::vector<Digest> const digests{hash(sha1, data), hash(sha256, data), hash(sha512, data)};
  Bytes const bytes = concat({encode_event_log_header({sha1, sha256, sha512}),
                              encode_event(event(4, kIpl, digests, data)),
                              encode_event(event(9, kIpl, digests, {}))});
  auto const log = parse_event_log(bytes);
  ASSERT_TRUE(log) << log.error().describe();
  EXPECT_TRUE(log->crypto_agile);
  EXPECT_EQ(log->banks, (std::vector{sha1, sha256, sha512}));
  ASSERT_EQ(log->events.size(), 3u);
  EXPECT_EQ(log->events[1].data, data);
  EXPECT_EQ(log->events[1].pcr, PcrIndex{4});
  EXPECT_EQ(log->events[1].digests, digests);
  EXPECT_EQ(concat({encode_event_log_header(log->banks), encode_event(log->events[1]),
                    encode_event(log->events[2])}),
            bytes);
  for (HashAlgorithm bank : {sha1, sha256, sha512}) EXPECT_TRUE(replay(*log, bank));
  auto const absent = replay(*log, sha384);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::invalid);
}

TEST(EventLog, ReplayExtendsInOrderAndStartsDynamicPcrsAtOnes) {
  auto const log =
      parse_event_log(concat({sha256_header(), ipl(4, "a"), ipl(4, "b"), ipl(17, "c")}));
  ASSERT_TRUE(log);
  auto const values = replay(*log, HashAlgorithm::sha256);
  ASSERT_TRUE(values);
  Digest const zero = Digest::zero(HashAlgorithm::sha256);
  EXPECT_EQ(values->value(PcrIndex{4}), extended(extended(zero, "a"), "b"));
  EXPECT_EQ(values->value(PcrIndex{17}), extended(Digest::ones(HashAlgorithm::sha256), "c"));
  EXPECT_EQ(values->value(PcrIndex{22}), Digest::ones(HashAlgorithm::sha256));
  EXPECT_EQ(values->value(PcrIndex{23}), zero);
}

Bytes startup_locality(Bytes tail) {
  Bytes data = to_bytes(std::string_view("StartupLocality\0", 16));
  append(data, tail);
  return encode_event(event(0, kNoAction, {Digest::zero(HashAlgorithm::sha256)}, data));
}

TEST(EventLog, StartupLocalityIsWherePcrZeroStarts) {
  auto const log =
      parse_event_log(concat({sha256_header(), startup_locality({3}), ipl(0, "crtm")}));
  ASSERT_TRUE(log);
  auto const values = replay(*log, HashAlgorithm::sha256);
  ASSERT_TRUE(values);
  Bytes start(32, 0);
  start.back() = 3;
  EXPECT_EQ(values->value(PcrIndex{0}),
            extended(*Digest::from_bytes(HashAlgorithm::sha256, start), "crtm"));
}

TEST(EventLog, AStartupLocalityThatComesLateOrMisshapenIsRefused) {
  Bytes const late = concat({sha256_header(), ipl(0, "crtm"), startup_locality({3})});
  Bytes const wide = concat({sha256_header(), startup_locality({3, 0})});
  Bytes const bare = concat({sha256_header(), startup_locality({})});
  for (Bytes const& bytes : {late, wide, bare}) {
    auto const log = parse_event_log(bytes);
    ASSERT_TRUE(log);
    auto const values = replay(*log, HashAlgorithm::sha256);
    ASSERT_FALSE(values);
    EXPECT_EQ(values.error().code, Errc::malformed);
    EXPECT_TRUE(values.error().offset);
  }
}

TEST(EventLog, BanksOfUnknownAlgorithmsAreSkippedByTheirDeclaredSize) {
  // SM3-256 (0x0012) beside SHA-256.
  ByteWriter id;
  id.bytes(as_bytes(std::string_view("Spec ID Event03\0", 16))).u32le(0).u32le(0x02000200);
  id.u32le(2).u16le(0x0012).u16le(32).u16le(0x000b).u16le(32).u8(0);
  ByteWriter log;
  log.u32le(0).u32le(kNoAction).bytes(Bytes(20, 0));
  log.u32le(static_cast<std::uint32_t>(id.view().size())).bytes(id.view());
  log.u32le(4).u32le(kIpl).u32le(2).u16le(0x0012).bytes(Bytes(32, 9));
  log.u16le(0x000b).bytes(sha256(as_bytes("x")).bytes()).u32le(0);
  auto const parsed = parse_event_log(log.view());
  ASSERT_TRUE(parsed) << parsed.error().describe();
  EXPECT_EQ(parsed->banks, std::vector{HashAlgorithm::sha256});
  auto const values = replay(*parsed, HashAlgorithm::sha256);
  ASSERT_TRUE(values);
  EXPECT_EQ(values->value(PcrIndex{4}), extended(Digest::zero(HashAlgorithm::sha256), "x"));
}

TEST(EventLog, MalformedLogsAreRefusedWithTheOffsetOfTheEvent) {
  Bytes const header = sha256_header();
  std::uint64_t const second = header.size();
  auto const behind_header = [&](ByteWriter event) {
    return concat({header, std::move(event).take()});
  };
  auto const head = [](std::uint32_t pcr, std::uint32_t count) {
    ByteWriter w;
    w.u32le(pcr).u32le(kIpl).u32le(count);
    return w;
  };
  Bytes const digest(32, 7);
  struct Row {
    char const* what;
    Bytes bytes;
    Errc code;
    std::uint64_t offset;
  };
  Row const rows[] = {
      {"one byte", {0}, Errc::truncated, 0},
      {"PCR 24", behind_header(std::move(head(24, 1).u16le(0xb).bytes(digest).u32le(0))),
       Errc::malformed, second},
      {"no PCR, but an action",
       behind_header(std::move(head(0xffffffff, 1).u16le(0xb).bytes(digest).u32le(0))),
       Errc::malformed, second},
      {"no digest", behind_header(std::move(head(4, 0).u32le(0))), Errc::malformed, second},
      {"a digest too many",
       behind_header(
           std::move(head(4, 2).u16le(0xb).bytes(digest).u16le(0xb).bytes(digest).u32le(0))),
       Errc::malformed, second},
      {"a digest of another bank",
       behind_header(std::move(head(4, 1).u16le(0x4).bytes(Bytes(20, 1)).u32le(0))),
       Errc::malformed, second},
      {"data cut short",
       behind_header(std::move(head(4, 1).u16le(0xb).bytes(digest).u32le(5).bytes(Bytes(4, 0)))),
       Errc::truncated, second},
      {"a size past all bounds",
       behind_header(std::move(head(4, 1).u16le(0xb).bytes(digest).u32le(0xffffffff))),
       Errc::too_large, second},
      {"zeros behind the events", concat({header, Bytes(12, 0)}), Errc::malformed, second},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.what);
    auto const log = parse_event_log(row.bytes);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, row.code) << log.error().describe();
    EXPECT_EQ(log.error().offset, row.offset);
    EXPECT_FALSE(log.error().message.empty());
  }
}

TEST(EventLog, MisshapenSpecIdHeadersAreRefused) {
  auto const header = [](std::uint32_t count, std::vector<std::pair<int, int>> banks, Bytes tail) {
    ByteWriter id;
    id.bytes(as_bytes(std::string_view("Spec ID Event03\0", 16))).u32le(0).u32le(0x02000200);
    id.u32le(count);
    for (auto [algorithm, size] : banks) {
      id.u16le(static_cast<std::uint16_t>(algorithm)).u16le(static_cast<std::uint16_t>(size));
    }
    id.bytes(tail);
    ByteWriter log;
    log.u32le(0).u32le(kNoAction).bytes(Bytes(20, 0));
    log.u32le(static_cast<std::uint32_t>(id.view().size())).bytes(id.view());
    return std::move(log).take();
  };
  ASSERT_TRUE(parse_event_log(header(1, {{0xb, 32}}, {0})));
  ASSERT_TRUE(parse_event_log(header(1, {{0xb, 32}}, {2, 1, 1})));
  struct Row {
    char const* what;
    Bytes bytes;
  };
  Row const rows[] = {
      {"no algorithm", header(0, {}, {0})},
      {"more algorithms than there may be", header(kEventLogBanksMax + 1, {}, {0})},
      {"an algorithm missing", header(2, {{0xb, 32}}, {0})},
      {"a digest of wrong size", header(1, {{0xb, 31}}, {0})},
      {"an algorithm twice", header(2, {{0xb, 32}, {0xb, 32}}, {0})},
      {"no vendor size", header(1, {{0xb, 32}}, {})},
      {"vendor information cut short", header(1, {{0xb, 32}}, {2, 1})},
      {"bytes behind vendor information", header(1, {{0xb, 32}}, {0, 0})},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.what);
    auto const log = parse_event_log(row.bytes);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, Errc::malformed);
    EXPECT_EQ(log.error().offset, 0u);
  }
}

TEST(EventLog, EveryPrefixOfARealLogIsAnErrorOrWhole) {
  Bytes const bytes = testdata::captured("clean/quote1/binary_bios_measurements");
  auto const whole = parse_event_log(bytes);
  ASSERT_TRUE(whole);
  std::size_t whole_prefixes = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    EventLogReading const reading = read_event_log(ByteView(bytes).first(size));
    whole_prefixes += !reading.offence;
    if (reading.offence) {
      ASSERT_TRUE(reading.offence->offset);
      EXPECT_LT(*reading.offence->offset, size);
      EXPECT_EQ(*reading.offence->offset, whole->events[reading.log.events.size()].offset);
    }
  }
  EXPECT_EQ(whole_prefixes, whole->events.size() + 1);
}

TEST(EventLog, TypesAreNamedOrNumbered) {
  EXPECT_EQ(event_type_name(0xd), "EV_IPL");
  EXPECT_EQ(event_type_name(0x80000006), "EV_EFI_GPT_EVENT");
  EXPECT_EQ(event_type_name(0x800000ff), "0x800000ff");
}

}  // namespace
}  // namespace shamon
