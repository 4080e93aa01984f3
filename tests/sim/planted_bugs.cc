// The table of planted bugs.
#include "tests/sim/planted_bugs.h"

namespace nodex::replication {
namespace {

constexpr Planted table[] = {
    {"delta_grants", PlantedBug::delta_grants},
    {"forgotten_returns", PlantedBug::forgotten_returns},
    {"no_key_dedup", PlantedBug::no_key_dedup},
    {"new_use_by_arrival", PlantedBug::new_use_by_arrival},
    {"no_sequence_check", PlantedBug::no_sequence_check},
    {"truncate_on_send", PlantedBug::truncate_on_send},
    {"grant_held_claims", PlantedBug::grant_held_claims},
    {"release_any_claim", PlantedBug::release_any_claim},
    {"takeover_of_the_living", PlantedBug::takeover_of_the_living},
    {"accept_old_epoch", PlantedBug::accept_old_epoch},
    {"hint_without_look", PlantedBug::hint_without_look},
    {"silence_while_away", PlantedBug::silence_while_away},
    {"reuse_incarnation", PlantedBug::reuse_incarnation},
    {"trust_any_disk", PlantedBug::trust_any_disk},
    {"early_reclaim", PlantedBug::early_reclaim},
    {"no_reclaim", PlantedBug::no_reclaim},
    {"forgotten_shreds", PlantedBug::forgotten_shreds},
    {"repeated_key_numbers", PlantedBug::repeated_key_numbers},
    {"hasty_key_retention", PlantedBug::hasty_key_retention},
    {"unsynced_settlements", PlantedBug::none, EdgeBug::unsynced_settlements},
};

}  // namespace

std::span<const Planted> planted_bugs() noexcept {
    return table;
}

std::optional<Found> find_planted(const Planted& planted, std::uint64_t seeds_max) {
    for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
        std::string violation = ReplicationWorld(seed, planted.bug, planted.edge_bug).run();
        if (!violation.empty()) return Found{seed, std::move(violation)};
    }
    return std::nullopt;
}

}  // namespace nodex::replication
