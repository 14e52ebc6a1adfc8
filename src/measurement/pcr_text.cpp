#include "measurement/pcr_text.hpp"

#include <charconv>

#include <fmt/format.h>

#include "base/encoding.hpp"

namespace shamon {
namespace {

std::string_view trimmed(std::string_view text) {
  auto const blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

Status add_bank(std::string_view name, std::uint64_t offset, std::vector<PcrBank>& banks) {
  Result<HashAlgorithm> const algorithm = parse_hash_algorithm(name);
  if (!algorithm) return fail_at(Errc::unsupported, offset, "PCR bank we do not have");
  for (PcrBank const& bank : banks) {
    if (bank.algorithm() == *algorithm) {
      return fail_at(Errc::malformed, offset, fmt::format("bank {} stands there twice", name));
    }
  }
  banks.emplace_back(*algorithm);
  return {};
}

Status add_value(std::string_view key, std::string_view value, std::uint64_t offset,
                 std::vector<PcrBank>& banks) {
  unsigned pcr = 0;
  auto const [end, error] = std::from_chars(key.data(), key.data() + key.size(), pcr);
  if (error != std::errc{} || end != key.data() + key.size() || pcr >= kPcrCount) {
    return fail_at(Errc::malformed, offset, "line does not begin with a PCR number");
  }
  if (banks.empty()) return fail_at(Errc::malformed, offset, "PCR value before any bank");
  if (value.starts_with("0x") || value.starts_with("0X")) value.remove_prefix(2);
  Result<Bytes> const bytes = from_hex(value);
  if (!bytes) return fail_at(Errc::malformed, offset, "PCR value is not hexadecimal");
  PcrBank& bank = banks.back();
  Result<Digest> const digest = Digest::from_bytes(bank.algorithm(), *bytes);
  if (!digest) {
    return fail_at(Errc::malformed, offset, fmt::format("PCR value of {} bytes", bytes->size()));
  }
  PcrIndex const index{static_cast<std::uint8_t>(pcr)};
  if (bank.touched(index)) {
    return fail_at(Errc::malformed, offset, fmt::format("PCR {} stands there twice", pcr));
  }
  bank.set(index, *digest);
  return {};
}

}  // namespace

Result<std::vector<PcrBank>> parse_pcr_text(std::string_view text) {
  std::vector<PcrBank> banks;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const end = std::min(text.find('\n', at), text.size());
    std::string_view const line = trimmed(text.substr(at, end - at));
    std::size_t const colon = line.find(':');
    if (!line.empty() && colon == std::string_view::npos) {
      return fail_at(Errc::malformed, at, "line is neither a bank nor a PCR value");
    }
    if (!line.empty()) {
      std::string_view const key = trimmed(line.substr(0, colon));
      std::string_view const value = trimmed(line.substr(colon + 1));
      Status const added =
          value.empty() ? add_bank(key, at, banks) : add_value(key, value, at, banks);
      if (!added) return pass(added);
    }
    at = end + 1;
  }
  return banks;
}

}  // namespace shamon
