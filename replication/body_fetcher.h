// BodyFetcher: an operator's read of one body, by its request: asks the centre where it is, reads
// its sealed chunks from the POP that owns it (or from who keeps the copies, when that cannot be
// reached), opens them with the account's key here, and holds them against the digest that the
// centre knows.
//
//   asked --reference--> reading the owner --cannot be reached--> reading the copies
//   any --whole and open, or an outcome--> told
#pragma once
#include <functional>
#include <map>
#include <optional>

#include "replication/body_messages.h"
#include "replication/commit_port.h"
#include "replication/peer_link.h"
#include "storage/vault.h"

namespace nodex::replication {

enum class BodyKind : std::uint8_t { answer, sent };

enum class BodyOutcome : std::uint8_t {
    read,
    unknown,      // no such request, or its bodies have expired
    refused,      // the centre tells this POP nothing without an operator's word
    absent,       // the request has no body of that kind
    deleted,      // by an operator
    shredded,     // the account's key of then is destroyed
    key_away,     // the account's key of then has not come to this POP
    gone,         // its key or its chunks are not at the owner any more
    away,         // neither the owner nor the copies can be reached
    damaged,      // it does not open, or is not what the centre knows
    too_large,    // above limits::body_fetch_bytes_max
    busy,         // limits::body_fetches_max are under way
    unavailable,  // the centre does not answer, or this POP's store failed
};

struct FetchedBody {
    BodyOutcome outcome = BodyOutcome::unavailable;
    PopId holder{};         // read, damaged, gone: whose chunks these were
    bool complete = false;  // read: false of an answer that a crash cut off
    std::string text;       // read: as the client sent it, or was sent it
};

class BodyFetcher {
  public:
    using Done = std::function<void(FetchedBody body)>;

    // `vault` may be null (simulator): nothing can be opened.
    BodyFetcher(PopLink& link, PeerLink& peers, const PeerRoster& roster, CommitPort& commits,
                Clock& clock, storage::Vault* vault);

    // `done` runs once, later or at once, within limits::body_fetch_deadline.
    void fetch(const ReferenceRequest& request, BodyKind kind, Done done);
    void tick();
    void stop();  // who waits is told `unavailable`
    [[nodiscard]] bool busy() const noexcept { return !fetches_.empty(); }

  private:
    struct Fetch {
        BodyKind kind{};
        Done done;
        Nanoseconds until_ns = 0;
        AccountId account{};
        PopId owner{};
        PopId holder{};
        storage::SealedBody body;
        std::string key_record;
        std::vector<std::string> chunks;
        std::uint64_t bytes = 0;
    };
    void referred(std::uint64_t number, const Result<std::string>& payload);
    void begin(std::uint64_t number, PopId holder);
    void read_on(std::uint64_t number);
    void read_done(std::uint64_t number, Result<BodyReply> reply);
    void next_holder(std::uint64_t number, BodyOutcome otherwise);
    void open_whole(std::uint64_t number);
    void finish(std::uint64_t number, FetchedBody body);
    void look(const BodyRequest& request, std::function<void(Result<BodyReply>)> done);

    PopLink& link_;
    PeerLink& peers_;
    const PeerRoster& roster_;
    CommitPort& commits_;
    Clock& clock_;
    storage::Vault* vault_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Fetch> fetches_;
};

// The chunks and the key record of a body, from this store: its own, or a copy. On the commit
// thread.
Result<BodyReply> read_body(const BodyRequest& request, storage::Store& store);

}  // namespace nodex::replication
