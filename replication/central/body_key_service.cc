// BodyKeyService: see the header.
#include "replication/central/body_key_service.h"

#include <sys/stat.h>

#include <cerrno>

#include "edge/base/codec.h"
#include "edge/base/log.h"
#include "edge/crypto/secret_file.h"

namespace nodex::replication {
namespace {

constexpr Bytes check_purpose = "nodex root key check v1";
constexpr Bytes root_context_label = "nx-kek-root-v1";

std::string root_context_of(AccountId account, std::uint32_t version) {
    std::string context(root_context_label);
    ByteWriter writer(context);
    writer.integer(account);
    writer.integer(version);
    return context;
}

// Tells root keys apart and tells nothing about them.
std::string check_of(const crypto::SecretKey& root) {
    return std::string(crypto::derive_key(root, check_purpose).view());
}

Error refuse_root_key(const std::string& path, const char* reason) {
    log::error("root_key_refused",
               {{"path", path},
                {"reason", reason},
                {"advice",
                 "restore the root key of this ledger: without it no stored answer can be read; a "
                 "new one would make every account's bodies unreadable"}});
    return {ErrorCode::bad_configuration, ErrorSource::configuration};
}

bool is_missing(const std::string& path) noexcept {
    struct stat information {};
    return ::stat(path.c_str(), &information) != 0 && errno == ENOENT;
}

}  // namespace

Status BodyKeyService::start(const std::optional<crypto::SecretKey>& given,
                             const std::string& path) {
    if (!given && path.empty()) return {};
    const Result<std::string> known = ledger_.root_key_check();
    if (!known) return known.error();
    std::optional<crypto::SecretKey> root = given;
    if (!root) {
        if (!known->empty() && is_missing(path))
            return refuse_root_key(path, "the file is missing");
        const Result<crypto::SecretKey> read = crypto::read_or_create_secret_file(path, random_);
        if (!read) return read.error();
        root = *read;
    }
    const std::string check = check_of(*root);
    if (!known->empty() && *known != check)
        return refuse_root_key(path, "this ledger's body keys are wrapped by another one");
    if (known->empty())
        if (Status stored = ledger_.set_root_key_check(check); !stored) return stored;
    root_ = root;
    return {};
}

Result<ledger::BodyKeys> BodyKeyService::rotate(AccountId account, std::int64_t now_ms) {
    if (!root_) return Error{ErrorCode::forbidden, ErrorSource::client};
    const Result<ledger::BodyKeys> keys = ledger_.body_keys(account);
    if (!keys) return keys.error();
    const Result<std::uint32_t> number = ledger_.next_body_key(*keys, now_ms);
    if (!number) return number.error();
    const crypto::SecretKey key = crypto::SecretKey::generate(random_);
    const std::string wrapped =
        crypto::wrap_key(*root_, key, root_context_of(account, *number), random_);
    return ledger_.add_body_key(account, *number, wrapped, now_ms);
}

// Another process of the centre may make the first version at the same moment: then its is taken.
Result<ledger::BodyKeys> BodyKeyService::keys_of(AccountId account, std::int64_t now_ms) {
    Result<ledger::BodyKeys> keys = ledger_.body_keys(account);
    if (!keys || !keys->versions.empty()) return keys;
    Result<ledger::BodyKeys> made = rotate(account, now_ms);
    if (made || made.error().code != ErrorCode::stale) return made;
    return ledger_.body_keys(account);
}

Result<BodyKeyReply> BodyKeyService::answer(PopId pop, const crypto::SecretKey& link_key,
                                            const BodyKeyRequest& request, std::int64_t now_ms) {
    if (!root_) return Error{ErrorCode::forbidden, ErrorSource::client};
    const crypto::SecretKey sealing = body_key_link_key(link_key);
    BodyKeyReply reply;
    for (const BodyKeyRequest::Entry& asked : request.entries) {
        // Before the keys: with more than one process an order to destroy may come in between, and
        // then the POP must not take these for keys of after it.
        const Result<std::optional<ledger::Account>> account = ledger_.account(asked.account);
        if (!account) return account.error();
        Result<ledger::BodyKeys> keys = keys_of(asked.account, now_ms);
        if (!keys && keys.error().source == ErrorSource::storage) return keys.error();
        if (!keys) continue;  // unknown, closed
        if (!*account || keys->versions.empty()) continue;
        BodyKeyReply::Entry entry{
            asked.account, (*account)->shreds, ledger_.oldest_body_key(*keys, now_ms), {}};
        for (const ledger::BodyKeys::Version& each : keys->versions) {
            if (each.number <= asked.newest) continue;
            const std::optional<crypto::SecretKey> key = crypto::unwrap_key(
                *root_, each.wrapped, root_context_of(asked.account, each.number));
            if (!key) {
                log::error("body_key_unreadable",
                           {{"account", raw(asked.account)},
                            {"version", each.number},
                            {"advice", "the root key does not open it: shred this account"}});
                continue;
            }
            entry.keys.push_back({each.number, seal_body_key(sealing, pop, asked.account,
                                                             each.number, *key, random_)});
        }
        reply.entries.push_back(std::move(entry));
    }
    return reply;
}

Result<unsigned> BodyKeyService::rotate_outdated(std::int64_t now_ms, unsigned accounts_max) {
    if (!root_) return 0u;
    const Result<std::vector<AccountId>> outdated =
        ledger_.outdated_body_keys(now_ms, accounts_max);
    if (!outdated) return outdated.error();
    unsigned made = 0;
    for (const AccountId account : *outdated) {
        const Result<ledger::BodyKeys> keys = rotate(account, now_ms);
        if (!keys && keys.error().source == ErrorSource::storage) return keys.error();
        if (keys) ++made;  // else: closed, or all versions are in use
    }
    return made;
}

}  // namespace nodex::replication
