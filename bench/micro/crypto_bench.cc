// Micro-benches of sealing, key wrapping, MACs and TLS records.
// Sketch: AES-256-GCM with AES instructions runs near 1.5 GB/s on one core of this class, so 4 KiB
// should cost 2 to 4 us; an HMAC of a short text is a few SHA-256 blocks and its set-up, below 1
// us; wrapping a key is one ChaCha20 set-up and block, about 1 us; a TLS record costs its GCM and
// one copy.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "edge/crypto/api_key.h"
#include "edge/crypto/crypto.h"
#include "edge/tls/dev_certificate.h"
#include "edge/tls/tls_session.h"

namespace nodex {
namespace {

crypto::SecretKey some_key() {
    return crypto::SecretKey(std::string(32, 'k'));
}

void seal_body_chunk(benchmark::State& state) {
    const crypto::BodySealer sealer(some_key(), {}, "header");
    const std::string plaintext(static_cast<std::size_t>(state.range(0)), 'x');
    std::string target;
    std::uint32_t counter = 0;
    for (auto _ : state) {
        target.clear();
        sealer.seal(counter++, false, plaintext, target);
        benchmark::DoNotOptimize(target.data());
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(seal_body_chunk)->Arg(256)->Arg(4'096)->Arg(65'536);

void wrap_body_key(benchmark::State& state) {
    const crypto::SecretKey wrapping = some_key();
    for (auto _ : state)
        benchmark::DoNotOptimize(
            crypto::wrap_key(wrapping, wrapping, "context", crypto::secure_random()));
}
BENCHMARK(wrap_body_key);

void make_body_sealer(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(crypto::BodySealer(some_key(), {}, "header"));
}
BENCHMARK(make_body_sealer);

void hash_api_key(benchmark::State& state) {
    const crypto::SecretKey secret = some_key();
    const std::string key = crypto::make_api_key(crypto::secure_random());
    for (auto _ : state) benchmark::DoNotOptimize(crypto::hash_api_key(secret, key));
}
BENCHMARK(hash_api_key);

// A server and a client joined in memory, past their handshake. The certificate's files live during
// start().
class Pair {
  public:
    Pair() {
        const Result<tls::DevCertificate> made = tls::make_dev_certificate({"bench.test"}, {}, 1);
        NX_ASSERT(made.has_value());
        std::string folder =
            (std::filesystem::temp_directory_path() / "nodex-bench-XXXXXX").string();
        const char* created = ::mkdtemp(folder.data());
        NX_ASSERT(created != nullptr);
        const auto write = [&](const char* name, const std::string& text) {
            const std::string path = folder + "/" + name;
            std::ofstream(path) << text;
            std::filesystem::permissions(path, std::filesystem::perms::owner_read);
            return path;
        };
        auto tickets = std::make_shared<tls::TicketKeys>(crypto::secure_random(), system_clock());
        auto server_context = tls::ServerContext::create(
            {{write("chain.pem", made->chain_pem), write("key.pem", made->key_pem)}}, tickets);
        auto client_context = tls::ClientContext::create({write("ca.pem", made->ca_pem)});
        std::filesystem::remove_all(folder);
        NX_ASSERT(server_context.has_value());
        NX_ASSERT(client_context.has_value());
        server_context_ = *server_context;
        client_context_ = *client_context;
    }
    void connect() {
        server = tls::Session::accept(server_context_);
        client = tls::Session::connect(client_context_, "bench.test");
        std::string ignored;
        Status fed = client->feed({}, ignored);
        for (int round = 0; round < 3 && fed; ++round) {
            fed = pass(*client, *server, ignored);
            if (fed) fed = pass(*server, *client, ignored);
        }
        NX_ASSERT(client->phase() == tls::Phase::open);
        NX_ASSERT(server->phase() == tls::Phase::open);
    }
    static Status pass(tls::Session& source, tls::Session& target, std::string& plaintext) {
        const Status fed = target.feed(source.output(), plaintext);
        source.output().clear();
        return fed ? Status() : fed.error();
    }

    std::unique_ptr<tls::Session> server;
    std::unique_ptr<tls::Session> client;

  private:
    std::shared_ptr<tls::ServerContext> server_context_;
    std::shared_ptr<tls::ClientContext> client_context_;
};

void write_tls_record(benchmark::State& state) {
    Pair pair;
    pair.connect();
    const std::string plaintext(static_cast<std::size_t>(state.range(0)), 'x');
    for (auto _ : state) {
        benchmark::DoNotOptimize(pair.server->write(plaintext).has_value());
        pair.server->output().clear();
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(write_tls_record)->Arg(120)->Arg(4'096)->Arg(16'384);

void write_and_read_tls_record(benchmark::State& state) {
    Pair pair;
    pair.connect();
    const std::string sent(static_cast<std::size_t>(state.range(0)), 'x');
    std::string received;
    for (auto _ : state) {
        received.clear();
        benchmark::DoNotOptimize(pair.client->write(sent).has_value());
        benchmark::DoNotOptimize(Pair::pass(*pair.client, *pair.server, received).has_value());
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(write_and_read_tls_record)->Arg(120)->Arg(4'096);

// Both ends of it: the second and later rounds are resumed.
void resumed_handshake_of_both_ends(benchmark::State& state) {
    Pair pair;
    std::string received;
    pair.connect();
    for (auto _ : state) {
        benchmark::DoNotOptimize(pair.server->write("x").has_value());  // the tickets go with it
        benchmark::DoNotOptimize(Pair::pass(*pair.server, *pair.client, received).has_value());
        pair.connect();
    }
    NX_ASSERT(pair.server->resumed());
}
BENCHMARK(resumed_handshake_of_both_ends);

}  // namespace
}  // namespace nodex

BENCHMARK_MAIN();
