// `nodex-edge --reinstall`.
#include "edge/core/reinstall.h"

#include "edge/base/log.h"
#include "edge/core/init.h"
#include "edge/crypto/crypto.h"
#include "edge/gateway/recovery_meter.h"
#include "storage/kek_rows.h"
#include "storage/recovery.h"
#include "storage/reinstall.h"
#include "storage/rocks_store.h"
#include "storage/vault.h"

namespace nodex::core {
namespace {

Error refused(const char* step, Error error) {
    log::error("reinstall_failed", {{"step", step}, {"error", error}});
    return error;
}

// What ran when the process ended is settled or released first, so that it is in what is set aside.
Status end_open_requests(const Config& config, storage::Journal& journal, storage::Store& store) {
    auto vault = storage::Vault::open(config.secrets_dir + "/" + node_key_file, false,
                                      crypto::secure_random());
    if (!vault) return vault.error();
    if (Status loaded = storage::load_keks(store, **vault); !loaded) return loaded;
    storage::RecoveryOptions options;
    options.now_ms = system_clock().wall_ms();
    options.answer_lifetime_ms = config.gateway.answer_retention_ms;
    options.durability = storage::Durability::power;
    options.count = gateway::count_delivered;
    auto ended = storage::recover(journal, store, **vault, options);
    return ended ? Status{} : Status(ended.error());
}

}  // namespace

Status reinstall(const Config& config) {
    storage::RocksOptions options;
    options.path = config.data_dir + "/db";
    options.body_retention_s =
        static_cast<std::uint64_t>(config.gateway.answer_retention_ms / 1'000) + 2 * 3'600;
    auto store = storage::RocksStore::open(options);
    if (!store) return refused("open the store", store.error());
    auto journal = storage::Journal::open(**store, crypto::secure_random());
    if (!journal) return refused("open the journal", journal.error());
    if (Status ended = end_open_requests(config, **journal, **store); !ended)
        return refused("end open requests", ended.error());
    auto done = storage::reinstall(**journal, **store, crypto::secure_random(), config.data_dir);
    if (!done) return refused("set the outbox aside", done.error());
    log::info("reinstalled", {{"outbox", done->path},
                              {"records", done->records},
                              {"unapplied", done->unapplied},
                              {"advice",
                               "start the node; then book what the ledger does not have from the "
                               "file (runbook: a POP's disk that went back)"}});
    return {};
}

}  // namespace nodex::core
