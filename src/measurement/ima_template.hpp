// The fields of an IMA template, as both forms of a measurement list carry them. Internal to
// measurement/.
#pragma once

#include <optional>
#include <string_view>

#include "measurement/ima_log.hpp"

namespace shamon::ima {

/// How the fields after file digest and name stand in an entry.
struct Template {
  std::string_view name;
  std::size_t fields = 0;  ///< the file digest and the name included
  bool third_is_signature = false;
  bool in_ascii = false;  ///< we can rebuild its template data from ascii
};
/// nullptr for a template we do not know.
Template const* find_template(std::string_view name) noexcept;
/// The original template of 2009: no length fields, the name padded when it is hashed.
inline constexpr std::string_view kOldTemplate = "ima";
/// Bytes of the name that the old template hashes (kernel: IMA_EVENT_NAME_LEN_MAX + 1).
inline constexpr std::size_t kOldNameBytes = 256;

/// Reads "sha256:" ‖ 0 ‖ digest or "ima:sha256:" ‖ 0 ‖ digest into the entry. Returns what is
/// wrong.
std::optional<Error> set_file_digest(ByteView field, ImaEntry& entry);
/// A digest and whether it stands for a violation: any algorithm's length, all zero.
bool is_all_zero(ByteView bytes) noexcept;
/// The hashed form of an entry of the old template.
Bytes old_template_data(ByteView file_digest, std::string_view name);

/// Collects data that an entry's views cannot find in the log itself. Views are set at the end,
/// when the buffer no longer moves.
class RebuiltData {
 public:
  void add(std::size_t entry_index, ByteView data);
  /// Moves the buffer into the log and points the entries at it.
  void hand_over(ImaLog& log) &&;

 private:
  struct Place {
    std::size_t entry;
    std::size_t begin;
    std::size_t size;
  };
  Bytes buffer_;
  std::vector<Place> places_;
};

}  // namespace shamon::ima
