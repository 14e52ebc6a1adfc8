// The program as it runs in a VM: a real vTPM, a terminal in place of the virtio port, and an IMA
// log as a file.
#include <gtest/gtest.h>
#include <poll.h>
#include <termios.h>

#include "attestation/appraisal.hpp"
#include "attestation/tpm/swtpm_fixture.hpp"
#include "attestation/vtpm_provision.hpp"
#include "base/byte_writer.hpp"
#include "base/file.hpp"
#include "guest/local_question.hpp"

namespace shamon::guest {
namespace {

using testing::run_command;
using testing::SwTpm;

constexpr WallTime kNow{1'790'000'000'000};
std::string const kProgram = std::string(SHAMON_BIN_DIR) + "/shamon-guest";

/// An entry of template ima-ng, and the same measurement in the TPM.
void measure_file(Tpm& tpm, Bytes& log, std::string const& path, std::string const& content) {
  ByteWriter data;
  Bytes hashed = to_bytes("sha256:");
  hashed.push_back(0);
  append(hashed, sha256(as_bytes(content)).bytes());
  data.u32le(static_cast<std::uint32_t>(hashed.size())).bytes(hashed);
  data.u32le(static_cast<std::uint32_t>(path.size() + 1)).bytes(as_bytes(path)).u8(0);
  ByteWriter entry;
  entry.u32le(10).bytes(hash(HashAlgorithm::sha1, data.view()).bytes());
  entry.u32le(6).bytes(as_bytes("ima-ng"));
  entry.u32le(static_cast<std::uint32_t>(data.view().size())).bytes(data.view());
  append(log, entry.view());
  ASSERT_TRUE(tpm.extend(PcrIndex(10), {sha256(data.view())}));
}

class GuestProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto const missing = SwTpm::missing(); !missing.empty()) GTEST_SKIP() << missing;
    if (::access(kProgram.c_str(), X_OK) != 0) GTEST_SKIP() << kProgram << " is not built";
    auto started = SwTpm::start();
    ASSERT_TRUE(started) << started.error().describe();
    swtpm_ = std::move(*started);
    auto ak = provision_vtpm(swtpm_->tcti());
    ASSERT_TRUE(ak) << ak.error().describe();
    ak_ = *ak;
    monitor_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(monitor_ && ::grantpt(monitor_.get()) == 0 && ::unlockpt(monitor_.get()) == 0);
    port_path_ = ::ptsname(monitor_.get());
    // Kept open here, so that the terminal stays raw and is not hung up between openers.
    port_.reset(::open(port_path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios raw{};
    ASSERT_EQ(::tcgetattr(port_.get(), &raw), 0);
    ::cfmakeraw(&raw);
    ASSERT_EQ(::tcsetattr(port_.get(), TCSANOW, &raw), 0);
  }
  void TearDown() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }

