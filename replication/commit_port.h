// CommitPort: how the agent's state machine reaches the journal: work that runs on the commit
// thread in its place among the others, and its outcome back on the agent's thread. The simulator
// has one of its own.
#pragma once
#include <functional>

#include "storage/journal.h"
#include "storage/store.h"

namespace nodex::replication {

class CommitPort {
  public:
    using Work = std::function<Status(storage::Journal& journal, storage::Store& store,
                                      storage::Batch& batch)>;
    using Done = std::function<void(const Status& status)>;
    virtual ~CommitPort() = default;
    enum class Durable : std::uint8_t {
        synced,  // before `done`
        later,   // a loss of power may undo it: what is repeated harmlessly (truncation)
        reads,   // adds nothing, and sees everything that was submitted before it
    };
    // `done` runs later, never inside call(), when what `work` added to the batch is written.
    virtual void call(Work work, Done done, Durable durable) = 0;
    void call(Work work, Done done) { call(std::move(work), std::move(done), Durable::synced); }
};

}  // namespace nodex::replication
