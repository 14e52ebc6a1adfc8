#include "attestation/appraisal.hpp"

#include <filesystem>
#include <functional>

#include <gtest/gtest.h>

#include "attestation/measured_log.hpp"
#include "attestation/soft_tpm.hpp"
#include "base/byte_writer.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/folder_fixture.hpp"

namespace shamon {
namespace {

constexpr WallTime kNow{1'790'000'000'000};
constexpr std::uint32_t kMask = 0b0111'1111'1111;  // PCR 0–10
constexpr HashAlgorithm kBank = HashAlgorithm::sha256;

/// One entry of template ima-ng, as the kernel writes it.
struct ImaPiece {
  Bytes bytes;
  Bytes template_data;
};
ImaPiece ima_piece(std::string const& path, Digest const& digest) {
  ByteWriter data;
  Bytes hashed = to_bytes("sha256:");
  hashed.push_back(0);
  append(hashed, digest.bytes());
  data.u32le(static_cast<std::uint32_t>(hashed.size())).bytes(hashed);
  data.u32le(static_cast<std::uint32_t>(path.size() + 1)).bytes(as_bytes(path)).u8(0);
  ByteWriter out;
  out.u32le(10).bytes(hash(HashAlgorithm::sha1, data.view()).bytes());
  out.u32le(6).bytes(as_bytes("ima-ng"));
  out.u32le(static_cast<std::uint32_t>(data.view().size())).bytes(data.view());
  return {std::move(out).take(), data.view()};
}

Digest digest_of(std::string const& text) {
  return sha256(as_bytes(text));
}

/// A machine that boots well, and a verifier that knows all it measures.
class Appraisal : public FolderTest {
 protected:
  void SetUp() override {
    ak_ = tpm_.create_ak(KeyType::ecdsa_p256).value();
    trust("firmware", "firmware 1");
    trust("firmware", "version 1");
    trust("shamon-gate", "gate 1");
    trust("policy", "policy 1");
    trust("file:/bin/sh", "shell");
    trust("file:/bin/ls", "list");
    policy_.required_components = {"shamon-gate"};
    policy_.require_ima = true;
    policy_.check_ima_files = true;
    boot();
  }

  void trust(std::string const& component, std::string const& content) {
    reference_.add({component, digest_of(content), true, "test", {}});
  }
  std::string log() const { return folder_ + "/event_log"; }
  void measure(std::string const& component, std::string const& content, std::uint8_t pcr = 9) {
    ASSERT_TRUE(measure_component(tpm_, log(), PcrIndex(pcr), component, as_bytes(content)));
  }
  void run(std::string const& path, std::string const& content) {
    run_digest(path, digest_of(content));
  }
  void run_digest(std::string const& path, Digest const& digest) {
    ImaPiece const piece = ima_piece(path, digest);
    ASSERT_TRUE(tpm_.extend(PcrIndex(10), {sha256(piece.template_data)}));
    append(ima_, piece.bytes);
  }
  void violate(std::string const& path) {
    ImaPiece piece = ima_piece(path, Digest::zero(kBank));
    std::fill(piece.bytes.begin() + 4, piece.bytes.begin() + 24, std::uint8_t{0});
    ASSERT_TRUE(tpm_.extend(PcrIndex(10), {Digest::ones(kBank)}));
    append(ima_, piece.bytes);
  }
  void boot() {
    std::filesystem::remove(log());
    ima_.clear();
    ASSERT_TRUE(
        measure_event(tpm_, log(), PcrIndex(0), EventType::s_crtm_version, as_bytes("version 1")));
    measure("firmware", "firmware 1", 0);
    ASSERT_TRUE(measure_separators(tpm_, log()));
    measure("shamon-gate", "gate 1");
    run_digest("boot_aggregate", digest_of("whatever"));
    run("/bin/sh", "shell");
  }

