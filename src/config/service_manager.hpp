// Telling the service manager how we are: systemd's readiness protocol (sd_notify(3)), without its
// library.
#pragma once

namespace shamon {

/// Sends one state, as "READY=1", to NOTIFY_SOCKET. Without a service manager: nothing.
void notify_service_manager(char const* state);

}  // namespace shamon
