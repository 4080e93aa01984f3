// What the ledger's verbs answer where they do nothing.
#pragma once

#include "edge/base/result.h"

namespace nodex::replication {

// The caller asked for what the ledger's rules do not allow; nothing was changed.
inline Error refused(ErrorCode code) noexcept {
    return {code, ErrorSource::client};
}

// A row that should be there is not, or cannot be decoded: the store is damaged.
inline Error corrupt() noexcept {
    return {ErrorCode::corrupt, ErrorSource::storage};
}

}  // namespace nodex::replication
