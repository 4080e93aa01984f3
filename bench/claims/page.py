"""From the outcome of bench/claims/run to a page."""

import statistics


def markdown(outcome):
    about = outcome["about"]
    lines = [
        f"# The centre's distance, {outcome['date']}", "",
        f"Commit {about['commit'][:12]}; kernel {about['kernel']}; {about['cpu']}, {about['processors']} processors, "
        f"{about['memory_gib']} GiB; durability `process`. Command: `{outcome['command']}`.", "",
        *first_tokens(outcome["first_tokens"]), "", *processor_time(outcome["cpu"])]
    return "\n".join(lines) + "\n"


def first_tokens(rows):
    lines = ["## First token", "",
             "Streams under idempotency keys of their clients, at a fixed rate; \"asked\": the centre's word was wanted. "
             "\"Waited\" is the time an answer was ready and held for that word, a mean over all calls, from the node's own "
             "clock; percentiles come from a histogram with steps of 3 %.", "",
             "| provider's first token, ms | centre, round trip, ms | claims | p50, ms | p99, ms | calls | waited, ms |",
             "|---|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: (-row["first_token_ms"], row["claims"] != "local", row["round_trip_ms"])):
        asked = row["claims"] != "local"
        distance = row["round_trip_ms"] if asked else "-"
        waited = f"{row['mean_wait_ms']:.2f}" if asked and row["mean_wait_ms"] is not None else "-"
        lines.append(f"| {row['first_token_ms']} | {distance} | {'asked' if asked else 'not asked'} | {row['p50_ms']:.0f} "
                     f"| {row['p99_ms']:.0f} | {row['calls']} | {waited} |")
    return lines


def processor_time(rows):
    lines = ["## CPU of nodex-edge, us a request", "",
             "Closed loop of 256, not streamed, the provider's answer after 40 ms, every request under a key of its own, centre 20 ms "
             "away; medians "
             "[least-most]. Serving: loops, commits, log, RocksDB. Replicating: everything else but the centre "
             "(agent, libnats). The nats-server is the POP's own.", "",
             "| node | requests/s | serving | replicating | share | centre in the process | nats-server beside |",
             "|---|---|---|---|---|---|---|"]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        mine = [row for row in rows if row["kind"] == kind]
        share = statistics.median(row["replicating_us"] / (row["replicating_us"] + row["serving_us"]) for row in mine)
        lines.append(f"| {kind} | {spread(mine, 'requests_per_s')} | {spread(mine, 'serving_us')} "
                     f"| {spread(mine, 'replicating_us')} | {share:.1%} | {spread(mine, 'centre_us')} "
                     f"| {spread(mine, 'beside_us')} |")
    return lines


def spread(rows, name):
    values = [row[name] for row in rows if row[name] is not None]
    if not values or max(values) == 0:
        return "-"
    return f"{statistics.median(values):,.1f} [{min(values):,.1f}-{max(values):,.1f}]"
