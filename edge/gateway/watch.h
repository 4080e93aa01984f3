// Watch: an exchange following a run that may live on another core. The watcher reads the stored
// log; the run only tells how far it is durable. Register, progress and release are mail, so no
// memory is shared but one word.
//
//   watcher                                run's core
//   begin()  --- request --->              adds to its list, or answers gone
//            <--- progress ---             chunks durable, ended, gone
//   end()    --- request --->              removes from its list
//            <--- released ---
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "edge/base/mailbox.h"
#include "storage/journal.h"

namespace nodex::gateway {

class Gateway;
class Exchange;

class Watch {
  public:
    enum class Phase : std::uint8_t { idle, watching, releasing };

    Watch(Gateway& home, Exchange& exchange) noexcept;

    // Watcher's thread.
    void begin(const storage::Owner& owner) noexcept;
    void end() noexcept;  // asks; Exchange::watch_released() follows. No effect unless watching
    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] std::uint32_t chunks_durable() const noexcept { return chunks_; }
    [[nodiscard]] const std::string& key_record() const noexcept { return key_record_; }
    [[nodiscard]] const BodyId& answer() const noexcept { return answer_; }
    [[nodiscard]] const SessionId& session() const noexcept { return session_; }
    [[nodiscard]] const RequestId& request_id() const noexcept { return request_id_; }

    // The run's thread.
    void publish(std::uint32_t chunks) noexcept;
    // How the run left the watch: it will never touch it again.
    //   finished  the answer is stored; gone  there is none (released, or the run is unknown);
    //   released  the answer to end()
    enum class Leave : std::uint8_t { finished, gone, released };
    void leave(Leave how) noexcept;
    // Once, before the first publish: what runs, where its answer is logged and the record that
    // opens it.
    void name_answer(const storage::OpenRequest& open, const std::string& key_record) {
        answer_ = open.answer;
        session_ = open.session;
        request_id_ = open.request_id;
        key_record_ = key_record;
    }
    [[nodiscard]] const storage::Owner& owner() const noexcept { return owner_; }
    Watch* next = nullptr;  // the run's list

  private:
    friend class Gateway;
    enum Bits : std::uint64_t {
        unread = 1ull << 63,
        finished = 1ull << 62,
        gone = 1ull << 61,
        released = 1ull << 60,
        count_mask = 0xffffffffu
    };
    void ask_release() noexcept;
    void tell(std::uint64_t bits) noexcept;
    void request_arrived() noexcept;   // on the run's thread
    void progress_arrived() noexcept;  // on the watcher's thread

    struct Request final : Mail {
        Request(Run run, Watch& owner) noexcept : Mail(run), watch(owner) {}
        Watch& watch;
    };
    struct Progress final : Mail {
        Progress(Run run, Watch& owner) noexcept : Mail(run), watch(owner) {}
        Watch& watch;
    };

    Gateway& home_;
    Exchange& exchange_;
    storage::Owner owner_;
    Phase phase_ = Phase::idle;
    bool ending_ = false;      // what the request in flight asks for; written before it is posted
    bool answered_ = false;    // a word came back: the run's thread is done with the first request
    bool end_wanted_ = false;  // end() was called before that
    std::uint32_t chunks_ = 0;
    BodyId answer_;
    SessionId session_;
    RequestId request_id_;
    std::string key_record_;
    std::atomic<std::uint64_t> word_{0};
    Request request_;
    Progress progress_;
};

}  // namespace nodex::gateway
