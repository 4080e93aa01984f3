// Every maximum of the node, with its unit, its reason and what happens at it. Configuration may
// lower or raise those marked [config]; the rest are fixed because buffers are sized by them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "edge/base/clock.h"

namespace nodex::limits {

// --- the loop ---
inline constexpr unsigned submission_entries = 4'096;   // ring full: submit early, then continue
inline constexpr unsigned completion_entries = 32'768;  // kernel overflow list beyond it
inline constexpr unsigned recv_buffers_count = 4'096;   // empty: -ENOBUFS, re-armed next turn
inline constexpr std::size_t recv_buffer_bytes = 4'096;
inline constexpr unsigned completions_per_turn_max = 1'024;  // the rest waits for the next turn
inline constexpr unsigned turn_tasks_max = 65'536;           // flushes per turn; the rest next turn
inline constexpr Nanoseconds loop_stall_ns =
    50 * millisecond;  // a longer turn is counted as a stall

// --- connections ---
inline constexpr unsigned connections_max =
    100'000;  // per node [config]: accept pauses, see descriptors
inline constexpr unsigned connections_unauthenticated_per_ip_max = 1'000;
inline constexpr std::size_t outbound_high_bytes =
    64 * 1024;  // a channel's queue: writer is told to pause
inline constexpr std::size_t outbound_low_bytes = 16 * 1024;  // and to go on
inline constexpr std::size_t kernel_unsent_bytes_max =
    128 * 1024;  // of a client's socket (TCP_NOTSENT_LOWAT): the send waits
static_assert(outbound_low_bytes < outbound_high_bytes);
inline constexpr Nanoseconds handshake_deadline = 5 * second;
inline constexpr Nanoseconds head_deadline =
    5 * second;  // in total, whatever the speed: 408, close
inline constexpr Nanoseconds body_deadline =
    10 * second;  // in total, extended while >= 1 KiB/s arrives
inline constexpr std::size_t body_rate_min_bytes_per_s = 1'024;
inline constexpr Nanoseconds first_byte_deadline =
    10 * second;  // of a new connection: closed without an answer
inline constexpr Nanoseconds keep_alive_deadline = 60 * second;      // [config]
inline constexpr Nanoseconds stalled_reader_deadline = 10 * second;  // no byte taken: cut
inline constexpr Nanoseconds close_deadline = 2 * second;  // lingering after our FIN; then closed
inline constexpr Nanoseconds stalled_reader_check_interval =
    500 * millisecond;  // how late a stall may be seen
inline constexpr Nanoseconds idle_release_delay =
    1 * second;  // a quiet connection then gives its buffers back
inline constexpr Nanoseconds accept_retry_delay =
    100 * millisecond;                        // out of descriptors: accepting pauses
inline constexpr int listen_backlog = 4'096;  // connections the kernel holds for us, per core

// --- HTTP (deploy/threat-model.md, promise 4) ---
inline constexpr std::size_t head_bytes_max = 16 * 1024;         // 431
inline constexpr std::size_t request_line_bytes_max = 8 * 1024;  // 414
inline constexpr std::size_t fields_count_max = 100;             // 431
inline constexpr std::size_t body_bytes_max = 20 * 1024 * 1024;  // [config] 413
inline constexpr std::size_t chunk_extension_line_bytes_max = 4 * 1024;
inline constexpr std::size_t chunk_extension_body_bytes_max = 64 * 1024;
inline constexpr std::size_t trailer_bytes_max = 8 * 1024;  // dropped after the check
inline constexpr std::size_t drain_bytes_max =
    64 * 1024;  // early answer: a longer rest closes instead
inline constexpr unsigned informational_responses_max = 8;  // 1xx from a provider, then 502

// --- TLS ---
inline constexpr std::size_t certificate_file_bytes_max =
    256 * 1024;  // PEM chain or key; larger: refused at start
inline constexpr std::size_t certificate_chain_count_max =
    10;  // what verifiers accept; longer: refused
inline constexpr std::size_t tls_cached_hosts_max =
    256;  // as client; beyond it another host is forgotten
inline constexpr std::size_t tls_cached_sessions_per_host_max = 16;  // the oldest is dropped

// --- JSON ---
inline constexpr std::size_t json_depth_max = 64;
inline constexpr std::size_t json_object_keys_max = 10'000;
inline constexpr std::size_t json_number_bytes_max = 128;  // one number's text: 400
inline constexpr std::size_t model_name_bytes_max = 256;   // `model` of a request: 400
inline constexpr std::uint64_t request_tokens_max =
    1'000'000'000;  // max_tokens: 400; a provider's usage: not usable
inline constexpr std::size_t idempotency_key_bytes_max = 255;

// --- server-sent events ---
inline constexpr std::size_t event_bytes_max =
    8 * 1024 * 1024;  // one provider event; larger: stream ends, upstream_error
inline constexpr std::size_t stream_window_bytes =
    64 * 1024;  // of one running answer kept in memory; full: provider is paused
inline constexpr Nanoseconds heartbeat_interval = 15 * second;
inline constexpr std::size_t answer_bytes_max =
    64 * 1024 * 1024;  // a whole provider answer; larger: cut

// --- the gateway's pools, per core ---
inline constexpr unsigned exchanges_per_core_max =
    65'536;                                            // requests in flight; at it 503 overloaded
inline constexpr unsigned runs_per_core_max = 32'768;  // model runs; at it 503 overloaded
inline constexpr unsigned provider_attempts_max = 3;   // endpoints tried before the first byte
inline constexpr unsigned claim_attempts_max =
    4;  // a joined run that vanished: claim anew, then 503
inline constexpr std::size_t refusal_bytes_max =
    64 * 1024;  // of a provider's error body that is read
inline constexpr std::size_t refusal_text_bytes_max = 1'024;  // of its message that is passed on

// --- disconnect ---
inline constexpr Nanoseconds disconnect_grace = 2 * second;  // an SDK's own retry may come back
inline constexpr Nanoseconds drain_deadline =
    900 * second;  // a drained stream ends at the latest with D_max
inline constexpr Nanoseconds request_deadline = 900 * second;  // D_max: leases come back on it

// --- providers (edge/upstream) ---
inline constexpr unsigned ejection_failures = 5;  // in a row: the endpoint is tried last
inline constexpr Nanoseconds ejection_backoff_min =
    10 * second;  // then one probe; doubled while probes fail
inline constexpr Nanoseconds ejection_backoff_max = 300 * second;
inline constexpr std::size_t endpoints_chosen_max = 8;  // attempts of one request at the most
inline constexpr Nanoseconds provider_idle_deadline =
    30 * second;  // below the 60 s after which providers close
inline constexpr std::size_t resolved_addresses_max = 8;  // of one name; the rest is ignored
inline constexpr std::size_t resolved_names_max =
    1'024;  // the name unused for longest is forgotten
inline constexpr Nanoseconds resolve_refresh_interval = 30 * second;  // in the background
inline constexpr Nanoseconds resolve_retry_interval =
    1 * second;  // after a failure; older addresses still serve
inline constexpr Nanoseconds resolve_unused_deadline =
    600 * second;  // a name nobody asks for is forgotten

// What a refusal that passes by itself advises in retry-after and retry-after-ms.
inline constexpr std::int64_t retry_after_ms = 1'000;

// --- storage ---
inline constexpr std::size_t stored_chunk_bytes_max = 64 * 1024;  // plaintext of one sealed chunk
inline constexpr unsigned commit_batch_operations_max = 4'096;    // operations in one group commit
inline constexpr std::size_t commit_batch_bytes_max = 8 * 1024 * 1024;
// What a loop writes itself at the end of a turn (storage/loop_commits.h): half a millisecond on a
// healthy machine. More goes to the commit thread.
inline constexpr std::size_t inline_commit_rows_max = 256;
inline constexpr std::size_t inline_commit_bytes_max = 256 * 1024;
inline constexpr Nanoseconds inline_commit_ns_max =
    1 * millisecond;  // one that took longer is slow: see storage/slow_writes.h
inline constexpr Nanoseconds inline_pause_ns_max =
    10 * second;  // for so long at most loops then leave their writes to the commit thread
static_assert(inline_commit_bytes_max < commit_batch_bytes_max);
static_assert(inline_commit_rows_max < commit_batch_operations_max);

// --- replication (replication/README.md) ---
inline constexpr unsigned ship_records_max = 256;
inline constexpr std::size_t ship_bytes_max = 256 * 1024;
// Of a ship request's payload: its records, a length for each, and what stands around them. A packed
// one that would unfold to more is malformed.
inline constexpr std::size_t ship_payload_bytes_max =
    ship_bytes_max + ship_records_max * sizeof(std::uint32_t) + 64;
inline constexpr Nanoseconds outbox_kept =
    72LL * 3'600 * second;  // applied records, for a ledger restored from a backup
inline constexpr std::uint64_t outbox_kept_records =
    4'000'000;  // at most, about 1.3 GB: then the oldest ten minutes go
inline constexpr unsigned outbox_window_records = 8'192;  // unshipped records kept in memory
inline constexpr Nanoseconds lease_ask_deadline =
    2 * second;  // at least; then 503 budget_unavailable
// So long after the centre's last word a request that needs its money waits for the next one,
// whenever it came: a hub, a process or the database may be failing over. Longer than a failover of
// the database is promised to take (10 s), far below where clients give up (official SDKs 600 s,
// balancers 60 s).
inline constexpr Nanoseconds centre_failover_max = 15 * second;
// So long a POP sends nothing that one of the centre's processes did not know, after the last word
// of that one: they are upgraded one after the other, and any of them may get the next message.
inline constexpr Nanoseconds older_centre_kept = 30 * second;
inline constexpr Nanoseconds lease_ttl = 600 * second;
inline constexpr std::size_t message_bytes_max = 1024 * 1024;  // NATS max_payload
inline constexpr unsigned lease_entries_max = 4'096;  // scopes in one request; the rest in the next
inline constexpr unsigned feed_records_max = 4'096;   // objects in one feed reply; then "more"
inline constexpr std::size_t feed_bytes_max = 256 * 1024;  // of one feed reply
inline constexpr unsigned lease_asks_max =
    16'384;  // requests waiting for the centre; then unavailable
inline constexpr unsigned claim_entries_max = 1'024;  // claims in one message; the rest in the next
inline constexpr unsigned claims_waiting_max =
    65'536;  // claims of one POP without an answer; beyond it: as if the centre did not answer
inline constexpr unsigned claim_hints_max =
    256;  // look-ups for hints at one time; the rest are dropped, the centre hints again
// How long a first byte may wait for the centre's word on a key: two round trips, within these.
inline constexpr Nanoseconds claim_deadline_min = 1 * second;
inline constexpr Nanoseconds claim_deadline_max = 5 * second;
inline constexpr Nanoseconds pop_silence_max =
    5 * second;  // without a word a POP is dead: another may take its claims over
inline constexpr Nanoseconds pop_contact_interval =
    1 * second;  // how coarsely the ledger notes a word of a POP
inline constexpr Nanoseconds report_interval =
    2 * second;  // a POP tells the centre how it is; a lost report is not repeated
inline constexpr std::size_t report_text_bytes_max = 64;  // node.name and version in it: cut off
inline constexpr unsigned erasures_max =
    256;  // orders to destroy bodies in one reply, and done in one report; the rest in the next
inline constexpr unsigned pops_shown_max = 1'024;  // in one answer to an operator; then "more"
inline constexpr Nanoseconds idempotency_ttl_max =
    7 * 24 * 3'600 * second;  // of a claim: no answer is kept longer
inline constexpr Nanoseconds idempotency_ttl_min =
    3'600 * second;  // nor shorter: the next charge of its key comes later, whatever a POP says
// What arrives was sent this long ago at the most, unless its reader did not run meanwhile: then it
// may be as old as that pause (replication/README.md, "Uses of a key").
inline constexpr Nanoseconds message_lateness_max = 60 * second;
inline constexpr Nanoseconds clock_step_min =
    1 * second;  // a wall clock that leaves the monotonic one by it between two looks was set
inline constexpr Nanoseconds centre_clock_back_max =
    30 * second;  // numbers of body keys stay this far behind the time: what a clock may be set
                  // back by before a restore without one being given twice
// Unanswered requests of one POP; then unavailable. Far above what follows, because heartbeats and
// settlements are among them: a POP that cannot tell that it lives loses its claims.
inline constexpr unsigned link_requests_max = 16'384;
inline constexpr unsigned link_queries_max =
    1'024;  // of them, questions of customers and operators; then unavailable
inline constexpr unsigned remote_reads_max =
    8'192;  // of them, reads of other POPs' answers; then as if nobody had them
inline constexpr unsigned body_key_accounts_max = 256;  // in one request; the rest in the next
inline constexpr unsigned body_key_versions_max =
    16;  // of one account at the centre; then no rotation until one is out of date
inline constexpr Nanoseconds body_key_lifetime = 30LL * 24 * 3'600 * second;  // then a new version
inline constexpr Nanoseconds body_key_retention =
    35LL * 24 * 3'600 * second;  // after its successor was made: longer than any body is kept
inline constexpr int link_inbound_messages_max =
    8'192;  // from libnats, not yet handled by the agent or the centre: dropped and counted
inline constexpr int link_inbound_bytes_max = 64 * 1024 * 1024;   // of them: dropped and counted
inline constexpr std::size_t nats_info_bytes_max = 32 * 1024;     // a server's first line
inline constexpr Nanoseconds nats_ping_interval = 2 * second;     // a silent cut is seen after
inline constexpr int nats_pings_unanswered_max = 3;               // three of them
inline constexpr Nanoseconds nats_connect_deadline = 2 * second;  // to loopback
inline constexpr Nanoseconds nats_write_deadline = 2 * second;    // then the message is lost
inline constexpr Nanoseconds nats_reconnect_wait = 100 * millisecond;
inline constexpr Nanoseconds nats_reconnect_jitter = 100 * millisecond;  // added, at most
inline constexpr int nats_reconnect_buffer_bytes = 1'024;  // nothing is kept for a reconnect
inline constexpr unsigned ledger_attempts_max =
    8;  // of one verb, when other processes are in its way; then no answer: the POP asks again
inline constexpr Nanoseconds database_connect_timeout = 3 * second;  // then unavailable
// One behind the other: the server says what it gives up, before we give the server up. The last
// one and a connection elsewhere stay within the 10 s that a failover of the database may take.
inline constexpr Nanoseconds database_lock_timeout = 3 * second;  // waiting for other writers
inline constexpr Nanoseconds database_statement_timeout = 5 * second;
inline constexpr Nanoseconds database_answer_timeout =
    7 * second;  // the server is silent: the connection is given up
inline constexpr Nanoseconds database_purge_timeout =
    5 * 60 * second;  // of rewriting the table of body keys; then given up, and tried again
inline constexpr Nanoseconds database_idle_timeout =
    5 * second;  // a frozen process in mid-transaction: the server ends it
inline constexpr Nanoseconds database_backoff_min = 100 * millisecond;  // between reconnections
inline constexpr Nanoseconds database_backoff_max =
    1 * second;  // doubled up to this: how late a promoted standby may be found
inline constexpr unsigned database_scan_rows = 1'000;  // read at once by a scan; then the next page
// Between POPs (replication/peer_service.h).
inline constexpr std::size_t peers_max = 1'024;  // other POPs; the centre tells of no more
inline constexpr std::size_t append_news_max =
    65'536;  // changed answers between two looks of the agent; then it looks at the store
inline constexpr std::int64_t buddy_running_retention_ms =
    3'600'000;  // a copy that never ends; four times the longest request
inline constexpr std::uint64_t buddy_bytes_max =
    4ull * 1024 * 1024 * 1024;  // [config] sealed chunks kept for others; no new copy beyond it
inline constexpr std::size_t buddy_batch_bytes = 64 * 1024;  // one message of copies, at least
inline constexpr std::size_t buddy_batch_pieces_max = 256;   // answers in one message
inline constexpr Nanoseconds buddy_batch_delay =
    50 * millisecond;  // to gather a smaller one; at once when buddy_batch_bytes wait
inline constexpr unsigned buddy_batches_max = 16;  // unanswered; then copies lag
inline constexpr Nanoseconds copy_sender_silence =
    5 * second;  // a POP that sends copies says something more often; then its copies are cut
inline constexpr Nanoseconds copy_wait_max =
    1 * second;  // an event waits that long to be at the buddy (durability.stream "buddy"); then it
                 // goes to its client without, as those behind it until the buddy keeps up again
inline constexpr std::size_t buddy_copies_max =
    32'768;  // answers being copied; a new one beyond it is not copied, and counted
inline constexpr std::size_t buddy_inbox_bytes_max =
    8 * 1024 * 1024;  // received and not yet written; more is dropped: its sender goes back
inline constexpr std::size_t read_bytes_max =
    256 * 1024;  // chunks in one reply to another POP, ended by the one that reaches it
inline constexpr Nanoseconds read_wait_max =
    2 * second;  // a reply is held that long for something new
inline constexpr unsigned reads_held_max =
    4'096;  // held replies; more are answered at once, and ask again
// Bodies for operators (replication/body_fetcher.h).
inline constexpr unsigned body_fetches_max = 4;  // at once; one more: overloaded
inline constexpr std::size_t body_fetch_bytes_max =
    answer_bytes_max + 4 * 1024 * 1024;  // of one body, sealed; larger: refused
inline constexpr Nanoseconds body_fetch_deadline = 30 * second;  // of all its messages: timed_out
inline constexpr Nanoseconds purge_interval =
    60 * second;  // between two rewritings of files that held destroyed keys
inline constexpr Nanoseconds purge_patience =
    3'600 * second;  // a database's other sessions may delay it; then an operator is told
inline constexpr unsigned query_json_depth_max = 16;  // admin and customer queries to the centre
// Operators' commands and customers' lists (edge/admin, replication/central/queries.h).
inline constexpr std::size_t admin_commands_max = 64;  // at once at a POP; one more: come again
inline constexpr std::size_t admin_command_bytes_max = 1024 * 1024;  // 413
inline constexpr Nanoseconds operator_command_window =
    120 * second;  // between an operator's clock and the centre's, either way: refused beyond it
inline constexpr Nanoseconds operator_commands_kept =
    7 * 86'400 * second;  // what was carried out is remembered that long: a centre whose clock is
                          // set back by less carries nothing out again
inline constexpr unsigned operator_commands_forgotten_max = 16;  // with each new one
inline constexpr std::size_t operator_name_bytes_max = 32;       // refused
inline constexpr std::size_t admin_text_bytes_max =
    200;  // a name, a reference, a reason, a model's id: refused
inline constexpr std::size_t key_models_max = 1'000;   // that an API key names: refused
inline constexpr std::size_t model_aliases_max = 100;  // refused
inline constexpr unsigned page_rows_max = 1'000;       // of one answer; then a cursor, or `after`
inline constexpr unsigned page_rows_default = 100;
inline constexpr unsigned page_rows_visited_max =
    10'000;  // by a filtered page, which answers what it has by then and a cursor

}  // namespace nodex::limits
