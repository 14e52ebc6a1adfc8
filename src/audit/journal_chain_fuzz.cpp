// Bytes as journal files, and a journal of ours with a mutation in it: whatever is changed before
// the last signed head must be found.
#include <cstdlib>

#include "audit/avc.hpp"
#include "audit/chain_fixture.hpp"
#include "audit/ocsf.hpp"

namespace {

using namespace shamon;

std::string const& ours() {
  static std::string const text =
      TestJournal().records(3).head().records(2).head("shutdown").text();
  return text;
}

void read_as_it_is(ByteView input) {
  ChainExpectations expected;
  expected.keys.push_back(journal_key().public_key());
  std::size_t const half = input.size() / 2;
  JournalFile const files[] = {{"a", input.first(half)}, {"b", input.subspan(half)}};
  // Nobody but us signs with this key.
  if (verify_chain(files, expected).heads != 0) std::abort();
  JournalFile const one{"a", input};
  if (verify_chain(std::span(&one, 1), expected).heads != 0) std::abort();
  if (auto const line = parse_audit_line(as_text(input)); line && line->record) {
    for (auto const& text : to_audit_lines(*line->record, test_writer())) {
      if (text.find('\n') != std::string::npos) std::abort();
    }
    if (to_ocsf(*line->record, test_writer()).find('\n') != std::string::npos) std::abort();
  }
}

/// data: position (2 bytes), length (1), then what stands there instead.
void change_ours(ByteView input) {
  if (input.size() < 3) return;
  std::string text = ours();
  std::size_t const at = (std::size_t{input[0]} << 8 | input[1]) % text.size();
  text.replace(at, input[2], as_text(input.subspan(3)));
  ChainVerdict const verdict = verify_text(text);
  bool const ends = verdict.holds() && verdict.ended_cleanly && verdict.torn_bytes == 0;
  if (ends && text != ours()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  read_as_it_is({data, size});
  change_ours({data, size});
  return 0;
}
