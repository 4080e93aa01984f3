// ReadyMarker: a name a line.
#include "storage/ready_marker.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>

namespace nodex::storage {
namespace {

// Those that every database has had since before the marker named them.
constexpr const char* schema_1_families[] = {
    "meta",    "lease",     "open",   "idem",       "outbox",   "body",
    "dek",     "c_account", "c_key",  "c_lease",    "c_charge", "c_row",
    "c_price", "c_mark",    "c_meta", "c_key_hash", "c_usage"};

bool write_durably(const std::string& path, const std::string& text) noexcept {
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const bool durable =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(file) == 0;
    ::close(file);
    return durable;
}

bool sync_folder(const std::string& path) noexcept {
    const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool durable = folder >= 0 && ::fsync(folder) == 0;
    if (folder >= 0) ::close(folder);
    return durable;
}

}  // namespace

Result<ReadyMarker> ReadyMarker::read(const std::string& directory) {
    ReadyMarker marker;
    marker.directory_ = directory;
    const std::string path = directory + "/READY";
    if (::access(path.c_str(), F_OK) != 0) {
        if (errno == ENOENT) return marker;
        return Error{ErrorCode::storage_failed, ErrorSource::storage, false, errno};
    }
    std::ifstream file(path);
    if (!file) return Error{ErrorCode::storage_failed, ErrorSource::storage, false, errno};
    marker.present_ = true;
    for (std::string name; std::getline(file, name);)
        if (!name.empty()) marker.families_.insert(name);
    marker.named_ = !marker.families_.empty();
    if (!marker.named_)
        for (const char* name : schema_1_families) marker.families_.insert(name);
    return marker;
}

std::vector<std::string> ReadyMarker::lost(const std::vector<std::string>& existing) const {
    std::vector<std::string> missing;
    for (const std::string& name : families_)
        if (std::find(existing.begin(), existing.end(), name) == existing.end())
            missing.push_back(name);
    return missing;
}

bool ReadyMarker::write(const std::vector<std::string>& families) {
    std::set<std::string> wanted(families.begin(), families.end());
    if (present_ && named_ && wanted == families_) return true;
    std::string text;
    for (const std::string& name : wanted) text.append(name).append("\n");
    const std::string path = directory_ + "/READY";
    if (!write_durably(path + ".new", text) ||
        std::rename((path + ".new").c_str(), path.c_str()) != 0 || !sync_folder(directory_))
        return false;
    families_ = std::move(wanted);
    present_ = named_ = true;
    return true;
}

}  // namespace nodex::storage
