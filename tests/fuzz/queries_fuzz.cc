// Operators' commands and customers' questions: any JSON. Each line of an input is a question, the
// first octet of a line says which; the ledger they meet has an account, a key and a model.
// Whatever was asked, the answer is JSON and the ledger's books are sound.
#include <cstddef>
#include <cstdint>

#include "replication/central/memory_ledger_store.h"
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

constexpr std::int64_t now_ms = 1'790'000'000'000;
constexpr std::size_t questions_max = 16;  // of one input

struct World {
    MemoryLedgerStore store;
    Ledger ledger{store};
    SeededRandom random{1};
    const crypto::SecretKey secret = crypto::SecretKey::generate(random);
    BodyKeyService body_keys{ledger, random};
    Queries queries{ledger, random, secret, &body_keys};

    World() {
        NX_ASSERT(body_keys.start(secret, {}));
        for (
            const Bytes command : {
                R"({"command":"account.create","args":{"name":"a"}})",
                R"({"command":"balance.topup","args":{"account":1,"amount":"5","reference":"r"}})",
                R"({"command":"key.create","args":{"account":1,"name":"k","budget":"1"}})",
                R"({"command":"catalog.set","args":{"id":"m","context_tokens":9,"output_tokens_max":3,"prices":{"input":"1","output":"2"}}})",
            })
            NX_ASSERT(queries.admin(command, now_ms).status == 200);
    }
    QueryReply ask(Bytes question) {
        switch (question.front()) {
            case 'b': return queries.balance(question.substr(1));
            case 'u': return queries.usage(question.substr(1));
            default: return queries.admin(question.substr(1), now_ms);
        }
    }
};

void check(Bytes input) {
    World world;
    for (std::size_t asked = 0; asked < questions_max && !input.empty(); ++asked) {
        const std::size_t end = std::min(input.find('\n'), input.size());
        const Bytes question = input.substr(0, end);
        input.remove_prefix(std::min(end + 1, input.size()));
        if (question.empty()) continue;
        const QueryReply reply = world.ask(question);
        NX_ASSERT(JsonObject::parse(reply.json));
        NX_ASSERT(reply.status == 200 || reply.status == 400 || reply.status == 404 ||
                  reply.status == 409);
        NX_ASSERT(!world.queries.storage_failed());
    }
    const Result<LedgerAudit> audit = world.ledger.check_invariants();
    NX_ASSERT(audit && audit->sound());
}

}  // namespace
}  // namespace nodex::replication

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    nodex::replication::check({reinterpret_cast<const char*>(data), size});
    return 0;
}
