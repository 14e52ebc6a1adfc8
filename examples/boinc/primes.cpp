// The science application: counts the primes of the range in file `in`, writes the count to `out`.
// BOINC runs it in a slot folder that holds `in`; the empty file boinc_finish_called tells the
// client that the application ended by itself and did not crash (BOINC wiki: BasicApi).
#include <cstdint>
#include <cstdio>
#include <fstream>

namespace {

/// Trial division: slow on purpose, a job shall be work.
bool is_prime(std::uint64_t number) {
  if (number < 4) return number > 1;
  if (number % 2 == 0) return false;
  for (std::uint64_t divisor = 3; divisor * divisor <= number; divisor += 2) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace

int main() {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::ifstream in("in");
  if (!(in >> first >> end) || end < first || end - first > 100'000'000) {
    std::fputs("primes: file 'in' must hold two numbers, the first not above the second\n", stderr);
    return 1;
  }
  std::uint64_t count = 0;
  for (auto number = first; number < end; ++number) count += is_prime(number) ? 1 : 0;
  std::ofstream out("out");
  out << count << '\n';
  out.close();
  std::ofstream finished("boinc_finish_called");
  finished << "0\n";
  finished.close();
  return out && finished ? 0 : 1;
}
