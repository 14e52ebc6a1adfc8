// Which names a label of a policy in force may have.
#pragma once

#include <string_view>

namespace shamon {

/// 1..63 bytes, none of them a control character. Wider than is_valid_name (base/ids.hpp), because
/// imported policies keep the names they came with; the policy language has more to say about which
/// it takes (policy/language/spelling.hpp).
bool is_valid_label_name(std::string_view text) noexcept;

}  // namespace shamon
