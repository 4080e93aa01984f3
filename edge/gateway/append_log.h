// AppendLog: the chunks of all running answers of one core on their way to the journal. Two
// operations take turns: while one is being written the other gathers, so one write carries
// whatever a turn (or a slow disk) has collected. A chunk is handed to its client only after its
// write (B3 of ARCHITECTURE.md, section 4).
//
// Between two writes is at least half a millisecond, so that a core with many streams pays for one
// write (and, when the commit thread has to do it, two changes of threads) a tick of its timers, not
// for one every few events. A chunk that
// comes alone waits for nothing, and the first of an answer never does: it takes along what has
// gathered.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "edge/base/histogram.h"
#include "edge/gateway/turn_commits.h"
#include "edge/io/loop.h"
#include "storage/vault.h"

namespace nodex::gateway {

class Run;

class AppendLog {
  public:
    AppendLog(Loop& loop, TurnCommits& commits, Histogram& append_ns) noexcept;

    // Seals `plaintext` as the next chunk of `run` (at most limits::stored_chunk_bytes_max). When
    // it is durable run.append_done(plaintext.size()) is called, in order; on failure
    // run.append_failed(..). The run must not be released before.
    void add(Run& run, storage::BodyWriter& writer, Bytes plaintext);
    // Seals `text` as a whole body of its own. Nobody is told: it is durable (or not, when the
    // store has failed) at the latest with what is added after it.
    void add_whole(storage::BodyWriter& writer, Bytes text);
    [[nodiscard]] bool busy() const noexcept { return flying_ || !gathering().chunks.empty(); }

  private:
    struct Pending {
        Run* run;
        std::size_t plaintext_bytes;
    };
    [[nodiscard]] storage::AppendOperation& gathering() noexcept { return operations_[gathering_]; }
    [[nodiscard]] const storage::AppendOperation& gathering() const noexcept {
        return operations_[gathering_];
    }
    void gather(storage::BodyWriter& writer, Bytes plaintext, bool last);
    void submit_when_due() noexcept;
    void submit() noexcept;
    void committed() noexcept;

    Loop& loop_;
    TurnCommits& commits_;
    Histogram& append_ns_;
    std::array<storage::AppendOperation, 2> operations_;
    std::array<std::vector<Pending>, 2> pending_;
    std::size_t gathering_ = 0;
    bool flying_ = false;  // the other operation is being written
    bool urgent_ = false;  // the first chunk of a body has gathered
    Nanoseconds submitted_ns_ = 0;
    TurnTask submit_task_;
    Timer submit_timer_;
};

}  // namespace nodex::gateway
