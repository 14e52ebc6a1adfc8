// Terms of SMT-LIB 2.6 (theory FixedSizeBitVectors) as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shamon::smt {

/// A bit vector of 8, 16 or 32 bits: #x01bb.
std::string bits(std::uint64_t value, unsigned width_bits);
/// (or a b …); `false` if there is nothing to choose from.
std::string any_of(std::vector<std::string> const& terms);
/// (and a b …); `true` if nothing is asked for.
std::string all_of(std::vector<std::string> const& terms);
std::string equal(std::string_view a, std::string_view b);
/// KIND.NAME as a simple symbol (SMT-LIB 2.6 §3.1): bytes that one may not hold become %hh.
std::string symbol(std::string_view kind, std::string_view name);
/// (define-fun NAME (PARAMETERS) Bool BODY) on a line.
std::string define(std::string_view name, std::string_view parameters, std::string_view body);
/// "; TEXT" on a line. Bytes that could end the comment or upset a reader become '?'.
std::string comment(std::string_view text);

}  // namespace shamon::smt
