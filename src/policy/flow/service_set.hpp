// Sets of services, exactly: what one policy lets pass that another does not.
#pragma once

#include <string>
#include <vector>

#include "policy/service.hpp"

namespace shamon {

/// A set of (protocol, port) pairs, kept as sorted ranges that neither touch nor overlap.
class ServiceSet {
 public:
  void add(ServicePattern pattern);
  void add_everything();
  bool empty() const noexcept { return ranges_.empty(); }
  ServiceSet without(ServiceSet const& other) const;
  /// "every service", "tcp, udp/9000-9010", "every service except udp/9000"; "" if empty.
  std::string describe() const;
  friend bool operator==(ServiceSet const&, ServiceSet const&) = default;

 private:
  /// protocol << 16 | port, both ends included.
  struct Range {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    friend bool operator==(Range const&, Range const&) = default;
  };
  void add(Range range);
  std::string list() const;

  std::vector<Range> ranges_;
};

}  // namespace shamon
