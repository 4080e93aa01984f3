// SimNetwork: one centre and any number of POPs in one thread, with a network that loses, repeats,
// delays and reorders as its seed says, and links that can be cut. Time is the ManualClock's;
// step() delivers what is due.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/random.h"
#include "replication/transport.h"

namespace nodex::replication {

struct SimFaults {
    unsigned drop_percent = 0;
    unsigned duplicate_percent = 0;
    Nanoseconds delay_min = millisecond;
    Nanoseconds delay_max = millisecond;  // above delay_min: messages overtake each other
};

// What the network did to messages so far.
struct SimLosses {
    std::uint64_t dropped = 0;
    std::uint64_t repeated = 0;
    std::uint64_t overtaken = 0;  // delivered after one that was sent later the same way
    std::uint64_t cut = 0;        // arrived at a cut link
};

class SimNetwork {
  public:
    SimNetwork(ManualClock& clock, std::uint64_t seed);
    ~SimNetwork();
    SimNetwork(const SimNetwork&) = delete;
    SimNetwork& operator=(const SimNetwork&) = delete;

    [[nodiscard]] TransportServer& centre() noexcept;
    // The POP's end. A POP that crashes drops its old end and takes a new one: replies to the old
    // are lost.
    std::unique_ptr<Transport> connect(unsigned pop);

    void set_faults(const SimFaults& faults) noexcept;
    void cut(unsigned pop, bool is_cut);  // both directions, silently
    enum class Direction : std::uint8_t { from_pop, to_pop };
    void cut(unsigned pop, Direction direction, bool is_cut);
    [[nodiscard]] const SimLosses& losses() const noexcept;
    void stop_centre();  // forgets its handlers; requests to it are lost until it serves again
    [[nodiscard]] bool empty() const noexcept;
    // Delivers what is due now, in order of its time; answers how many.
    unsigned step();

  private:
    struct State;
    struct End;
    std::shared_ptr<State> state_;
};

}  // namespace nodex::replication
