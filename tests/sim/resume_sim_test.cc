// A stream is begun at one POP and resumed at others, from a seed: owners that live, finish, die
// with a whole copy at their buddy, with a part of it, or before anything was logged; networks that
// lose, repeat and reorder. Whatever happens, what a client has is a prefix of the one log of its
// answer, without a gap or a repeat, and "complete" is said of complete answers only (I12). Where
// clients wait for the buddy (durability.stream), what any of them has seen outlives its POP (I17).
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/replication/peer_world.h"

namespace nodex::replication {
namespace {

enum class ClientBug : std::uint8_t { none, asks_from_the_last_chunk_again, ignores_a_hole };
// What clients of the owner are shown: what is logged, what the buddy has, or (a bug) the first
// although they are told to wait for the second.
enum class Shown : std::uint8_t { logged, copied, logged_all_the_same };

constexpr unsigned pops_count = 3;
constexpr unsigned streams_count = 6;

// One answer and the client that reads it at another POP than its owner, as edge/gateway's
// follow_elsewhere.cc does: first without waiting, then from where it stands.
struct Stream {
    unsigned owner = 0;
    unsigned reader = 0;
    storage::OpenRequest open;
    std::vector<std::string> log;  // what the owner stored, by the disk's word
    unsigned chunks_wanted = 0;    // then it finishes
    bool finished = false;         // at the owner
    bool reading = false;
    bool joined = false;
    bool copied_all = true;  // nobody was shown a chunk that the buddy had not
    std::size_t shown = 0;   // chunks that a client of the owner has seen
    std::size_t asked = 0;   // for the first so many
    bool end_asked = false;
    bool end_shown = false;
    std::vector<std::string> delivered;
    std::string ending;  // how it ended for the client: "" while it goes on
};

class ResumeWorld {
  public:
    ResumeWorld(std::uint64_t seed, ClientBug bug, Shown shown = Shown::logged)
        : random_(seed * 977 + 5),
          bug_(bug),
          shown_(shown),
          world_(pops_count, seed, shown != Shown::logged) {}

    std::string run() {
        for (std::uint64_t i = 0; i < streams_count; ++i) begin(i + 1);
        SimFaults faults;
        faults.drop_percent = static_cast<unsigned>(random_.below(15));
        faults.duplicate_percent = static_cast<unsigned>(random_.below(20));
        faults.delay_max = static_cast<Nanoseconds>(1 + random_.below(120)) * millisecond;
        world_.network().set_faults(faults);
        const auto victim = static_cast<unsigned>(random_.below(pops_count));
        const std::uint64_t dies_at = random_.below(3) == 0 ? UINT64_MAX : random_.below(300);
        for (std::uint64_t i = 0; i < 300 && violation_.empty(); ++i) {
            if (i == dies_at) kill(victim);
            for (Stream& stream : streams_) produce(stream);
            for (Stream& stream : streams_) read(stream);
            world_.step(static_cast<Nanoseconds>(1 + random_.below(30)) * millisecond);
        }
        world_.network().set_faults({});
        for (unsigned i = 0; i < 12'000 && violation_.empty() && !over(); ++i) {
            for (Stream& stream : streams_) produce(stream);
            for (Stream& stream : streams_) read(stream);
            world_.step(5 * millisecond);
        }
        for (const Stream& stream : streams_)
            if (stream.ending.empty() && alive_[stream.reader]) violated("a client waits for ever");
        return violation_;
    }
    [[nodiscard]] const std::map<std::string, unsigned>& seen() const { return seen_; }

