// The TPM works on a thread of its own: a quote takes from 0.4 ms to most of a second, and a
// revocation must not wait for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "attestation/tpm.hpp"
#include "net/event_loop.hpp"

namespace shamon {

class TpmWorker {
 public:
  TpmWorker(EventLoop& loop, std::string tcti);
  ~TpmWorker();  ///< finishes the job in hand, drops the rest

  /// Runs `job` with a fresh connection to the TPM, then `done` with its result on the loop.
  template <class T>
  void run(std::function<Result<T>(Tpm&)> job, std::function<void(Result<T>)> done) {
    enqueue([this, job = std::move(job), done = std::move(done)]() mutable {
      auto tpm = open_tpm(tcti_);
      auto result = std::make_shared<Result<T>>(tpm ? job(**tpm) : Result<T>(pass(tpm)));
      if (tpm) tpm->reset();  // disconnect before the answer can cause the next job
      loop_.post([result, done = std::move(done)] { done(std::move(*result)); });
    });
  }

 private:
  void enqueue(std::function<void()> job);
  void work();

  EventLoop& loop_;
  std::string tcti_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace shamon
