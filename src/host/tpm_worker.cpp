#include "host/tpm_worker.hpp"

namespace shamon {

TpmWorker::TpmWorker(EventLoop& loop, std::string tcti)
    : loop_(loop), tcti_(std::move(tcti)), thread_([this] { work(); }) {}

TpmWorker::~TpmWorker() {
  {
    std::lock_guard const lock(mutex_);
    ending_ = true;
    jobs_.clear();
  }
  wake_.notify_one();
  thread_.join();
}

void TpmWorker::enqueue(std::function<void()> job) {
  {
    std::lock_guard const lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void TpmWorker::work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
      if (ending_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace shamon