  Challenge ask() {
    challenge_ = Challenge{random_bytes(32), {kBank, kMask}, 0, 0};
    if (memory_.valid) {
      challenge_.ima_offset = memory_.ima_offset;
      challenge_.reset_count = memory_.reset_count;
    }
    return challenge_;
  }
  Evidence answer() {
    EXPECT_TRUE(write_file_atomically(folder_ + "/ima", ima_));
    auto evidence = collect_evidence(tpm_, ak_, challenge_, {log(), folder_ + "/ima"});
    EXPECT_TRUE(evidence) << evidence.error().describe();
    return std::move(*evidence);
  }
  AppraisalResult judge(Evidence const& evidence) {
    auto const area = parse_tpm_public(ak_.public_area).value();
    return appraise(evidence, challenge_, area, reference_, policy_, memory_, kNow);
  }
  AppraisalResult attest() {
    ask();
    tpm_.advance_clock(10);
    return judge(answer());
  }
  /// Expects acceptance and remembers.
  void accept() {
    AppraisalResult const result = attest();
    ASSERT_TRUE(result.accepted) << result.findings[0].text;
    EXPECT_EQ(result.tier, TrustTier::affirming);
    memory_ = result.memory;
  }
  void expect(AppraisalResult const& result, AppraisalRule rule, TrustTier tier) {
    ASSERT_FALSE(result.accepted);
    ASSERT_FALSE(result.findings.empty());
    EXPECT_STREQ(to_string(result.findings[0].rule), to_string(rule)) << result.findings[0].text;
    EXPECT_EQ(result.tier, tier);
    EXPECT_FALSE(result.memory.valid);
    EXPECT_FALSE(result.findings[0].text.empty());
  }

