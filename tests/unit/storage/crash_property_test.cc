// Crashes of every kind under random work. Per seed:
//   1. a random mix of claims, chunks, ends, releases and truncations goes through the commit
//   thread, or through a loop that writes by itself unless the store is busy
//   2. at a random write the disk fails, before or after the change reached it
//   3. the process crashes or the power fails, keeping a random part of what was not synced
//   4. the journal is opened again, recovered, and held against what clients were told
// A failure prints its seed.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "edge/crypto/crypto.h"
#include "storage/loop_commits.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage::crash_property_test {
namespace {

struct NoWaker final : Waker {
    void wake() noexcept override {}
};
struct Ignore {
    void done() {}
};

class CrashWorld {
  public:
    explicit CrashWorld(std::uint64_t seed)
        : random_(seed),
          durability_(random_.below(2) == 0 ? Durability::process : Durability::power) {}

    void run_life() {
        auto opened = Journal::open(store_, random_);
        ASSERT_TRUE(opened.has_value());
        journal_ = std::move(*opened);
        check();
        if (::testing::Test::HasFailure()) return;
        end_recovered();
        CommitThread commits(store_, *journal_, clock_, durability_);
        LoopCommits of_loop(commits, loop_);
        store_.fail_write_after(random_.below(25), ErrorCode::storage_failed,
                                random_.below(2) == 0);
        while (!commits.failed()) step(commits, of_loop);
        crash();
    }

  private:
    // What a request has been told. Between submission and answer it may be either side of the
    // step.
    enum class Told : std::uint8_t { claimed, ended, released };

    void step(CommitThread& commits, LoopCommits& of_loop) {
        std::deque<ClaimOperation> claims;
        std::deque<FinishOperation> finishes;
        std::deque<ReleaseOperation> releases;
        std::set<std::uint64_t> busy;
        const bool on_loop = random_.below(2) == 0;
        store_.set_busy(random_.below(4) == 0);
        const auto submit = [&](Operation& operation) {
            const OperationDone done = when_done<&Ignore::done>(&ignore_);
            if (on_loop)
                of_loop.submit(operation, done);
            else
                commits.submit(operation, loop_, done);
        };
        for (std::uint64_t i = random_.below(6); i > 0; --i) {
            const std::uint64_t number = ++last_number_;
            claims.emplace_back().request = samples::request(number);
            submit(claims.back());
        }
        for (const auto& [number, told] : told_) {
            if (told != Told::claimed || random_.below(3) != 0) continue;
            busy.insert(number);
            if (random_.below(4) == 0) {
                releases.emplace_back().request_id = samples::id<RequestId>(number);
                submit(releases.back());
                maybe_ended_.insert(number);
                continue;
            }
            FinishOperation& finish = finishes.emplace_back();
            finish.finish = samples::finish(samples::request(number), amount_of(number));
            finish.body = samples::request(number).answer;
            finish.chunks = {{0, "sealed"}};
            finish.key_record = "key";
            submit(finish);
            maybe_ended_.insert(number);
        }
        CallOperation truncation;
        truncation.sync = false;
        truncation.call = [this](Journal& journal, Store&, Batch& batch) -> Status {
            const auto bounds = journal.outbox();
            if (bounds.last == bounds.applied) return {};
            return journal.truncate_outbox(
                bounds.applied + random_.below(bounds.last - bounds.applied) + 1, 1, batch);
        };
        // Only what was acknowledged may be applied by the ledger, so it comes in a batch of its
        // own.
        of_loop.end_turn();
        commits.run_once();
        loop_.deliver();
        for (ClaimOperation& claim : claims)
            if (claim.status()) told_[number_of(claim.request.request_id)] = Told::claimed;
        for (FinishOperation& finish : finishes)
            if (finish.status()) told_[number_of(finish.finish.request_id)] = Told::ended;
        for (ReleaseOperation& release : releases)
            if (release.status()) told_[number_of(release.request_id)] = Told::released;
        if (random_.below(4) != 0) return;
        submit(truncation);
        of_loop.end_turn();
        commits.run_once();
        loop_.deliver();
    }

    void crash() {
        journal_.reset();
        if (durability_ == Durability::process)
            store_.crash_process();
        else
            store_.lose_power(random_.below(store_.unsynced_count() + 1));
    }