  std::string file(std::string const& name) const { return swtpm_->folder() + "/" + name; }
  void start_agent() {
    pid_ = testing::spawn({kProgram, "agent", "--port", port_path_, "--tcti", swtpm_->tcti(),
                           "--ima", file("ima"), "--socket", file("ask")},
                          file("agent-log"));
    ASSERT_GT(pid_, 0);
  }
  void tell(Frame const& frame) {
    Bytes const bytes = encode_frame(frame);
    ASSERT_EQ(::write(monitor_.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  Result<Frame> hear() {
    while (true) {
      auto next = reader_.next();
      if (!next) return pass(next);
      if (*next) return **next;
      pollfd waiting{monitor_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 20'000) <= 0) return fail(Errc::timeout, "the agent is silent");
      std::uint8_t buffer[4096];
      ssize_t const size = ::read(monitor_.get(), buffer, sizeof buffer);
      if (size <= 0) return fail_errno("read");
      reader_.feed({buffer, static_cast<std::size_t>(size)});
    }
  }

  std::unique_ptr<SwTpm> swtpm_;
  AttestationKey ak_;
  UniqueFd monitor_, port_;
  std::string port_path_;
  pid_t pid_ = -1;
  FrameReader reader_;
};

TEST_F(GuestProgram, AnswersChallengesThatTheMonitorAcceptsAndSendsSuffixesOnly) {
  Bytes log;
  auto run = [&](std::string const& path) {
    auto const tpm = open_tpm(swtpm_->tcti()).value();
    measure_file(*tpm, log, path, path);
    ASSERT_TRUE(write_file_atomically(file("ima"), log));
  };
  run("/init");
  start_agent();
  ReferenceValues reference;
  reference.add({"file:/init", sha256(as_bytes("/init")), true, "image", {}});
  AppraisalPolicy policy;
  policy.require_ima = true;
  policy.check_ima_files = true;
  auto const key = parse_tpm_public(ak_.public_area).value();
  AppraisalMemory memory;
  auto attest = [&](std::uint64_t sequence) -> AppraisalResult {
    Challenge const challenge{
        random_bytes(32), {HashAlgorithm::sha256, 1u << 10}, memory.ima_offset, memory.reset_count};
    tell(ChallengeFrame{sequence, challenge});
    auto const heard = hear();
    if (!heard || !std::holds_alternative<EvidenceFrame>(*heard)) {
      ADD_FAILURE() << (heard ? "another frame" : heard.error().describe());
      return {};
    }
    auto const& frame = std::get<EvidenceFrame>(*heard);
    EXPECT_EQ(frame.sequence, sequence);
    EXPECT_EQ(frame.evidence.ima_offset, memory.ima_offset);
    return appraise(frame.evidence, challenge, key, reference, policy, memory, kNow);
  };
  auto const first = attest(1);
  ASSERT_TRUE(first.accepted) << (first.findings.empty() ? "" : first.findings[0].text);
  memory = first.memory;
  EXPECT_EQ(memory.ima_offset, log.size());
  run("/usr/bin/untrusted");
  auto const second = attest(2);
  ASSERT_EQ(second.findings.size(), 1u);
  EXPECT_EQ(second.findings[0].rule, AppraisalRule::component_unknown);
  EXPECT_EQ(second.findings[0].component, "/usr/bin/untrusted");
  EXPECT_EQ(second.findings[0].entry, 1u);
}

TEST_F(GuestProgram, SaysWhyItCannotAnswer) {
  start_agent();  // there is no IMA log
  tell(ChallengeFrame{5, {Bytes(32, 1), {HashAlgorithm::sha256, 1u << 10}, 0, 0}});
  auto const heard = hear();
  ASSERT_TRUE(heard) << heard.error().describe();
  auto const* failure = std::get_if<FailureFrame>(&*heard);
  ASSERT_NE(failure, nullptr);
  EXPECT_NE(failure->text.find("ima"), std::string::npos) << failure->text;
}

TEST_F(GuestProgram, PassesTheThreeQuestionsOnAndIsNotHeldUpByASilentAsker) {
  start_agent();
  for (int i = 0; i < 1000 && ::access(file("ask").c_str(), F_OK) != 0; ++i) ::usleep(10'000);
  // Someone connects and never asks.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  file("ask").copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd const silent(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(silent.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  struct Row {
    std::vector<std::string> verb;
    Question question;
    std::string argument;
    bool yes;
    int exit_code;
  };
  std::vector<Row> const rows = {
      {{"label"}, Question::label, "", true, 0},
      {{"may-talk", "vm-b"}, Question::may_talk, "vm-b", false, 12},
      {{"attest"}, Question::attestation, "", true, 0},
  };
  for (Row const& row : rows) {
    std::vector<std::string> command = {kProgram};
    command.insert(command.end(), row.verb.begin(), row.verb.end());
    command.insert(command.end(), {"--socket", file("ask")});
    std::string const output = file("answer-" + row.verb[0]);
    pid_t const pid = testing::spawn(command, output);
    ASSERT_GT(pid, 0);
    auto const heard = hear();
    ASSERT_TRUE(heard) << heard.error().describe();
    auto const& query = std::get<QueryFrame>(*heard);
    EXPECT_EQ(query.question, row.question);
    EXPECT_EQ(query.argument, row.argument);
    tell(AnswerFrame{query.sequence, row.yes, "because"});
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), row.exit_code);
    EXPECT_EQ(read_text_file(output).value(), row.yes ? "yes because\n" : "no because\n");
  }
}

TEST(LocalQuestion, IsOneOfThreeAndNothingElse) {
  EXPECT_EQ(parse_local_question("label")->question, Question::label);
  EXPECT_EQ(parse_local_question("attest")->question, Question::attestation);
  EXPECT_EQ(parse_local_question("may-talk vm-b")->argument, "vm-b");
  for (char const* text : {"", "labels", "may-talk", "may-talk ", "LABEL", "attest now"}) {
    EXPECT_FALSE(parse_local_question(text)) << text;
  }
}

}  // namespace
}  // namespace shamon::guest
