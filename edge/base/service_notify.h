// Tells the service manager about our state (sd_notify(3)): "READY=1", "STOPPING=1".
#pragma once
#include "edge/base/bytes.h"

namespace nodex {

// One datagram to the Unix socket that $NOTIFY_SOCKET names; nothing when it names none.
void notify_service_manager(Bytes state) noexcept;

}  // namespace nodex
