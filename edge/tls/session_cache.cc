// Client sessions to be resumed, by host.
#include "edge/tls/session_cache.h"

#include <openssl/ssl.h>

#include "edge/base/limits.h"

namespace nodex::tls {

Handle<ssl_session_st> SessionCache::take(const std::string& host) {
    const std::lock_guard lock(mutex_);
    const auto found = by_host_.find(host);
    if (found == by_host_.end() || found->second.empty()) return nullptr;
    std::vector<Handle<ssl_session_st>>& sessions = found->second;
    if (SSL_SESSION_should_be_single_use(sessions.back().get()) == 0) {
        SSL_SESSION_up_ref(sessions.back().get());
        return Handle<ssl_session_st>(sessions.back().get());
    }
    Handle<ssl_session_st> session = std::move(sessions.back());
    sessions.pop_back();
    return session;
}

void SessionCache::put(const std::string& host, Handle<ssl_session_st> session) {
    const std::lock_guard lock(mutex_);
    if (!by_host_.contains(host) && by_host_.size() >= limits::tls_cached_hosts_max)
        by_host_.erase(by_host_.begin());
    std::vector<Handle<ssl_session_st>>& sessions = by_host_[host];
    if (sessions.size() >= limits::tls_cached_sessions_per_host_max) sessions.erase(sessions.begin());
    sessions.push_back(std::move(session));
}

}  // namespace nodex::tls
