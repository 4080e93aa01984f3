// Meters what a request had produced when the process ended: for storage/recovery.h, which knows no
// dialect.
#pragma once
#include "storage/recovery.h"

namespace nodex::gateway {

// Output text of the logged chat events, four bytes a token rounded up, as counted_units() does for
// a provider that reports no usage; and how many whole events were logged.
storage::Delivered count_delivered(Bytes body, const storage::OpenRequest& request);

}  // namespace nodex::gateway
