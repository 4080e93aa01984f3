// Every rule that the simulator can switch off, and in how many seeds its checkers must notice.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "replication/planted_bug.h"
#include "tests/sim/replication_world.h"

namespace nodex::replication {

struct Planted {
    const char* name;
    PlantedBug bug = PlantedBug::none;
    EdgeBug edge_bug = EdgeBug::none;
};
std::span<const Planted> planted_bugs() noexcept;

struct Found {
    std::uint64_t seed = 0;
    std::string violation;
};
// The first of the seeds 1 to `seeds_max` in which the bug breaks a property.
std::optional<Found> find_planted(const Planted& planted, std::uint64_t seeds_max);

}  // namespace nodex::replication