  private:
    void begin(std::uint64_t number) {
        Stream stream;
        stream.owner = static_cast<unsigned>(random_.below(pops_count));
        stream.reader = (stream.owner + 1 + static_cast<unsigned>(random_.below(2))) % pops_count;
        stream.chunks_wanted = static_cast<unsigned>(1 + random_.below(60));
        stream.open = world_.open(stream.owner, number);
        streams_.push_back(std::move(stream));
    }
    void kill(unsigned number) {
        world_.kill(number);
        alive_[number] = false;
        if (shown_ != Shown::logged) check_copies(number);
        for (Stream& stream : streams_)
            if (stream.owner == number)
                ++seen_[stream.finished      ? "owner died after the end"
                        : stream.log.empty() ? "owner died before a chunk"
                                             : "owner died in the middle"];
    }
    void produce(Stream& stream) {
        if (!alive_[stream.owner] || stream.finished || random_.below(3) == 0) return;
        show(stream);
        if (stream.log.size() == stream.chunks_wanted) {
            world_.finish(stream.owner, stream.open, stream.chunks_wanted);
            stream.finished = true;
            return;
        }
        std::string chunk(1 + random_.below(3'000), '\0');
        random_.fill(chunk.data(), chunk.size());
        world_.append(stream.owner, stream.open, static_cast<std::uint32_t>(stream.log.size()),
                      chunk);
        stream.log.push_back(std::move(chunk));
    }
    // As edge/gateway/copied.cc does: one ask at a time for what is logged, one for the end before
    // it is stored.
    void show(Stream& stream) {
        if (shown_ == Shown::logged) return;
        if (shown_ == Shown::logged_all_the_same) stream.shown = stream.log.size();
        CopyWaits& waits = world_.peers(stream.owner).waits();
        if (stream.asked == stream.shown && stream.asked < stream.log.size()) {
            stream.asked = stream.log.size();
            ask(stream, waits, {stream.open.request_id, static_cast<std::uint32_t>(stream.asked)});
        }
        if (stream.log.size() != stream.chunks_wanted || stream.end_asked) return;
        stream.end_asked = true;
        ask(stream, waits, {stream.open.request_id, 0, true, false});
    }
    void ask(Stream& stream, CopyWaits& waits, const CopyWaits::Ask& asked) {
        world_.pop(stream.owner).core->appended(world_.pop(stream.owner).tap->take());
        waits.ask(asked, [this, &stream, asked](CopyWaits::Word word) {
            if (asked.whole)
                stream.end_shown = true;
            else
                stream.shown = std::max<std::size_t>(stream.shown, asked.chunks);
            stream.copied_all = stream.copied_all && word == CopyWaits::Word::copied;
            ++seen_[word == CopyWaits::Word::copied ? "shown with its copy" : "shown alone"];
        });
    }
    // What was seen before its POP was lost is at the buddy, unless it was told that it is not.
    void check_copies(unsigned lost) {
        for (const Stream& stream : streams_) {
            if (stream.owner != lost || !stream.copied_all) continue;
            const auto copy = storage::BuddyCopies::find(
                stream.open.account, stream.open.idempotency, PeerWorld::id(lost),
                world_.clock().wall_ms(), world_.pop((lost + 1) % pops_count).store);
            const std::size_t kept = copy && *copy ? (*copy)->chunks_count : 0;
            if (kept < std::max(stream.shown, stream.delivered.size()))
                violated("what a client has seen is lost with its POP");
            if (stream.end_shown && stream.finished && !(*copy)->answer)
                violated("an end that a client has seen is lost with its POP");
            if (stream.shown > 0) ++seen_["seen and kept"];
        }
    }
    void read(Stream& stream) {
        if (stream.reading || !stream.ending.empty() || !alive_[stream.reader]) return;
        if (random_.below(4) == 0) return;  // a slow client
        stream.reading = true;
        auto from = static_cast<std::uint32_t>(stream.delivered.size());
        if (bug_ == ClientBug::asks_from_the_last_chunk_again && from > 1) --from;
        ReadRequest request =
            PeerWorld::question(stream.owner, stream.open, from, stream.joined ? 2'000 : 0);
        if (stream.joined) request.request = stream.open.request_id;
        request.bytes_max = static_cast<std::uint32_t>(1 + random_.below(20'000));
        world_.peers(stream.reader)
            .remote()
            .read(request, [this, &stream](const Result<ReadReply>& reply, bool copied) {
                stream.reading = false;
                take(stream, reply, copied);
            });
    }
    void take(Stream& stream, const Result<ReadReply>& reply, bool copied) {
        if (!reply) return end(stream, "unreachable");
        if (reply->state == ReadState::gone) return end(stream, copied ? "no copy" : "gone");
        stream.joined = true;
        for (const std::string& chunk : reply->chunks) {
            if (bug_ == ClientBug::ignores_a_hole && random_.below(20) == 0) continue;
            stream.delivered.push_back(chunk);
        }
        check_prefix(stream);
        const std::string from = copied ? " from a copy" : " from its owner";
        if (reply->state == ReadState::finished &&
            stream.delivered.size() >= reply->answer->chunks_count)
            return end(stream, "complete" + from);
        if (reply->state == ReadState::cut && stream.delivered.size() >= reply->chunks_count)
            return end(stream, "cut" + from);
        if (reply->state == ReadState::running && copied) ++seen_["followed a growing copy"];
    }
    void end(Stream& stream, const std::string& how) {
        stream.ending = how;
        ++seen_[how];
        const bool complete = how.starts_with("complete");
        if (complete && (!stream.finished || stream.delivered != stream.log))
            violated("an answer is called complete that is not");
        if (!complete && alive_[stream.owner] && how != "unreachable" && how != "no copy" &&
            how != "cut from a copy")
            violated("a living owner has lost its answer");
        if (how == "no copy" && !stream.delivered.empty()) ++seen_["copy behind the client"];
    }
    void check_prefix(const Stream& stream) {
        if (stream.delivered.size() > stream.log.size())
            return violated("more was delivered than logged");
        for (std::size_t i = 0; i < stream.delivered.size(); ++i)
            if (stream.delivered[i] != stream.log[i])
                return violated("chunk " + std::to_string(i) + " is not that of the log");
    }
    [[nodiscard]] bool over() const {
        for (const Stream& stream : streams_)
            if (stream.ending.empty() && alive_[stream.reader]) return false;
        return true;
    }
    void violated(const std::string& what) {
        if (violation_.empty()) violation_ = what;
    }

    SeededRandom random_;
    const ClientBug bug_;
    const Shown shown_;
    std::deque<Stream> streams_;  // reads point into it: before the world that calls them back
    bool alive_[pops_count] = {true, true, true};
    std::map<std::string, unsigned> seen_;
    std::string violation_;
    PeerWorld world_;
};

TEST(ResumeSim, WhatAClientHasIsAPrefixOfTheLogWhereverItAsks) {
    std::map<std::string, unsigned> seen;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        ResumeWorld world(seed, ClientBug::none);
        ASSERT_EQ(world.run(), "") << "seed " << seed;
        for (const auto& [what, count] : world.seen()) seen[what] += count;
    }
    for (const char* what : {"complete from its owner", "complete from a copy", "cut from a copy",
                             "no copy", "owner died after the end", "owner died in the middle",
                             "owner died before a chunk", "followed a growing copy"})
        EXPECT_GT(seen[what], 0u) << what << " never happened";
}

TEST(ResumeSim, WhatAClientHasSeenOutlivesItsPopWhereItWaitsForTheBuddy) {
    std::map<std::string, unsigned> seen;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        ResumeWorld world(seed, ClientBug::none, Shown::copied);
        ASSERT_EQ(world.run(), "") << "seed " << seed;
        for (const auto& [what, count] : world.seen()) seen[what] += count;
    }
    for (const char* what : {"shown with its copy", "shown alone", "seen and kept",
                             "owner died in the middle", "owner died after the end"})
        EXPECT_GT(seen[what], 0u) << what << " never happened";
}

TEST(ResumeSim, AnEventThatIsShownBeforeItsCopyIsFound) {
    unsigned found = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed)
        found += !ResumeWorld(seed, ClientBug::none, Shown::logged_all_the_same).run().empty();
    EXPECT_GT(found, 3u);
}

TEST(ResumeSim, ARepeatedChunkIsFound) {
    unsigned found = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        found += !ResumeWorld(seed, ClientBug::asks_from_the_last_chunk_again).run().empty();
    EXPECT_GT(found, 10u);
}

TEST(ResumeSim, AGapIsFound) {
    unsigned found = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        found += !ResumeWorld(seed, ClientBug::ignores_a_hole).run().empty();
    EXPECT_GT(found, 10u);
}

}  // namespace
}  // namespace nodex::replication
