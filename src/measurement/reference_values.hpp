// Reference values: measurements that are known, and whether they are trusted (RFC 9334 §8.3).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "crypto/hash.hpp"

namespace shamon {

/// `component` is what is measured, by role: "firmware", "kernel", "initrd", "shamond",
/// "shamon-gate", "config/gate", "policy", or "file:/usr/bin/boinc" for an IMA entry.
struct ReferenceValue {
  std::string component;
  Digest digest;
  bool trusted = false;
  std::string source;                     ///< package, image or manifest it comes from
  std::optional<WallTime> retired_after;  ///< a package update's grace window ends here
};

class ReferenceValues {
 public:
  void add(ReferenceValue value);
  /// Removes all with this digest and component; returns how many.
  std::size_t remove(std::string const& component, Digest const& digest);
  enum class Standing { trusted, untrusted, retired, unknown };
  Standing standing(std::string const& component, Digest const& digest, WallTime now) const;
  /// Any component: for IMA entries, where the file name is only a hint.
  Standing standing(Digest const& digest, WallTime now) const;
  std::vector<ReferenceValue> known(std::string const& component) const;
  std::vector<ReferenceValue> const& all() const noexcept { return values_; }

 private:
  std::vector<ReferenceValue> values_;
  std::multimap<Digest, std::size_t> by_digest_;
};

}  // namespace shamon
