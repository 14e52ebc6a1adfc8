// What a daemon agrees with its service manager: how it is (systemd's readiness protocol,
// sd_notify(3), without its library) and how much it may open.
#pragma once

namespace shamon {

/// Sends one state, as "READY=1", to NOTIFY_SOCKET. Without a service manager: nothing.
void notify_service_manager(char const* state);

/// A connection is a descriptor, and the customary soft limit of 1,024 is there for programs that
/// use select(2). Takes what the hard limit allows.
void take_every_descriptor() noexcept;

}  // namespace shamon
