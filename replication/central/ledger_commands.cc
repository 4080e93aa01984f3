// Ledger: numbers of operators' commands, so that each is carried out once.
#include <algorithm>

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

}  // namespace nodex::replication
