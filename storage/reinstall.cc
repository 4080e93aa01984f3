// Reinstall: see the header.
#include "storage/reinstall.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "edge/base/limits.h"
#include "storage/keyspace.h"

namespace nodex::storage {
namespace {

constexpr std::size_t buffered_bytes_max = 1024 * 1024;
constexpr Bytes registration_key = "link";  // replication/stored_feed.cc

Error failed() noexcept {
    return {ErrorCode::io_failure, ErrorSource::kernel, false, errno};
}

const char* name(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::ok: return "ok";
        case Outcome::client_gone: return "client_gone";
        case Outcome::upstream_error: return "upstream_error";
        case Outcome::upstream_lost: return "upstream_lost";
        case Outcome::budget_cut: return "budget_cut";
    }
    return "unknown";
}

// What a person needs to book it by hand, and the record itself.
void append_line(const Journal::OutboxEntry& entry, bool applied, std::string& text) {
    const auto field = [&text](const char* key, const std::string& value, bool quoted) {
        text.append(text.back() == '{' ? "\"" : ",\"").append(key).append("\":");
        text.append(quoted ? "\"" : "").append(value).append(quoted ? "\"" : "");
    };
    text.push_back('{');
    field("sequence", std::to_string(entry.sequence), false);
    field("applied", applied ? "true" : "false", false);
    if (const Result<Settlement> record = decode_settlement(entry.record)) {
        field("request_id", to_hex(record->request_id.view()), true);
        field("account", std::to_string(raw(record->account)), false);
        field("key_id", std::to_string(raw(record->key)), false);
        field("idempotency", to_hex(record->idempotency.view()), true);
        field("amount_nano", std::to_string(record->amount), false);
        field("overrun_nano", std::to_string(record->overrun), false);
        field("model", std::to_string(record->model), false);
        field("outcome", name(record->outcome), true);
        field("created_ms", std::to_string(record->created_ms), false);
        field("settled_ms", std::to_string(record->settled_ms), false);
    }
    field("record", to_hex(entry.record), true);
    text.append("}\n");
}

// A file that is whole or not there.
class NewFile {
  public:
    explicit NewFile(const std::string& path)
        : path_(path),
          file_(::open(unfinished().c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)) {}
    ~NewFile() {
        if (file_ >= 0) ::close(file_);
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    [[nodiscard]] bool write(Bytes text) const noexcept {
        while (file_ >= 0 && !text.empty()) {
            const ssize_t written = ::write(file_, text.data(), text.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(written));
        }
        return file_ >= 0;
    }
    [[nodiscard]] bool finish(const std::string& folder) const noexcept {
        if (file_ < 0 || ::fsync(file_) != 0) return false;
        if (std::rename(unfinished().c_str(), path_.c_str()) != 0) return false;
        const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const bool durable = directory >= 0 && ::fsync(directory) == 0;
        if (directory >= 0) ::close(directory);
        return durable;
    }

  private:
    [[nodiscard]] std::string unfinished() const { return path_ + ".new"; }
    const std::string path_;
    const int file_;
};

Status write_outbox(Journal& journal, const std::string& folder, SetAside& result) {
    const NewFile file(result.path);
    const Journal::OutboxBounds bounds = journal.outbox();
    std::string text;
    for (std::uint64_t next = bounds.kept; next <= bounds.last;) {
        const auto entries =
            journal.read_outbox(next, limits::ship_records_max, limits::ship_bytes_max);
        if (!entries) return entries.error();
        if (entries->empty()) return Error{ErrorCode::corrupt, ErrorSource::storage};
        for (const Journal::OutboxEntry& entry : *entries) {
            const bool applied = entry.sequence <= bounds.applied;
            append_line(entry, applied, text);
            ++result.records;
            result.unapplied += applied ? 0 : 1;
        }
        next = entries->back().sequence + 1;
        if (text.size() < buffered_bytes_max) continue;
        if (!file.write(text)) return failed();
        text.clear();
    }
    if (!file.write(text) || !file.finish(folder)) return failed();
    return {};
}

}  // namespace

Result<SetAside> reinstall(Journal& journal, Store& store, Random& random,
                           const std::string& folder) {
    if (journal.open_count() > 0) return Error{ErrorCode::forbidden, ErrorSource::self};
    SetAside result;
    result.path = folder + "/outbox-" + to_hex(journal.install_id().view()) + ".jsonl";
    if (const Status written = write_outbox(journal, folder, result); !written)
        return written.error();
    random.fill(result.install.octets.data(), result.install.octets.size());
    Batch batch;
    batch.put(Family::meta, meta_key::install, result.install.view());
    batch.erase(Family::meta, meta_key::outbox);
    batch.erase(Family::meta, meta_key::kept);
    batch.erase(Family::meta, registration_key);
    batch.erase_range(Family::outbox, outbox_key(0).view(), outbox_key(UINT64_MAX).view());
    // Counters of grants to the incarnation of before; the new one has none.
    batch.erase_range(Family::lease, Bytes("\0", 1), Bytes("\xff", 1));
    batch.erase_range(Family::feed, Bytes("\0", 1), Bytes("\xff", 1));
    if (const Status begun = store.write(batch, Durability::power); !begun) return begun.error();
    return result;
}

}  // namespace nodex::storage
