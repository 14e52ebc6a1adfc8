#include "job_board.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "limits.hpp"

namespace boinc_example {

using shamon::Errc;
using shamon::fail;

std::uint64_t count_primes_by_sieve(Range range) {
  auto const first = std::max<std::uint64_t>(range.first, 2);
  if (range.end <= first) return 0;
  std::uint64_t root = 1;
  while (root * root < range.end) ++root;
  std::vector<bool> small_composite(root + 1);
  std::vector<bool> composite(range.end - first);
  for (std::uint64_t p = 2; p <= root; ++p) {
    if (small_composite[p]) continue;
    for (auto m = p * p; m <= root; m += p) small_composite[m] = true;
    for (auto m = std::max(p * p, (first + p - 1) / p * p); m < range.end; m += p) {
      composite[m - first] = true;
    }
  }
  return static_cast<std::uint64_t>(std::ranges::count(composite, false));
}

std::vector<Job const*> JobBoard::assign(std::string const& client,
                                         std::vector<std::uint64_t> const& has) {
  std::vector<Job const*> assigned;
  auto const room = kJobsInProgressMax - std::min(kJobsInProgressMax, has.size());
  for (auto& [number, job] : jobs_) {
    if (assigned.size() == room) return assigned;
    if (job.state != JobState::sent || job.client != client) continue;
    if (std::ranges::find(has, number) == has.end()) assigned.push_back(&job);
  }
  while (assigned.size() < room) {
    auto const number = ++last_number_;
    auto const first = kFirstNumber + (number - 1) * kNumbersPerJob;
    auto const [at, added] = jobs_.emplace(
        number, Job{number, {first, first + kNumbersPerJob}, JobState::sent, client, {}});
    assigned.push_back(&at->second);
    // Old jobs come first in the map; what is assigned in this call is never among them.
    if (added && jobs_.size() > kJobsRememberedMax) jobs_.erase(jobs_.begin());
  }
  return assigned;
}

Job const* JobBoard::find(std::uint64_t number) const {
  auto const at = jobs_.find(number);
  return at == jobs_.end() ? nullptr : &at->second;
}

shamon::Status JobBoard::upload(std::uint64_t number, std::string_view output) {
  auto const at = jobs_.find(number);
  if (at == jobs_.end()) return fail(Errc::not_found, "no such job");
  if (output.size() > kOutputBytesMax) return fail(Errc::too_large, "output exceeds the limit");
  if (at->second.state == JobState::done) return {};
  at->second.output = output;
  at->second.state = JobState::uploaded;
  return {};
}

shamon::Result<Outcome> JobBoard::report(std::uint64_t number) {
  auto const at = jobs_.find(number);
  if (at == jobs_.end()) return fail(Errc::not_found, "no such job");
  auto& job = at->second;
  bool const uploaded = job.state == JobState::uploaded;
  // A client reports a job once, also one that failed; giving it out again would fail again.
  job.state = JobState::done;
  if (!uploaded) return fail(Errc::conflict, "nothing new was uploaded");
  Outcome outcome{number, 0, false};
  auto const* const end = job.output.data() + job.output.size();
  auto const [stop, error] = std::from_chars(job.output.data(), end, outcome.primes);
  bool const is_number = error == std::errc{} && (stop == end || *stop == '\n');
  outcome.correct = is_number && outcome.primes == count_primes_by_sieve(job.range);
  return outcome;
}

std::string job_name(std::uint64_t number) {
  return fmt::format("job_{}", number);
}
std::string input_name(std::uint64_t number) {
  return job_name(number) + "_in";
}
std::string output_name(std::uint64_t number) {
  return job_name(number) + "_out";
}

std::optional<std::uint64_t> job_of_name(std::string_view name, std::string_view suffix) {
  if (!name.starts_with("job_") || !name.ends_with(suffix)) return std::nullopt;
  name.remove_prefix(4);
  if (name.size() <= suffix.size()) return std::nullopt;
  name.remove_suffix(suffix.size());
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

std::string input_of(Job const& job) {
  return fmt::format("{} {}\n", job.range.first, job.range.end);
}

}  // namespace boinc_example
