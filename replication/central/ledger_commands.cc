// Ledger: which of operators' commands were carried out, so that each is once.
#include <algorithm>

#include "edge/base/limits.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

// Commands may overtake each other on their way to several processes of the centre, so a highest
// number alone would refuse honest ones.
Result<bool> Ledger::note_command(PopId pop, std::uint64_t number) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<bool> {
        const std::string place = ledger::commands_key(pop);
        const Result<std::optional<std::string>> stored = transaction.get(LedgerTable::mark, place);
        if (!stored) return stored.error();
        std::vector<std::uint64_t> numbers;
        if (*stored)
            for (ByteReader reader(**stored); reader.ok() && !reader.rest().empty();)
                numbers.push_back(reader.integer<std::uint64_t>());
        const auto next = std::lower_bound(numbers.begin(), numbers.end(), number);
        const bool too_old = numbers.size() >= commands_remembered && next == numbers.begin();
        if (too_old || (next != numbers.end() && *next == number)) return false;
        numbers.insert(next, number);
        if (numbers.size() > commands_remembered) numbers.erase(numbers.begin());
        std::string row;
        ByteWriter writer(row);
        for (const std::uint64_t each : numbers) writer.integer(each);
        transaction.put(LedgerTable::mark, place, std::move(row));
        return true;
    });
}

// A row each, in the order of their times, so that the oldest are found without a search.
Result<bool> Ledger::note_sealed_command(std::int64_t sealed_ms, const CommandId& id,
                                         std::int64_t now_ms) {
    constexpr std::int64_t kept_ms = limits::operator_commands_kept / millisecond;
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<bool> {
        const std::string place = ledger::sealed_command_key(sealed_ms, id.view());
        const Result<std::optional<std::string>> stored = transaction.get(LedgerTable::mark, place);
        if (!stored) return stored.error();
        if (*stored) return false;
        std::vector<std::string> outdated;
        const Status scanned = transaction.scan(
            LedgerTable::mark, ledger::sealed_command_key(0, {}),
            ledger::sealed_command_key(std::max<std::int64_t>(now_ms - kept_ms, 0), {}),
            [&](Bytes key, Bytes) {
                outdated.emplace_back(key);
                return outdated.size() < limits::operator_commands_forgotten_max;
            });
        if (!scanned) return scanned.error();
        for (const std::string& key : outdated) transaction.erase(LedgerTable::mark, key);
        transaction.put(LedgerTable::mark, place, {});
        return true;
    });
}

}  // namespace nodex::replication
