// The jobs of the example project: count the primes in a range. A pure value; no I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace boinc_example {

/// A half-open range of numbers.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

/// Counts primes with a segmented sieve: another method than the application's trial division,
/// so that the check is an independent one.
std::uint64_t count_primes_by_sieve(Range range);

enum class JobState : std::uint8_t { sent, uploaded, done };

struct Job {
  std::uint64_t number = 0;  ///< from 1
  Range range;
  JobState state = JobState::sent;
  std::string client;  ///< who works on it
  std::string output;  ///< what was uploaded
};

/// What came of a reported job.
struct Outcome {
  std::uint64_t job = 0;
  std::uint64_t primes = 0;
  bool correct = false;
};

class JobBoard {
 public:
  /// Jobs `client` should now work on beside those it `has`: a job that it lost is given again
  /// before a new one is made. At most kJobsInProgressMax minus what it has.
  std::vector<Job const*> assign(std::string const& client, std::vector<std::uint64_t> const& has);
  Job const* find(std::uint64_t number) const;
  /// Errors: `not_found`, `too_large` (kOutputBytesMax).
  shamon::Status upload(std::uint64_t number, std::string_view output);
  /// Errors: `not_found`; `conflict` if it was reported before or nothing was uploaded.
  shamon::Result<Outcome> report(std::uint64_t number);

 private:
  std::map<std::uint64_t, Job> jobs_;
  std::uint64_t last_number_ = 0;
};

/// "job_7" and its input and output files "job_7_in", "job_7_out".
std::string job_name(std::uint64_t number);
std::string input_name(std::uint64_t number);
std::string output_name(std::uint64_t number);
/// The job a name of the given suffix ("", "_in", "_out") speaks of.
std::optional<std::uint64_t> job_of_name(std::string_view name, std::string_view suffix);
/// The input file: two decimal numbers and a newline.
std::string input_of(Job const& job);

}  // namespace boinc_example
