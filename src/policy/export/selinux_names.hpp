// Labels as SELinux spells them. One spelling for exported policy, for audit records and for IPsec,
// so that SELinux's own tools see the same types in each.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace shamon {

/// The user, role and class of exported policy, and the contexts of audit records.
inline constexpr std::string_view kSelinuxUser = "shamon_u";
inline constexpr std::string_view kSelinuxRole = "vm_r";
inline constexpr std::string_view kSelinuxClass = "shamon_vm";
/// What has no label, or one that is not known: the type of no label.
inline constexpr std::string_view kUnlabeledType = "unlabeled_t";

/// The type of a label: "green" is green_t. Different labels have different types, whatever their
/// names. Letters, digits and _ stay; any other byte, and a _ before an x, becomes _xHH_ (two
/// lower-case hexadecimal digits). A name that does not start with a letter, and "unlabeled", get
/// label_x_ in front. The result is an identifier for secilc and checkpolicy.
std::string selinux_type(LabelName const& label);

/// "shamon_u:vm_r:green_t:s0", the form of audit records.
std::string selinux_context(std::string_view type);

/// The label whose type this is: the inverse of selinux_type, to read tools' output. Empty if the
/// text is the type of no label.
LabelName label_of_selinux_type(std::string_view type);

/// "; text", a line of CIL that says something to people; what is not printable ASCII becomes ?.
std::string cil_comment(std::string_view text);

}  // namespace shamon
