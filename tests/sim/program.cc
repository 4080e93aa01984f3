// What the simulator's programs share.
#include "tests/sim/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace nodex::replication {

Arguments::Arguments(int count, char** values) : rest_(values + 1, values + count) {}

bool Arguments::flag(const char* name) {
    const auto found = std::find(rest_.begin(), rest_.end(), name);
    if (found == rest_.end()) return false;
    rest_.erase(found);
    return true;
}

bool Arguments::text(const char* name, std::string& value) {
    const auto found = std::find(rest_.begin(), rest_.end(), name);
    if (found == rest_.end()) return true;
    if (found + 1 == rest_.end()) return false;
    value = *(found + 1);
    rest_.erase(found, found + 2);
    return true;
}

bool Arguments::number(const char* name, std::uint64_t& value) {
    std::string digits = std::to_string(value);
    if (!text(name, digits)) return false;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size();
}

void silence_log() {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return;
    (void)::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
}

}  // namespace nodex::replication
