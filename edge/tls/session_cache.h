// Client sessions to be resumed, by host. Thread-safe, bounded.
#pragma once
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/tls/handles.h"

namespace nodex::tls {

class SessionCache {
  public:
    // The newest session for `host`, or null. A TLS 1.3 session is given out once (RFC 8446 appendix C.4).
    [[nodiscard]] Handle<ssl_session_st> take(const std::string& host);
    // Keeps `session`; the oldest of a full host, or any other host of a full cache, is dropped.
    void put(const std::string& host, Handle<ssl_session_st> session);

  private:
    std::mutex mutex_;  // held for a look-up in a small map, once a connection
    std::unordered_map<std::string, std::vector<Handle<ssl_session_st>>> by_host_;  // oldest first
};

}  // namespace nodex::tls
