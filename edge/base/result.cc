// Names of error codes and the assertion handler.
#include "edge/base/result.h"

#include <cstdio>
#include <cstdlib>

namespace nodex {

void assert_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "nodex: assertion failed: %s at %s:%d\n", condition, file, line);
    std::abort();
}

const char* name(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::none: return "none";
        case ErrorCode::cancelled: return "cancelled";
        case ErrorCode::timed_out: return "timed_out";
        case ErrorCode::peer_closed: return "peer_closed";
        case ErrorCode::connection_reset: return "connection_reset";
        case ErrorCode::connection_refused: return "connection_refused";
        case ErrorCode::name_not_found: return "name_not_found";
        case ErrorCode::limit_exceeded: return "limit_exceeded";
        case ErrorCode::malformed: return "malformed";
        case ErrorCode::unsupported: return "unsupported";
        case ErrorCode::not_found: return "not_found";
        case ErrorCode::already_exists: return "already_exists";
        case ErrorCode::forbidden: return "forbidden";
        case ErrorCode::overflow: return "overflow";
        case ErrorCode::insufficient_funds: return "insufficient_funds";
        case ErrorCode::stale: return "stale";
        case ErrorCode::corrupt: return "corrupt";
        case ErrorCode::storage_full: return "storage_full";
        case ErrorCode::storage_failed: return "storage_failed";
        case ErrorCode::tls_handshake_failed: return "tls_handshake_failed";
        case ErrorCode::tls_certificate_invalid: return "tls_certificate_invalid";
        case ErrorCode::no_buffers: return "no_buffers";
        case ErrorCode::out_of_descriptors: return "out_of_descriptors";
        case ErrorCode::io_failure: return "io_failure";
        case ErrorCode::bad_configuration: return "bad_configuration";
        case ErrorCode::unavailable: return "unavailable";
    }
    return "unknown";
}

const char* name(ErrorSource source) noexcept {
    switch (source) {
        case ErrorSource::self: return "self";
        case ErrorSource::client: return "client";
        case ErrorSource::provider: return "provider";
        case ErrorSource::central: return "central";
        case ErrorSource::kernel: return "kernel";
        case ErrorSource::tls: return "tls";
        case ErrorSource::storage: return "storage";
        case ErrorSource::configuration: return "configuration";
    }
    return "unknown";
}

}  // namespace nodex
