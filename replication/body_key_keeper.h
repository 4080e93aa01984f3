// BodyKeyKeeper: keeps the vault's account keys level with the centre's: destroys those that were
// ordered to be destroyed, asks for those that are missing or newer. What is used was stored
// before, under the node's own key, so that a start without the centre can seal and open bodies.
#pragma once
#include <functional>
#include <map>
#include <memory>

#include "edge/base/random.h"
#include "replication/body_keys.h"
#include "replication/commit_port.h"
#include "replication/feed_records.h"
#include "replication/pop_link.h"
#include "storage/vault.h"

namespace nodex::replication {

class BodyKeyKeeper {
  public:
    using Accounts = std::map<AccountId, AccountRecord>;
    enum class Outcome : std::uint8_t {
        level,       // every account that is not closed has the newest key
        incomplete,  // the centre answered, but not for all; orders to destroy are carried out
        unanswered,  // it did not answer; orders to destroy are carried out
        failed,      // the store refused: nothing may be built on this
    };
    using Done = std::function<void(Outcome)>;

    // `vault` may be null: no bodies are kept (simulator), and everything is level.
    BodyKeyKeeper(PopLink& link, CommitPort& commits, storage::Vault* vault, Random& random)
        : link_(link), commits_(commits), vault_(vault), random_(random) {}

    // One at a time (asserted). `may_ask` false: there is no centre to ask (unanswered when one
    // were needed). `accounts` stays unchanged until `done`, which may run before this returns when
    // there is nothing to do.
    void prepare(const Accounts& accounts, bool may_ask, Done done);

  private:
    struct Destruction;
    struct Arrival;
    void destroy(std::function<void(const Status&)> done);
    void ask_next();
    [[nodiscard]] bool is_behind(const AccountRecord& account) const;
    [[nodiscard]] bool is_to_be_asked(const AccountRecord& account) const;
    void answered(const Result<std::string>& payload);
    void take(BodyKeyReply::Entry entry, Arrival& arrival);
    void store(const std::shared_ptr<Arrival>& arrival);
    void finish(Outcome outcome);

    PopLink& link_;
    CommitPort& commits_;
    storage::Vault* vault_;
    Random& random_;
    const Accounts* accounts_ = nullptr;  // set: at work
    bool may_ask_ = true;
    Done done_;
    AccountId asked_up_to_{};  // accounts up to here were asked for in this round
    std::map<AccountId, std::uint32_t> destroyed_;  // orders known to be carried out
};

}  // namespace nodex::replication
