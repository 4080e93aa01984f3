// `nodex-edge --reinstall`: for a POP whose registration is refused (storage/reinstall.h).
#pragma once
#include "edge/core/config.h"

namespace nodex::core {

// Ends what was running, sets the outbox aside in data_dir, gives the store a new install id.
// Nothing may serve from this data_dir. The log says what was done, or why not and what to do.
Status reinstall(const Config& config);

}  // namespace nodex::core
