// Measurements into a real TPM, with tpm2_eventlog as the second reader of our log.
#include "attestation/measured_log.hpp"

#include <gtest/gtest.h>

#include "attestation/appraisal.hpp"
#include "attestation/soft_tpm.hpp"
#include "attestation/tpm/swtpm_fixture.hpp"
#include "base/file.hpp"
#include "measurement/verify_logs.hpp"

namespace shamon {
namespace {

using testing::has_program;
using testing::run_command;
using testing::SwTpm;

constexpr std::uint32_t kFirst16 = 0xffff;

class MeasuredLog : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto const missing = SwTpm::missing(); !missing.empty()) GTEST_SKIP() << missing;
    auto started = SwTpm::start({.banks = "sha1,sha256,sha384"});
    ASSERT_TRUE(started) << started.error().describe();
    swtpm_ = std::move(*started);
  }
  std::string log() const { return swtpm_->folder() + "/event_log"; }
  void measure_boot(Tpm& tpm) {
    ASSERT_TRUE(
        measure_event(tpm, log(), PcrIndex(0), EventType::s_crtm_version, as_bytes("stand-in 1")));
    ASSERT_TRUE(measure_separators(tpm, log()));
    ASSERT_TRUE(measure_component(tpm, log(), PcrIndex(9), "shamond", as_bytes("the daemon")));
    std::string const file = swtpm_->folder() + "/gate";
    ASSERT_TRUE(write_file_atomically(file, as_bytes("the gate")));
    ASSERT_TRUE(measure_component(tpm, log(), PcrIndex(9), "shamon-gate", FileContent{file}));
  }
  std::unique_ptr<SwTpm> swtpm_;
};

TEST_F(MeasuredLog, ReplaysToTheQuoteInEveryBank) {
  auto const tpm = open_tpm(swtpm_->tcti()).value();
  measure_boot(*tpm);
  auto const ak = tpm->create_ak(KeyType::ecdsa_p256).value();
  auto const key = parse_tpm_public(ak.public_area).value().key;
  auto const banks = tpm->active_banks().value();
  for (HashAlgorithm bank : banks) {
    Challenge const challenge{random_bytes(32), {bank, kFirst16}, 0, 0};
    auto const evidence = collect_evidence(*tpm, ak, challenge, {log(), {}});
    ASSERT_TRUE(evidence) << evidence.error().describe();
    auto const quote =
        verify_quote(key, evidence->attest, evidence->signature, challenge.nonce).value();
    auto const events = parse_event_log(evidence->event_log).value();
    EXPECT_EQ(events.banks.size(), 3u);
    EXPECT_EQ(events.events.size(), 1u + 1 + 8 + 2);
    auto const matched = match_logs_to_quote(quote, &events, nullptr);
    EXPECT_TRUE(matched) << matched.error().error.describe();
  }
}

TEST_F(MeasuredLog, IsReadByTpm2Eventlog) {
  if (!has_program("tpm2_eventlog")) {
    GTEST_SKIP() << "tpm2_eventlog is missing: install the Debian package tpm2-tools";
  }
  std::string pcr9;
  {
    auto const tpm = open_tpm(swtpm_->tcti()).value();
    measure_boot(*tpm);
    pcr9 = tpm->read_pcrs({HashAlgorithm::sha256, 1u << 9}).value()[0].hex();
  }
  auto const read = run_command({"tpm2_eventlog", log()}, swtpm_->folder());
  ASSERT_EQ(read.exit_code, 0) << read.output;
  EXPECT_NE(read.output.find("EV_IPL"), std::string::npos);
  EXPECT_NE(read.output.find("shamon:component=shamon-gate"), std::string::npos) << read.output;
  EXPECT_NE(read.output.find("EV_S_CRTM_VERSION"), std::string::npos);
  EXPECT_NE(read.output.find(pcr9), std::string::npos) << read.output;
  // It expects command lines in PCR 8 and files, as ours are, in PCR 9 and 14.
  EXPECT_EQ(read.output.find("WARN"), std::string::npos) << read.output;
}

TEST_F(MeasuredLog, AnEventWrittenButNotExtendedIsSeen) {
  auto const tpm = open_tpm(swtpm_->tcti()).value();
  measure_boot(*tpm);
  auto const ak = tpm->create_ak(KeyType::ecdsa_p256).value();
  auto const key = parse_tpm_public(ak.public_area).value().key;
  // As after a crash between the two steps.
  Bytes const whole = read_file(log()).value();
  auto events = parse_event_log(whole).value();
  ASSERT_TRUE(append_to_file(log(), encode_event(events.events.back())));
  Challenge const challenge{random_bytes(32), {HashAlgorithm::sha256, kFirst16}, 0, 0};
  auto const evidence = collect_evidence(*tpm, ak, challenge, {log(), {}}).value();
  auto const quote =
      verify_quote(key, evidence.attest, evidence.signature, challenge.nonce).value();
  auto const longer = parse_event_log(evidence.event_log).value();
  EXPECT_FALSE(match_logs_to_quote(quote, &longer, nullptr));
  EXPECT_TRUE(match_logs_to_quote(quote, &events, nullptr));
}

TEST_F(MeasuredLog, RefusesALogOfOtherBanksOrOneThatIsBroken) {
  SoftTpm soft;
  ASSERT_TRUE(measure_component(soft, log(), PcrIndex(8), "x", as_bytes("x")));
  auto const tpm = open_tpm(swtpm_->tcti()).value();
  auto const before = tpm->read_pcrs({HashAlgorithm::sha256, 1u << 8}).value();
  auto const refused = measure_component(*tpm, log(), PcrIndex(8), "y", as_bytes("y"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  ASSERT_TRUE(append_to_file(log(), as_bytes("broken")));
  EXPECT_FALSE(measure_component(soft, log(), PcrIndex(8), "y", as_bytes("y")));
  EXPECT_FALSE(measure_component(*tpm, "/nonexistent/log", PcrIndex(8), "y", as_bytes("y")));
  EXPECT_FALSE(measure_component(soft, swtpm_->folder() + "/new", PcrIndex(8), "y",
                                 FileContent{"/nonexistent/file"}));
  EXPECT_EQ(tpm->read_pcrs({HashAlgorithm::sha256, 1u << 8}).value(), before);
}

}  // namespace
}  // namespace shamon
