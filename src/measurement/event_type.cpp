// Names of event types: TCG PC Client Platform Firmware Profile 1.05 §10.4.1, table 27.
#include <array>

#include <fmt/format.h>

#include "measurement/event_log.hpp"

namespace shamon {
namespace {

struct NamedType {
  std::uint32_t type;
  std::string_view name;
};

constexpr std::array kNamedTypes{
    NamedType{0x00000000, "EV_PREBOOT_CERT"},
    NamedType{0x00000001, "EV_POST_CODE"},
    NamedType{0x00000003, "EV_NO_ACTION"},
    NamedType{0x00000004, "EV_SEPARATOR"},
    NamedType{0x00000005, "EV_ACTION"},
    NamedType{0x00000006, "EV_EVENT_TAG"},
    NamedType{0x00000007, "EV_S_CRTM_CONTENTS"},
    NamedType{0x00000008, "EV_S_CRTM_VERSION"},
    NamedType{0x00000009, "EV_CPU_MICROCODE"},
    NamedType{0x0000000a, "EV_PLATFORM_CONFIG_FLAGS"},
    NamedType{0x0000000b, "EV_TABLE_OF_DEVICES"},
    NamedType{0x0000000c, "EV_COMPACT_HASH"},
    NamedType{0x0000000d, "EV_IPL"},
    NamedType{0x0000000e, "EV_IPL_PARTITION_DATA"},
    NamedType{0x0000000f, "EV_NONHOST_CODE"},
    NamedType{0x00000010, "EV_NONHOST_CONFIG"},
    NamedType{0x00000011, "EV_NONHOST_INFO"},
    NamedType{0x00000012, "EV_OMIT_BOOT_DEVICE_EVENTS"},
    NamedType{0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    NamedType{0x80000002, "EV_EFI_VARIABLE_BOOT"},
    NamedType{0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    NamedType{0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"},
    NamedType{0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    NamedType{0x80000006, "EV_EFI_GPT_EVENT"},
    NamedType{0x80000007, "EV_EFI_ACTION"},
    NamedType{0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    NamedType{0x80000009, "EV_EFI_HANDOFF_TABLES"},
    NamedType{0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    NamedType{0x8000000b, "EV_EFI_HANDOFF_TABLES2"},
    NamedType{0x8000000c, "EV_EFI_VARIABLE_BOOT2"},
    NamedType{0x80000010, "EV_EFI_HCRTM_EVENT"},
    NamedType{0x800000e0, "EV_EFI_VARIABLE_AUTHORITY"},
    NamedType{0x800000e1, "EV_EFI_SPDM_FIRMWARE_BLOB"},
    NamedType{0x800000e2, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
};

}  // namespace

std::string event_type_name(std::uint32_t type) {
  for (NamedType const& named : kNamedTypes) {
    if (named.type == type) return std::string(named.name);
  }
  return fmt::format("0x{:08x}", type);
}

}  // namespace shamon