    // Everything that was told holds; what was not told may be on either side, but on one side
    // only.
    void check() {
        Batch batch;
        std::set<std::uint64_t> open;
        for (const OpenRequest& request : journal_->recovered())
            open.insert(number_of(request.request_id));
        Nano settled = 0;
        for (std::uint64_t number = 1; number <= last_number_; ++number) {
            OpenRequest again = samples::request(number);
            again.request_id = samples::id<RequestId>(number, 'r');
            const auto found = journal_->look_up(again, 1, batch);
            ASSERT_TRUE(found.has_value());
            const bool finished = found->verdict == ClaimVerdict::finished;
            if (finished) settled += amount_of(number);
            ASSERT_FALSE(finished && open.contains(number)) << number << ": finished and open";
            ASSERT_EQ(found->verdict == ClaimVerdict::running, open.contains(number)) << number;
            if (finished) {
                ASSERT_EQ(found->key_record, "key") << number << ": an answer without its body";
            }
            const auto told = told_.find(number);
            if (told == told_.end()) continue;
            if (told->second == Told::ended) {
                ASSERT_TRUE(finished) << number << ": an acknowledged end was lost";
            } else if (told->second == Told::claimed && !maybe_ended_.contains(number)) {
                ASSERT_TRUE(open.contains(number)) << number << ": an acknowledged claim was lost";
            } else if (told->second == Told::released) {
                ASSERT_FALSE(finished) << number << ": released and finished";
            }
        }
        const auto counters = journal_->lease({Journal::Scope::Kind::account, 7});
        ASSERT_EQ(counters ? counters->settled : 0, settled)
            << "lease counters are the sum of settlements";
        check_outbox();
    }

    void check_outbox() {
        const auto bounds = journal_->outbox();
        const auto entries = journal_->read_outbox(bounds.applied + 1, UINT32_MAX, SIZE_MAX);
        ASSERT_TRUE(entries.has_value());
        ASSERT_EQ(entries->size(), bounds.last - bounds.applied);
        std::string chain(bounds.chain_at_applied.view());
        for (std::size_t i = 0; i < entries->size(); ++i) {
            ASSERT_EQ((*entries)[i].sequence, bounds.applied + 1 + i);
            chain = crypto::view(crypto::sha256(chain + (*entries)[i].record));
        }
        ASSERT_EQ(bounds.chain_at_last.view(), chain);
    }

    // As recovery does: some are released, some settled. Their ends are told.
    void end_recovered() {
        Batch batch;
        for (const OpenRequest& request : journal_->recovered()) {
            const std::uint64_t number = number_of(request.request_id);
            const bool release = random_.below(2) == 0;
            Finish finish = samples::finish(request, amount_of(number));
            journal_->append_chunk(request.answer, 0, "sealed", "key", batch);
            const Status ended = release ? journal_->release(request.request_id, batch)
                                         : journal_->finish(finish, batch);
            ASSERT_TRUE(ended.has_value());
            told_[number] = release ? Told::released : Told::ended;
        }
        ASSERT_TRUE(store_.write(batch, Durability::power).has_value());
        // What is not open and was not acknowledged as ended has ended one way or the other.
        for (auto& [number, told] : told_)
            if (told == Told::claimed) ended_unknown_.insert(number);
        for (const std::uint64_t number : ended_unknown_) told_.erase(number);
        maybe_ended_.clear();
    }

    static Nano amount_of(std::uint64_t number) { return static_cast<Nano>(number % 900); }
    static std::uint64_t number_of(const RequestId& id) {
        return read_ordered64(id.view().substr(8));
    }

    SeededRandom random_;
    const Durability durability_;
    SimStore store_;
    ManualClock clock_;
    NoWaker waker_;
    Mailbox loop_{waker_};
    Ignore ignore_;
    std::unique_ptr<Journal> journal_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Told> told_;
    std::set<std::uint64_t> maybe_ended_;    // an end was submitted and not acknowledged
    std::set<std::uint64_t> ended_unknown_;  // for good
};

TEST(CrashProperty, NothingToldIsLostAndTheMoneyAddsUpOverTwoHundredSeeds) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        CrashWorld world(seed);
        for (int life = 0; life < 6 && !::testing::Test::HasFailure(); ++life) world.run_life();
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace nodex::storage::crash_property_test
