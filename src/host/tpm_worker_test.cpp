#include "host/tpm_worker.hpp"

#include <atomic>

#include <gtest/gtest.h>

#include "attestation/tpm/swtpm_fixture.hpp"

namespace shamon {
namespace {

using namespace std::chrono_literals;

TEST(TpmWorker, answers_come_back_on_the_loop_in_the_order_they_were_asked) {
  if (auto missing = testing::SwTpm::missing(); !missing.empty()) GTEST_SKIP() << missing;
  auto tpm = testing::SwTpm::start();
  ASSERT_TRUE(tpm) << tpm.error().describe();
  EventLoop loop;
  TpmWorker worker(loop, (*tpm)->tcti());
  auto const loop_thread = std::this_thread::get_id();
  std::vector<int> order;
  for (int job = 0; job < 5; ++job) {
    worker.run<std::vector<HashAlgorithm>>(
        [loop_thread](Tpm& t) {
          EXPECT_NE(std::this_thread::get_id(), loop_thread) << "a quote would stop the loop";
          return t.active_banks();
        },
        [&, job](Result<std::vector<HashAlgorithm>> banks) {
          EXPECT_EQ(std::this_thread::get_id(), loop_thread);
          ASSERT_TRUE(banks) << banks.error().describe();
          EXPECT_EQ(*banks, std::vector{HashAlgorithm::sha256});
          order.push_back(job);
        });
  }
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 5; }, 20s));
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
}

TEST(TpmWorker, a_tpm_that_is_not_there_is_an_error_and_not_a_wait) {
  EventLoop loop;
  TpmWorker worker(loop, "swtpm:path=/nonexistent/socket");
  std::optional<Error> error;
  worker.run<std::vector<HashAlgorithm>>([](Tpm& t) { return t.active_banks(); },
                                         [&](Result<std::vector<HashAlgorithm>> banks) {
                                           ASSERT_FALSE(banks);
                                           error = banks.error();
                                         });
  ASSERT_TRUE(loop.run_until([&] { return error.has_value(); }, 20s));
  EXPECT_EQ(error->code, Errc::unreachable) << error->describe();
}

TEST(TpmWorker, its_end_waits_for_the_job_in_hand_and_drops_the_rest) {
  if (auto missing = testing::SwTpm::missing(); !missing.empty()) GTEST_SKIP() << missing;
  auto tpm = testing::SwTpm::start();
  ASSERT_TRUE(tpm) << tpm.error().describe();
  EventLoop loop;
  std::atomic<int> begun = 0, ended = 0;
  {
    TpmWorker worker(loop, (*tpm)->tcti());
    for (int job = 0; job < 3; ++job) {
      worker.run<int>(
          [&](Tpm&) -> Result<int> {
            ++begun;
            std::this_thread::sleep_for(100ms);
            ++ended;
            return 0;
          },
          [](Result<int>) {});
    }
    while (begun == 0) std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(begun, 1);
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace shamon
