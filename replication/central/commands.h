// Commands: whose the centre carries out, and each once. An operator's comes sealed under his key,
// through any POP (operator_seal.h); a plain one is taken from a POP that is trusted wholly only.
// What an operator may do is Queries; here it is decided whether he said it.
#pragma once
#include <map>
#include <vector>

#include "edge/base/random.h"
#include "replication/central/ledger.h"
#include "replication/central/operator_seal.h"
#include "replication/central/queries.h"

namespace nodex::replication {

// Whose commands are taken.
struct Commanders {
    Operators operators;
    // The POPs whose admin socket is authority enough. From any other one a plain command is
    // refused: whoever took over a POP may spend its leases, not make money.
    std::vector<PopId> trusted_pops;
};

class Commands {
  public:
    // Who brings it, and when.
    struct Bearer {
        PopId pop{};
        std::uint16_t protocol = 0;
        bool outdated = false;  // Queries::admin
        std::int64_t now_ms = 0;
    };

    Commands(Ledger& ledger, Queries& queries, Random& random, Commanders from)
        : ledger_(ledger), queries_(queries), random_(random), from_(std::move(from)) {}

    void take_from(Commanders from) { from_ = std::move(from); }

    // Errors of both: the store's; then nothing was carried out.
    Result<QueryReply> plain(const Bearer& bearer, const QueryRequest& request);
    // 200 and a sealed reply, whatever the command came to; or why it could not be opened, openly.
    Result<QueryReply> sealed(const Bearer& bearer, Bytes octets);

    // Whether that POP may be told where the bodies of that request are: it is trusted, or passes
    // on a sealed command of an operator, `body.get` of this request.
    Result<bool> may_read_body(const Bearer& bearer, const RequestId& request, Bytes authority);

  private:
    struct Opened {
        const Operator* by;
        SealedCommand command;
        std::string json;
    };
    [[nodiscard]] bool is_trusted(PopId pop) const noexcept;
    void tell_refused(PopId pop, const char* reason);
    Result<QueryReply> refuse_plain(PopId pop);
    // The reason is one of those that are told openly: nobody to seal for is known.
    Result<Opened> open(Bytes octets, const char*& reason) const;
    // Nothing: to be carried out. It is noted then, so it is not a second time.
    Result<std::optional<QueryReply>> check(const Bearer& bearer, const SealedCommand& command);

    Ledger& ledger_;
    Queries& queries_;
    Random& random_;
    Commanders from_;
    // How often a POP gave cause to say it. Only POPs with a link key are here.
    using Times = std::map<PopId, std::uint64_t>;
    Times refused_, repeated_;
};

}  // namespace nodex::replication