  SoftTpm tpm_;
  AttestationKey ak_;
  ReferenceValues reference_;
  AppraisalPolicy policy_;
  AppraisalMemory memory_;
  Challenge challenge_;
  Bytes ima_;
};

TEST_F(Appraisal, AcceptsAMachineThatIsAllKnown) {
  AppraisalResult const result = attest();
  ASSERT_TRUE(result.accepted) << result.findings[0].text;
  ASSERT_EQ(result.components.size(), 3u);
  EXPECT_EQ(result.components[0].component, "firmware/pcr0");
  EXPECT_EQ(result.components[1].component, "firmware");
  EXPECT_EQ(result.components[2].component, "shamon-gate");
  EXPECT_EQ(result.components[2].pcr, PcrIndex(9));
  EXPECT_EQ(result.ima_entries, 2u);
  EXPECT_TRUE(result.memory.valid);
  EXPECT_EQ(result.memory.ima_offset, ima_.size());
}

// Each row alters good evidence in one way.
struct Tampering {
  char const* what;
  std::function<void(Evidence&)> alter;
  AppraisalRule rule;
};

TEST_F(Appraisal, RefusesEvidenceThatWasAlteredInAnyOneWay) {
  auto const other_ak = tpm_.create_ak(KeyType::ecdsa_p256).value();
  auto without_event = [](Evidence& e, std::size_t index) {
    auto const parsed = parse_event_log(e.event_log).value();
    e.event_log.clear();
    e.event_log = encode_event_log_header(parsed.banks);
    for (std::size_t i = 1; i < parsed.events.size(); ++i) {
      if (i != index) append(e.event_log, encode_event(parsed.events[i]));
    }
  };
  std::vector<Tampering> const rows = {
      {"another key signed",
       [&](Evidence& e) {
         auto const q = tpm_.quote(other_ak, challenge_.nonce, challenge_.pcrs).value();
         e.attest = q.attest;
         e.signature = q.signature;
       },
       AppraisalRule::quote_signature},
      {"stale nonce",
       [&](Evidence& e) {
         auto const q = tpm_.quote(ak_, Bytes(32, 1), challenge_.pcrs).value();
         e.attest = q.attest;
         e.signature = q.signature;
       },
       AppraisalRule::quote_nonce},
      {"nonce put into the statement without a signature",
       [&](Evidence& e) { e.attest[e.attest.size() - 1] ^= 1; }, AppraisalRule::quote_signature},
      {"fewer PCRs",
       [&](Evidence& e) {
         auto const q = tpm_.quote(ak_, challenge_.nonce, {kBank, kMask >> 1}).value();
         e.attest = q.attest;
         e.signature = q.signature;
       },
       AppraisalRule::quote_shape},
      {"cut quote", [](Evidence& e) { e.attest.pop_back(); }, AppraisalRule::quote_shape},
      {"cut signature", [](Evidence& e) { e.signature.pop_back(); }, AppraisalRule::quote_shape},
      {"oversized quote", [](Evidence& e) { e.attest.resize(4097); }, AppraisalRule::quote_shape},
      {"cut event log", [](Evidence& e) { e.event_log.pop_back(); },
       AppraisalRule::event_log_malformed},
      {"dropped event", [&](Evidence& e) { without_event(e, 1); }, AppraisalRule::pcr_digest},
      {"last event dropped", [&](Evidence& e) { without_event(e, 11); }, AppraisalRule::pcr_digest},
      {"no event log", [](Evidence& e) { e.event_log.clear(); }, AppraisalRule::ima_log_replay},
      {"no IMA log", [](Evidence& e) { e.ima_log.clear(); }, AppraisalRule::ima_log_replay},
      {"cut IMA log", [](Evidence& e) { e.ima_log.pop_back(); }, AppraisalRule::ima_log_malformed},
      {"IMA log said to be a suffix", [](Evidence& e) { e.ima_offset = 7; },
       AppraisalRule::ima_log_replay},
      {"IMA entry dropped",
       [](Evidence& e) {
         auto const log = parse_ima_binary(e.ima_log).value();
         e.ima_log.resize(log.entries[1].offset);
       },
       AppraisalRule::pcr_digest},
      {"IMA entry put in front",
       [](Evidence& e) {
         Bytes more = ima_piece("/bin/ls", digest_of("list")).bytes;
         append(more, e.ima_log);
         e.ima_log = more;
       },
       AppraisalRule::pcr_digest},
      {"IMA file digest altered", [](Evidence& e) { e.ima_log.back() = 'x'; },
       AppraisalRule::ima_log_malformed},
  };
  for (Tampering const& row : rows) {
    SCOPED_TRACE(row.what);
    ask();
    Evidence evidence = answer();
    ASSERT_TRUE(judge(evidence).accepted);
    row.alter(evidence);
    expect(judge(evidence), row.rule, TrustTier::none);
  }
}

TEST_F(Appraisal, RefusesSwappedDigestsInTheEventLog) {
  ask();
  Evidence evidence = answer();
  auto log = parse_event_log(evidence.event_log).value();
  log.events.back().digests = {digest_of("another gate")};
  evidence.event_log = encode_event_log_header(log.banks);
  for (std::size_t i = 1; i < log.events.size(); ++i) {
    append(evidence.event_log, encode_event(log.events[i]));
  }
  expect(judge(evidence), AppraisalRule::pcr_digest, TrustTier::none);
}

TEST_F(Appraisal, RefusesAKeyThatIsNotRestricted) {
  ask();
  Evidence const evidence = answer();
  auto area = parse_tpm_public(ak_.public_area).value();
  area.attributes &= ~(1u << 16);
  expect(appraise(evidence, challenge_, area, reference_, policy_, memory_, kNow),
         AppraisalRule::key_not_restricted, TrustTier::none);
}

TEST_F(Appraisal, NamesTheComponentTheDigestFoundAndTheDigestsKnown) {
  measure("shamon-gate", "gate with a hole");
  AppraisalResult const result = attest();
  expect(result, AppraisalRule::component_unknown, TrustTier::contraindicated);
  AppraisalFinding const& finding = result.findings[0];
  EXPECT_EQ(finding.component, "shamon-gate");
  EXPECT_EQ(finding.found, digest_of("gate with a hole"));
  EXPECT_EQ(finding.known, std::vector{digest_of("gate 1")});
  EXPECT_EQ(finding.entry, 12u);
}

TEST_F(Appraisal, TrustsADigestOnlyUnderItsOwnName) {
  measure("shamond", "gate 1");
  expect(attest(), AppraisalRule::component_unknown, TrustTier::contraindicated);
}

TEST_F(Appraisal, DoesNotLetAnUnnamedEventUseAnotherComponentsValue) {
  ASSERT_TRUE(measure_event(tpm_, log(), PcrIndex(9), EventType::action, as_bytes("gate 1")));
  AppraisalResult const result = attest();
  expect(result, AppraisalRule::component_unknown, TrustTier::contraindicated);
  EXPECT_EQ(result.findings[0].component, "boot/pcr9");
}

TEST_F(Appraisal, RefusesAFirmwareErrorSeparator) {
  constexpr std::uint8_t kErrorSeparator[4] = {1, 0, 0, 0};
  ASSERT_TRUE(measure_event(tpm_, log(), PcrIndex(4), EventType::separator, kErrorSeparator));
  expect(attest(), AppraisalRule::component_unknown, TrustTier::contraindicated);
}

TEST_F(Appraisal, RefusesWhatIsListedAsUntrusted) {
  reference_.add({"shamon-gate", digest_of("gate 1"), false, "advisory", {}});
  expect(attest(), AppraisalRule::component_untrusted, TrustTier::contraindicated);
}

TEST_F(Appraisal, KeepsARetiredValueForItsGraceWindowOnly) {
  reference_.remove("shamon-gate", digest_of("gate 1"));
  reference_.add({"shamon-gate", digest_of("gate 1"), true, "old package", kNow});
  EXPECT_TRUE(attest().accepted);
  reference_.remove("shamon-gate", digest_of("gate 1"));
  reference_.add(
      {"shamon-gate", digest_of("gate 1"), true, "old package", WallTime{kNow.unix_ms - 1}});
  expect(attest(), AppraisalRule::reference_retired, TrustTier::warning);
}

TEST_F(Appraisal, MissesARequiredComponent) {
  policy_.required_components = {"shamon-gate", "shamond"};
  AppraisalResult const result = attest();
  expect(result, AppraisalRule::component_missing, TrustTier::contraindicated);
  EXPECT_EQ(result.findings[0].component, "shamond");
}

TEST_F(Appraisal, WantsTheExpectedPolicyInForce) {
  policy_.expected_policy = digest_of("policy 2");
  expect(attest(), AppraisalRule::policy_mismatch, TrustTier::contraindicated);
  measure("policy", "policy 1");
  expect(attest(), AppraisalRule::policy_mismatch, TrustTier::contraindicated);
  measure("policy", "policy 2");
  EXPECT_TRUE(attest().accepted);
  measure("policy", "policy nobody wrote");
  measure("policy", "policy 2");
  AppraisalResult const result = attest();
  expect(result, AppraisalRule::component_unknown, TrustTier::contraindicated);
  EXPECT_EQ(result.findings[0].found, digest_of("policy nobody wrote"));
}

TEST_F(Appraisal, SeesAnUnknownProgramInTheImaLog) {
  accept();
  run("/usr/bin/untrusted", "malware");
  AppraisalResult const result = attest();
  expect(result, AppraisalRule::component_unknown, TrustTier::contraindicated);
  EXPECT_EQ(result.findings[0].component, "/usr/bin/untrusted");
  EXPECT_EQ(result.findings[0].entry, 2u);
  policy_.check_ima_files = false;
  EXPECT_TRUE(attest().accepted);
}

TEST_F(Appraisal, SeesAFileNamedBootAggregateThatIsNotTheFirstEntry) {
  run("boot_aggregate", "malware");
  expect(attest(), AppraisalRule::component_unknown, TrustTier::contraindicated);
}

TEST_F(Appraisal, RefusesAViolationUnlessAllowed) {
  violate("/var/log/x");
  expect(attest(), AppraisalRule::ima_violation, TrustTier::contraindicated);
  policy_.allow_violations = true;
  EXPECT_TRUE(attest().accepted);
}

TEST_F(Appraisal, FoldsSuffixesOnlyAndCountsOn) {
  accept();
  std::uint64_t const first_offset = memory_.ima_offset;
  run("/bin/ls", "list");
  ask();
  EXPECT_EQ(challenge_.ima_offset, first_offset);
  Evidence const evidence = answer();
  EXPECT_EQ(evidence.ima_offset, first_offset);
  EXPECT_LT(evidence.ima_log.size(), ima_.size() / 2);
  AppraisalResult const result = judge(evidence);
  ASSERT_TRUE(result.accepted) << result.findings[0].text;
  EXPECT_EQ(result.ima_entries, 3u);
  memory_ = result.memory;
  accept();  // nothing new
  EXPECT_EQ(memory_.ima_entries, 3u);
  EXPECT_EQ(memory_.ima_offset, ima_.size());
}

TEST_F(Appraisal, AcceptsALogThatGrewAfterTheQuoteAndJudgesTheRestNextTime) {
  ask();
  Evidence evidence = answer();
  std::size_t const at_quote = ima_.size();
  run("/usr/bin/untrusted", "malware");
  evidence.ima_log = ima_;
  AppraisalResult const result = judge(evidence);
  ASSERT_TRUE(result.accepted) << result.findings[0].text;
  EXPECT_EQ(result.memory.ima_offset, at_quote);
  memory_ = result.memory;
  expect(attest(), AppraisalRule::component_unknown, TrustTier::contraindicated);
}

TEST_F(Appraisal, StartsCleanlyAfterAReboot) {
  accept();
  std::uint32_t const resets = memory_.reset_count;
  tpm_.reboot();
  boot();
  accept();
  EXPECT_EQ(memory_.reset_count, resets + 1);
  EXPECT_EQ(memory_.ima_entries, 2u);
}

TEST_F(Appraisal, RefusesTheSuffixOfAnEarlierBoot) {
  accept();
  tpm_.reboot();
  boot();
  ask();
  Evidence evidence = answer();
  evidence.ima_offset = memory_.ima_offset;
  evidence.ima_log.clear();
  expect(judge(evidence), AppraisalRule::ima_log_replay, TrustTier::none);
}

TEST_F(Appraisal, RefusesATpmWhoseTimeWentBack) {
  accept();
  AppraisalMemory const remembered = memory_;
  struct Row {
    char const* what;
    std::function<void()> change;
  };
  std::vector<Row> const rows = {
      {"clock", [&] { memory_.clock_ms += 1'000'000; }},
      {"restarts", [&] { memory_.restart_count += 1; }},
      {"resets", [&] { memory_.reset_count += 1; }},
  };
  for (Row const& row : rows) {
    SCOPED_TRACE(row.what);
    memory_ = remembered;
    row.change();
    expect(attest(), AppraisalRule::quote_clock, TrustTier::none);
  }
}

TEST_F(Appraisal, IgnoresComponentsInPcrsThatTheQuoteDoesNotCover) {
  policy_.required_components = {"shamond"};
  trust("shamond", "daemon");
  measure("shamond", "daemon", 12);
  // The log then speaks of a PCR that nobody signed: that is no evidence at all.
  expect(attest(), AppraisalRule::quote_shape, TrustTier::none);
}

TEST_F(Appraisal, JudgesTheCapturedMachinesByTheirQuotes) {
  std::string const root = std::string(SHAMON_SOURCE_DIR) + "/tests/data/captured/";
  for (std::string const kind : {"clean", "untrusted"}) {
    for (std::string const key : {"ecc", "rsa"}) {
      SCOPED_TRACE(kind + " " + key);
      auto file = [&](std::string const& name) { return read_file(root + kind + name).value(); };
      auto const area = parse_tpm_public(file("/ak-" + key + ".tpub")).value();
      ReferenceValues reference;
      AppraisalPolicy policy;
      policy.require_ima = true;
      policy.check_ima_files = true;
      AppraisalMemory memory;
      AppraisalResult result;
      for (std::string const quote : {"/quote1/", "/quote2/"}) {
        Evidence evidence;
        evidence.attest = file(quote + "quote-" + key + ".msg");
        evidence.signature = file(quote + "quote-" + key + ".sig");
        evidence.event_log = file(quote + "binary_bios_measurements");
        evidence.ima_log = file(quote + "binary_runtime_measurements");
        evidence.ima_offset = memory.ima_offset;
        evidence.ima_log.erase(evidence.ima_log.begin(),
                               evidence.ima_log.begin() + memory.ima_offset);
        Bytes const nonce_file = file(quote + "nonce");
        std::string_view const nonce = as_text(nonce_file).substr(0, 64);
        Challenge const challenge{*from_hex(nonce), {kBank, kMask}, memory.ima_offset, 0};
        if (!memory.valid) {
          // The first boot is taken as the reference: every event and file of it.
          EventLog const events = parse_event_log(evidence.event_log).value();
          for (BootEvent const& event : events.events) {
            for (Digest const& digest : event.digests) {
              reference.add({"firmware", digest, true, "first boot", {}});
              reference.add({"boot", digest, true, "first boot", {}});
            }
          }
          auto const ima = parse_ima_binary(evidence.ima_log).value();
          for (ImaEntry const& entry : ima.entries) {
            reference.add(
                {"file:" + std::string(entry.path), entry.file_digest, true, "first boot", {}});
          }
        }
        result = appraise(evidence, challenge, area, reference, policy, memory, kNow);
        if (!memory.valid) {
          ASSERT_TRUE(result.accepted) << result.findings[0].text;
          EXPECT_EQ(result.ima_entries, 41u);
          memory = result.memory;
        }
      }
      EXPECT_EQ(result.accepted, kind == "clean");
      if (kind == "clean") continue;
      ASSERT_EQ(result.findings.size(), 1u);
      EXPECT_EQ(result.findings[0].rule, AppraisalRule::component_unknown);
      EXPECT_EQ(result.findings[0].component, "/usr/bin/untrusted");
      EXPECT_EQ(result.findings[0].entry, 41u);
    }
  }
}

struct NameRow {
  char const* what;
  Bytes data;
  std::optional<std::string> name;
};

TEST(ComponentEvent, ReadsBackWhatItWroteAndNothingElse) {
  for (std::string const name : {"shamon-gate", "file:/usr/bin/x y", "config/gate"}) {
    EXPECT_EQ(parse_component_event_data(encode_component_event_data(name)), name);
  }
  auto text = [](std::string_view s) { return to_bytes(s); };
  using namespace std::string_view_literals;
  std::vector<NameRow> const rows = {
      {"empty", {}, {}},
      {"no prefix", text("gate\0"sv), {}},
      {"no zero", text("shamon:component=gate"), {}},
      {"no name", text("shamon:component=\0"sv), {}},
      {"inner zero", text("shamon:component=ga\0te\0"sv), {}},
      {"control character", text("shamon:component=ga\nte\0"sv), {}},
      {"longest", text("shamon:component=" + std::string(1024, 'a') + '\0'),
       std::string(1024, 'a')},
      {"too long", text("shamon:component=" + std::string(1025, 'a') + '\0'), {}},
  };
  for (NameRow const& row : rows) {
    EXPECT_EQ(parse_component_event_data(row.data), row.name) << row.what;
  }
}

}  // namespace
}  // namespace shamon
